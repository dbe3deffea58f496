"""What the passes over QuantizeLinear and DequantizeLinear share."""

from __future__ import annotations

from graphcost.ir import Node, Value
from graphcost.types import TensorType

QUANTIZE, DEQUANTIZE = "onnx.QuantizeLinear", "onnx.DequantizeLinear"

MOVEMENTS = frozenset({
    "onnx.DepthToSpace", "onnx.Flatten", "onnx.Identity", "onnx.MaxPool", "onnx.Reshape", "onnx.Slice",
    "onnx.SpaceToDepth", "onnx.Squeeze", "onnx.Transpose", "onnx.Unsqueeze",
})  # fmt: skip
"""Operators of one tensor that give out numbers as they came in: quantizing before or behind them is the same. Max
pooling, slices and reshapes are seen in build logs ("VanillaSwapWithFollowingQ"); the others do the same by nature."""

POOLS = frozenset({
    "onnx.AveragePool", "onnx.GlobalAveragePool", "onnx.GlobalMaxPool", "onnx.MaxPool",
})  # fmt: skip


def same_scaling(one: Node, other: Node) -> bool:
    """Whether two quantizers (of either kind) stand for the same integers: equal scales, zero points and axes."""
    if one.attrs.get("block_size") or other.attrs.get("block_size"):
        return False
    scales = zip((one.operand(1), one.operand(2)), (other.operand(1), other.operand(2)))
    if not all(_same_numbers(a, b) for a, b in scales) or _integer(one) != _integer(other):
        return False
    return is_per_tensor(one) or one.attrs.get("axis", 1) == other.attrs.get("axis", 1)


def is_per_tensor(quantizer: Node) -> bool:
    """Whether one scale holds for the whole tensor."""
    scale = quantizer.operand(1)
    return scale is not None and scale.type.elements == 1


def only_reader(value: Value) -> Node | None:
    """The node that alone reads a value; None where there are several, or where it is an output."""
    readers = value.readers
    if len(readers) != 1 or readers[0].graph is None or readers[0] is readers[0].graph.exit:
        return None
    return readers[0]


def dequantizer_of(value: Value | None) -> Node | None:
    """The DequantizeLinear that makes a value."""
    maker = None if value is None else value.producer
    return maker if maker is not None and maker.op == DEQUANTIZE else None


def _same_numbers(one: Value | None, other: Value | None) -> bool:
    if one is other:
        return True
    if one is None or other is None:
        return _is_zero(one) and _is_zero(other)
    return one.constant is not None and one.constant == other.constant


def _is_zero(value: Value | None) -> bool:
    """An absent zero point is zero."""
    return value is None or (value.constant is not None and not any(value.constant.values))


def _integer(quantizer: Node) -> str:
    narrow = quantizer.results[0] if quantizer.op == QUANTIZE else quantizer.operand(0)
    return narrow.type.dtype if narrow is not None and isinstance(narrow.type, TensorType) else "?"
