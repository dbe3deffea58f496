"""Operators that read or write a part of a tensor: slices, gathers, scatters, and what a mask selects."""

from __future__ import annotations

from collections.abc import Mapping

import numpy

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Dim, TensorType, Type, Unknown, bound, product

from .errors import ShapeMismatch
from .reading import (
    Dims,
    at,
    axis_of,
    data_dependent,
    dims,
    give,
    has,
    integer,
    known_dims,
    known_integer,
    like,
    tensor,
    typed,
)

FAR = 2**31 - 1
"""An end at or behind this means "to the end": exporters write the largest integer of 32 or 64 bits."""


def slice_(node: Node, known: Known) -> list[Type]:
    """Starts, ends, axes and steps are operands 1 to 4; axes default to the leading ones, steps to 1."""
    data, count = dims(node, 0), tensor(node, 1).elements
    if data is None:
        return give(node, typed(node, 0, None))
    if count is not None and count > len(data):
        raise ShapeMismatch(node, f"{count} starts for a tensor of {len(data)} dimensions")
    starts, ends = known_dims(node, known, 1), known_dims(node, known, 2)
    axes = known_dims(node, known, 3) if has(node, 3) else None if count is None else tuple(range(count))
    steps = known_dims(node, known, 4) if has(node, 4) else (1,) * (count or 0)
    if axes is None:
        return give(node, typed(node, 0, tuple(Unknown(f"{node.name}.{i}", bound(d)) for i, d in enumerate(data))))
    for i, axis in enumerate(axes):
        axis = axis_of(node, axis, len(data)) if isinstance(axis, int) else 0
        data = at(data, axis, slice_length(node, data[axis], _entry(starts, i), _entry(ends, i), _entry(steps, i)))
    return give(node, typed(node, 0, data))


def _entry(values: Dims | None, index: int) -> Dim | None:
    return None if values is None or index >= len(values) else values[index]


def slice_length(node: Node, dim: Dim, start: Dim | None, end: Dim | None, step: Dim | None) -> Dim:
    """Elements of `start:end:step` along a dimension: negative positions count from the end, all are clamped."""
    if step == 0:
        raise ShapeMismatch(node, "a step of 0 leads nowhere")
    if isinstance(dim, int) and isinstance(start, int) and isinstance(end, int) and isinstance(step, int):
        return len(range(*slice(start, end, step).indices(dim)))
    if step == 1 and isinstance(start, int) and start >= 0:
        return _forward(node, dim, start, end)
    return data_dependent(node, dim)


def _forward(node: Node, dim: Dim, start: int, end: Dim | None) -> Dim:
    """From `start` on, in steps of one, where something is not known."""
    if end == dim or (isinstance(end, int) and end >= FAR):
        return dim - start
    if isinstance(end, int) and end < 0:
        return dim - (start - end)
    if end is None:
        return data_dependent(node, dim)
    limits = [limit for limit in (bound(dim), bound(end)) if limit is not None]
    if isinstance(end, Unknown) and start == 0:
        return Unknown(end.name, min(limits, default=None))
    return data_dependent(node, max(min(limits) - start, 0) if limits else None)


# Gathers


def gather(node: Node, known: Known) -> list[Type]:
    """The dimensions of the indices stand in the place of the gathered axis."""
    data, indices = dims(node, 0), dims(node, 1)
    if data is None or indices is None:
        return give(node, typed(node, 0, None))
    axis = axis_of(node, integer(node, "axis"), len(data))
    return give(node, typed(node, 0, (*data[:axis], *indices, *data[axis + 1 :])))


def gather_elements(node: Node, known: Known) -> list[Type]:
    return give(node, typed(node, 0, dims(node, 1)))


def gather_nd(node: Node, known: Known) -> list[Type]:
    """The last axis of the indices addresses the leading dimensions behind the `batch_dims` that both share."""
    data, indices, batch = dims(node, 0), dims(node, 1), integer(node, "batch_dims")
    if data is None or not indices or not isinstance(indices[-1], int):
        return give(node, typed(node, 0, None))
    if batch + indices[-1] > len(data):
        raise ShapeMismatch(node, f"an index of {indices[-1]} entries addresses {len(data) - batch} dimensions")
    return give(node, typed(node, 0, (*indices[:-1], *data[batch + indices[-1] :])))


# Selections whose size the data decides


def compress(node: Node, known: Known) -> list[Type]:
    """What the condition selects along `axis`, of the flattened tensor without one."""
    data, condition = dims(node, 0), known(node.operand(1))
    if data is None:
        return give(node, typed(node, 0, None))
    flat = "axis" not in node.attrs
    axis = 0 if flat else axis_of(node, integer(node, "axis"), len(data))
    whole = (product(data),) if flat else data
    kept: Dim = data_dependent(node, whole[axis])
    if condition is not None and condition.dtype != object:
        kept = int(numpy.count_nonzero(condition))
    return give(node, typed(node, 0, at(whole, axis, kept)))


def non_zero(node: Node, known: Known) -> list[Type]:
    """The positions, one in each column: at most as many as there are elements."""
    data, values = dims(node, 0), known(node.operand(0))
    count: Dim = data_dependent(node, None if data is None else product(data))
    if values is not None and values.dtype != object:
        count = int(numpy.count_nonzero(values))
    rank = Unknown(f"{node.name}.rank") if data is None else max(len(data), 1)
    return give(node, TensorType("i64", (rank, count)))


def one_hot(node: Node, known: Known) -> list[Type]:
    """The indices with one more axis, as long as operand 1 says; the element type is that of the two values."""
    indices, depth = dims(node, 0), known_integer(node, known, 1)
    if indices is None:
        return give(node, typed(node, 2, None))
    axis = axis_of(node, integer(node, "axis", -1), len(indices) + 1)
    new = data_dependent(node) if depth is None else depth
    return give(node, typed(node, 2, (*indices[:axis], new, *indices[axis:])))


SHAPES: Mapping[str, InferTypes] = {
    "onnx.Slice": slice_,
    "onnx.Gather": gather,
    "onnx.GatherElements": gather_elements,
    "onnx.GatherND": gather_nd,
    "com.microsoft.GatherND": gather_nd,
    "onnx.Scatter": like(0),
    "onnx.ScatterElements": like(0),
    "onnx.ScatterND": like(0),
    "onnx.TensorScatter": like(0),
    "onnx.Compress": compress,
    "onnx.NonZero": non_zero,
    "onnx.OneHot": one_hot,
}
