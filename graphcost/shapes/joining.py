"""Tensors joined along an axis, and cut apart along one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Dim, TensorType, Type, Unknown, bound

from .errors import ShapeMismatch
from .reading import Dims, agree, at, axis_of, dims, give, has, integer, known_dims, spell, tensor, typed


def concat(node: Node, known: Known) -> list[Type]:
    shapes = [dims(node, slot) for slot in range(len(node.operands))]
    dtype = next((t.dtype for t in (tensor(node, s) for s in range(len(shapes))) if t.dtype != "?"), "?")
    ranked = [shape for shape in shapes if shape is not None]
    if len(ranked) < len(shapes) or not shapes:
        return give(node, TensorType(dtype, None))
    return give(node, TensorType(dtype, joined(node, ranked, integer(node, "axis"))))


def joined(node: Node, shapes: Sequence[Dims], axis: int) -> Dims:
    rank = len(shapes[0])
    axis = axis_of(node, axis, rank)
    result = shapes[0]
    for shape in shapes[1:]:
        if len(shape) != rank:
            raise ShapeMismatch(node, f"{spell(shapes[0])} and {spell(shape)} differ in the number of dimensions")
        pairs = enumerate(zip(result, shape))
        result = tuple(a + b if i == axis else agree(node, a, b, f"sizes along axis {i}") for i, (a, b) in pairs)
    return result


def split(node: Node, known: Known) -> list[Type]:
    """Into the sizes of operand 1, else into parts as equal as can be, the last one smaller."""
    data = dims(node, 0)
    if data is None:
        return give(node, *[typed(node, 0, None)] * len(node.results))
    axis = axis_of(node, integer(node, "axis"), len(data))
    sizes = known_dims(node, known, 1) if has(node, 1) else _equal_parts(node, data[axis])
    if sizes is None:
        sizes = tuple(Unknown(f"{node.name}.{i}", bound(data[axis])) for i in range(len(node.results)))
    _check_parts(node, data[axis], sizes, axis)
    return give(node, *(typed(node, 0, at(data, axis, size)) for size in sizes))


def _check_parts(node: Node, whole: Dim, sizes: Dims, axis: int) -> None:
    total: Dim = 0
    for size in sizes:
        total = total + size
    if len(sizes) != len(node.results):
        raise ShapeMismatch(node, f"it has {len(node.results)} results for {len(sizes)} parts")
    agree(node, total, whole, f"the sum of the parts and the size of axis {axis}")


def _equal_parts(node: Node, whole: Dim) -> Dims:
    count = len(node.results)
    if isinstance(whole, Unknown):
        return tuple(Unknown(f"{node.name}.{i}", bound((whole + (count - 1)) // count)) for i in range(count))
    part = -(-whole // count)
    return tuple(max(min(part, whole - part * i), 0) for i in range(count))


SHAPES: Mapping[str, InferTypes] = {
    "onnx.Concat": concat,
    "onnx.Split": split,
}
