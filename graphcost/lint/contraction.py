"""What rules ask of convolutions and matrix multiplications: their weights, channels and quantisation."""

from __future__ import annotations

from graphcost.ir import Node, Value

from .subject import producer_of, sizes_of

CONTRACTIONS = frozenset({"onnx.Conv", "onnx.ConvTranspose", "onnx.Gemm", "onnx.MatMul"})

_TRANSPARENT = frozenset({
    "onnx.Reshape", "onnx.Transpose", "onnx.Flatten", "onnx.Squeeze", "onnx.Unsqueeze", "onnx.Identity",
    "onnx.Dropout", "onnx.MaxPool", "onnx.Slice", "onnx.Split", "onnx.Concat",
})  # fmt: skip
"""Operators past which TensorRT moves Q and DQ. Source: its Q/DQ passes in build logs: VanillaSwapWithFollowingQ and
VanillaSwapWithPreceedingDQ over pooling, slices and reshapes, SplitQAcrossPrecedingFanIn over Concat."""


def channels_of(node: Node) -> tuple[int, int] | None:
    """Channels that go in and come out, of one group; None where the sizes are not known or it is depthwise."""
    weight = sizes_of(node.operand(1))
    if weight is None or len(weight) < 2:
        return None
    if node.op in ("onnx.Conv", "onnx.ConvTranspose"):
        return _conv_channels(node, weight)
    inner, outer = (weight[-1], weight[-2]) if node.attrs.get("transB", 0) else (weight[-2], weight[-1])
    return inner, outer


def _conv_channels(node: Node, weight: tuple[int, ...]) -> tuple[int, int] | None:
    groups = node.attrs.get("group", 1)
    if not isinstance(groups, int) or groups < 1:
        return None
    if node.op == "onnx.ConvTranspose":
        inner, outer = weight[0] // groups, weight[1]
    else:
        inner, outer = weight[1], weight[0] // groups
    return None if groups > 1 and inner == 1 else (inner, outer)


def is_dequantized(value: Value | None) -> bool:
    """Whether a value comes from a DequantizeLinear, past operators that quantisation does not concern."""
    node = producer_of(value)
    while node is not None and node.op in _TRANSPARENT:
        node = producer_of(node.operand(0))
    return node is not None and node.op == "onnx.DequantizeLinear"


def is_quantized(node: Node) -> bool:
    """Whether both operands of a contraction are dequantised, so that it runs on integers."""
    return is_dequantized(node.operand(0)) and is_dequantized(node.operand(1))


def is_transparent(node: Node) -> bool:
    """Whether quantisation passes a node by."""
    return node.op in _TRANSPARENT
