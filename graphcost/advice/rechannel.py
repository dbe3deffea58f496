"""A kernel with other output channels: the query that the cost models would be asked if the layer had them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphcost.cost import KernelQuery
from graphcost.geometry import Contraction
from graphcost.types import TensorType


def channels_of(query: KernelQuery) -> int | None:
    """The output channels of a kernel with one matrix product in one group; None for other kernels."""
    if len(query.contractions) != 1 or not query.outputs:
        return None
    product = query.contractions[0]
    axis, dims = _axis(product), query.outputs[0].dims or ()
    fits = product.kind != "deconv" and product.groups == 1 and len(dims) > axis and dims[axis] == product.n
    return product.n if fits else None


def with_channels(query: KernelQuery, channels: int) -> KernelQuery | None:
    """The query with so many output channels: results, weights, bias and addends follow, and so do work and bytes. The
    tactic that was chosen for the old ones is left open. None where a size is unknown."""
    product = query.contractions[0]
    outputs = tuple(_result(kind, product, channels) for kind in query.outputs)
    inputs = (query.inputs[0], *(_operand(kind, query.outputs[0], product, channels) for kind in query.inputs[1:]))
    read, written = _added_bytes(query.inputs, inputs), _added_bytes(query.outputs, outputs)
    if read is None or written is None:
        return None
    work = replace(
        query.work,
        macs=query.work.macs * channels // product.n,
        elementwise_ops=query.work.elementwise_ops * channels // product.n,
        bytes_read=max(query.work.bytes_read + read, 0),
        bytes_written=max(query.work.bytes_written + written, 0),
    )
    return replace(
        query,
        inputs=inputs,
        outputs=outputs,
        work=work,
        attrs={key: value for key, value in query.attrs.items() if key != "tactic"},
        contractions=(_product(product, channels),),
    )


def _product(product: Contraction, channels: int) -> Contraction:
    dims, axis = list(product.output_dims), _axis(product)
    if dims:
        dims[axis] = channels
    return replace(product, n=channels, output_dims=tuple(dims))


def _axis(product: Contraction) -> int:
    """Where the channels of a result are: behind the batch, of a matrix product at the end."""
    return 1 if product.window else len(product.output_dims) - 1


def _result(kind: TensorType, product: Contraction, channels: int) -> TensorType:
    return _exchanged(kind, _axis(product), product.n, channels)


def _operand(kind: TensorType, result: TensorType, product: Contraction, channels: int) -> TensorType:
    """A weight, a bias or an addend with other channels; anything else stays."""
    dims, n = kind.dims or (), product.n
    if len(dims) == 1:
        return _exchanged(kind, 0, n, channels)
    if product.window and len(dims) == len(product.window) + 2 and dims != result.dims:
        axis = 0 if dims[2:] == product.window else 1
        return _exchanged(kind, axis, n, channels)
    if not product.window and dims in ((n, product.k), (product.k, n)):
        return _exchanged(kind, 0 if product.transposed else 1, n, channels)
    return _exchanged(kind, _axis(product), n, channels) if len(dims) == len(result.dims or ()) else kind


def _exchanged(kind: TensorType, axis: int, old: int, new: int) -> TensorType:
    dims = list(kind.dims or ())
    if axis >= len(dims) or dims[axis] != old:
        return kind
    dims[axis] = new
    return kind.with_dims(dims)


def _added_bytes(before: Sequence[TensorType], after: Sequence[TensorType]) -> int | None:
    """By how many bytes the tensors that change grow."""
    pairs = [(a.size_bytes, b.size_bytes) for a, b in zip(before, after) if a != b]
    if any(a is None or b is None for a, b in pairs):
        return None
    return sum(b - a for a, b in pairs if a is not None and b is not None)
