"""What kernels exchange: the activations that a node reads and writes, and in which element type."""

from __future__ import annotations

from collections.abc import Iterator

from graphcost.ir import Node, Value
from graphcost.kernels import kind_of, precision_of
from graphcost.types import FLOATS, TensorType, Type
from graphcost.work.control import CONTROL

from ..fusing import CONVOLUTIONS
from ..retype import CALIBRATED
from ..views import VIEWS

REFORMAT, NOOP = "trt.reformat", "trt.noop"

BORDER_VIEWS = frozenset({"trt.concat_view", "trt.slice_view"})
"""A part and its whole lie in one buffer: in one type and one format."""

_IN_PLACE = VIEWS | BORDER_VIEWS

CONVERTING = frozenset({
    "onnx.Cast", "onnx.CastLike", "onnx.QuantizeLinear", "onnx.DequantizeLinear", REFORMAT, NOOP,
})  # fmt: skip
"""They change the type of what they read, which is their purpose."""

_STORED_AS = {"f16": "f16", "bf16": "bf16", "f32": "f32", "tf32": "f32", "i8": "i8"}
"""Precision of a kernel → element type of its activations."""

_MOVED = FLOATS | {"i8"}


def is_activation(value: Value | None) -> bool:
    """Whether a value is a tensor of real numbers that another kernel, or the caller, brings."""
    if value is None:
        return False
    kind = value.type
    if not isinstance(kind, TensorType) or kind.dtype not in _MOVED or (kind.dims is not None and 0 in kind.dims):
        return False
    return not value.is_weight


def dtype_of(value: Value) -> str:
    return value.type.dtype if isinstance(value.type, TensorType) else "?"


def activations(node: Node) -> Iterator[tuple[int, Value]]:
    """The slots that read an activation, in order: TensorRT's `Input Tensor 0`, `1`, …"""
    return ((slot, v) for slot, v in enumerate(node.operands) if v is not None and is_activation(v))


def is_residual(node: Node, slot: int) -> bool:
    """Whether an operand is added behind a convolution: it lies as the result does."""
    if not node.bodies or slot == next((at for at, _ in activations(node)), slot):
        return False
    return any(inner.op in CONVOLUTIONS for inner in node.bodies[0])


def reads_dtype(node: Node, slot: int, value: Value, precision: str | None = None) -> str:
    """The element type in which a kernel wants an operand; `precision` in the place of the one decided.

    A convolution in INT8 adds residuals as they come (`i8f16` kernels, layer `Conv_34 + Add_36 + Relu_37` of
    trex_tv-resnet18_A100_b32_qat). What Q/DQ around a kernel say is left as it is.
    """
    if node.op in _IN_PLACE:
        return _moves_over(node, precision)
    wanted = _computes_over(node, precision)
    if wanted is None or (wanted == "i8" and (is_residual(node, slot) or _is_dequantized(value))):
        return dtype_of(value)
    return wanted


def writes_dtype(node: Node, result: Value, precision: str | None = None) -> str:
    """The element type that a kernel itself writes. An INT8 kernel may write any (`i8i8`, `i8f16`, `i8f32`)."""
    if node.op in _IN_PLACE:
        return _moves_over(node, precision)
    wanted = _computes_over(node, precision)
    return dtype_of(result) if wanted is None or wanted == "i8" or not is_activation(result) else wanted


def _is_dequantized(value: Value) -> bool:
    return value.producer is not None and value.producer.op == "onnx.DequantizeLinear"


def _moves_over(node: Node, precision: str | None) -> str:
    """A view reads and writes one type. One in INT8 gives what its readers take."""
    wanted = _STORED_AS.get(precision or precision_of(node), "i8")
    return dtype_of(node.results[0]) if wanted == "i8" else wanted


def _computes_over(node: Node, precision: str | None) -> str | None:
    """None where types are not the kernel's to choose: conversions, control flow, regions of Myelin (whose generated
    kernels convert on the way), undescribed operators."""
    described = node.op.startswith(("onnx.", "trt.", "group.")) or bool(node.bodies)
    if node.op in CONVERTING or node.op in CONTROL or "region" in node.attrs or not described:
        return None
    return _STORED_AS.get(precision or precision_of(node))


def is_copy(node: Node) -> bool:
    """Whether a kernel only brings a tensor elsewhere, in any format: what is left of Q/DQ, and a Concat of one part,
    which brings it into its place."""
    return node.op == REFORMAT or (node.op == "onnx.Concat" and len(node.operands) == 1)


def other_precisions(node: Node, at_border: bool = False) -> tuple[str, ...]:
    """Precisions beside the one decided in which a kernel may run: one that only moves FP16 numbers may as well move
    them in FP32, in front of the conversion (layer `resnet50/conv1_conv/Conv2D__6`, a Shuffle [LIN:FP32] in
    trex_tf-resnet_RTX3090_fp16). So may those that are `at_border` (`border_kernels`)."""
    moves = at_border or node.op in _IN_PLACE or (kind_of(node) == "copy" and not is_copy(node))
    return ("f32",) if moves and precision_of(node) == "f16" and node.op not in CONVERTING else ()


def is_image(kind: Type) -> bool:
    """N, C and at least two more dimensions: only those have other formats than linear."""
    return isinstance(kind, TensorType) and kind.dims is not None and len(kind.dims) >= 4


def stored(kind: TensorType, dtype: str, layout: str) -> TensorType:
    """The type in memory."""
    placed = layout if is_image(kind) else "linear"
    if dtype != kind.dtype:
        return TensorType(dtype, kind.dims, placed, CALIBRATED if dtype == "i8" else None)
    return kind if placed == kind.format else TensorType(dtype, kind.dims, placed, kind.quantization)
