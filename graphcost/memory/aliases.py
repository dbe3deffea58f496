"""What the built-in operators share: which results are operands under another name, parts of them, or made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TypeAlias

from graphcost.ir import Node
from graphcost.operators import Alias, ListAliases, Operators, Relation
from graphcost.types import BITS, TensorType, Type, bound


def same(node: Node) -> tuple[Alias, ...]:
    """The result is operand 0 under another name or shape."""
    return (Alias(0, 0, Relation.SAME),) if node.operands and node.results else ()


def cast_aliases(node: Node) -> tuple[Alias, ...]:
    """A cast to the element type that the operand has already is the operand."""
    source, target = node.operand(0), node.results[0].type if node.results else None
    if source is None or not isinstance(source.type, TensorType) or not isinstance(target, TensorType):
        return ()
    return same(node) if source.type.dtype == target.dtype != "?" else ()


def dropout_aliases(node: Node) -> tuple[Alias, ...]:
    """In inference the result is the operand. Training mode is operand 2; where its value is not known it may be on."""
    mode = node.operand(2)
    if mode is not None and (mode.constant is None or any(mode.constant.values)):
        return ()
    return same(node)


def concat_view(node: Node) -> tuple[Alias, ...]:
    """An eliminated Concat: what made the operands wrote them side by side into the result, along attribute `axis`."""
    whole, parts = node.results[0].type, [None if v is None else v.type for v in node.operands]
    places = _side_by_side(node, whole, parts)
    return tuple(Alias(0, i, Relation.HOLDS, offset, strides) for i, (offset, strides) in enumerate(places))


def slice_view(node: Node) -> tuple[Alias, ...]:
    """Slices that are only looked at: the results lie side by side in operand 0 along attribute `axis`, the first at
    index `start` (0 by default)."""
    whole = node.operand(0)
    places = _side_by_side(node, None if whole is None else whole.type, [v.type for v in node.results])
    return tuple(Alias(i, 0, Relation.INSIDE, offset, strides) for i, (offset, strides) in enumerate(places))


_Place: TypeAlias = "tuple[int, tuple[int, ...] | None]"
"""Offset in bytes; strides in bytes where a part is not contiguous in the whole."""


def _side_by_side(node: Node, whole: Type | None, parts: Sequence[Type | None]) -> list[_Place]:
    """Where each part lies. As long as a shape is not known every part starts at 0: the size of the whole is not known
    then either."""
    axis, start = node.attrs.get("axis", 0), node.attrs.get("start", 0)
    if not isinstance(whole, TensorType) or not whole.dims or not isinstance(axis, int) or not isinstance(start, int):
        return [(0, None)] * len(parts)
    strides = _strides_bytes(whole)
    pitch = strides[-1] if whole.format.startswith("hwc") and axis == 1 else strides[axis]
    outer = math.prod(bound(dim) or 0 for dim in whole.dims[: axis % len(whole.dims)])
    lengths = [_length(part, axis) for part in parts]
    starts = accumulate(lengths[:-1], initial=start)
    return [(index * pitch, strides if whole.format == "linear" and outer > 1 else None) for index in starts]


def _strides_bytes(type: TensorType) -> tuple[int, ...]:
    dims, bits = [bound(dim) or 0 for dim in type.dims or ()], BITS[type.dtype] or 0
    return tuple(math.prod(dims[axis + 1 :]) * bits // 8 for axis in range(len(dims)))


def _length(type: Type | None, axis: int) -> int:
    return bound(type.dims[axis]) or 0 if isinstance(type, TensorType) and type.dims else 0


ALIASES: Mapping[str, ListAliases] = {
    "onnx.Identity": same,
    "onnx.Reshape": same,
    "onnx.Flatten": same,
    "onnx.Squeeze": same,
    "onnx.Unsqueeze": same,
    "onnx.BitCast": same,
    "onnx.Dropout": dropout_aliases,
    "onnx.Cast": cast_aliases,
    "onnx.CastLike": cast_aliases,
    "com.microsoft.ExpandDims": same,
    "trt.concat_view": concat_view,
    "trt.noop": same,
    "trt.slice_view": slice_view,
}
"""By operator name. An operator that is not here gives every result a storage of its own."""


def aliases_of(node: Node, operators: Operators) -> Sequence[Alias]:
    """What the operator of a node declares; nothing for one that is not listed."""
    declared = operators.aliases.get(node.op)
    return () if declared is None else declared(node)
