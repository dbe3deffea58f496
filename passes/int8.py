"""Where INT8 runs: by choice (calibration) or because Q/DQ in the graph ask for it."""

from __future__ import annotations

from collections.abc import Set

from graphcost.ir import Graph, Node, Value

from .channelwise import is_constant
from .retype import CALIBRATED_FROM, dtype_of

INT8_CONTRACTIONS = frozenset({"onnx.Conv", "onnx.ConvTranspose", "onnx.Gemm", "onnx.MatMul"})
"""With a constant weight these have INT8 kernels. A product of two activations stays in floats: calibrated networks
keep their attention out of INT8 (inferred from TensorRT's statements that such fusions need Q/DQ)."""

_COMPUTING = (
    "Relu LeakyRelu PRelu Clip Sigmoid Tanh HardSigmoid HardSwish Elu Softplus Mish Swish Add Sub Mul Sum Max Min"
    " BatchNormalization MaxPool AveragePool GlobalAveragePool GlobalMaxPool Resize"
)
_MOVING = "Concat Split Slice Pad Identity Reshape Flatten Squeeze Unsqueeze Transpose DepthToSpace SpaceToDepth"
INT8_MOVING = frozenset(f"onnx.{name}" for name in _MOVING.split())
INT8_PASSING = INT8_MOVING | frozenset(f"onnx.{name}" for name in _COMPUTING.split())
"""Activations, pointwise operations, pooling and movements: they pass INT8 on where all they read is INT8. Seen in
layer lists of calibrated engines (`PWN(…)`, ConvActPool, Concat retargeting in INT8). A batch norm that no convolution
takes in is a Scale layer, which has INT8 (TensorRT support matrix, "Layers and precisions": IScaleLayer)."""

INTEGER_CONTRACTIONS = frozenset({
    "onnx.ConvInteger", "onnx.MatMulInteger", "onnx.QLinearConv", "onnx.QLinearMatMul", "com.microsoft.QLinearConv",
    "com.microsoft.QGemm", "com.microsoft.MatMulIntegerToFloat", "com.microsoft.DynamicQuantizeMatMul",
    "com.microsoft.QAttention", "com.microsoft.DynamicQuantizeLSTM",
})  # fmt: skip
"""Exported over 8-bit integers, whatever their other operands are."""

_QUANTIZE, _DEQUANTIZE = "onnx.QuantizeLinear", "onnx.DequantizeLinear"


def is_explicit(graph: Graph) -> bool:
    """Whether the graph says with Q/DQ where it is quantized."""
    return any(node.op in (_QUANTIZE, _DEQUANTIZE) for node in graph)


def quantized_precision(node: Node) -> str | None:
    """In what a contraction computes that reads both its operands through DequantizeLinear; None where it does not.

    Eight-bit integers are multiplied as such, and so are four-bit weights beside them (unpacked on the way); products
    of two FP8 tensors are computed in FP8. Other pairs are computed in floats, as weights alone in few bits are.
    """
    if node.op not in INT8_CONTRACTIONS or len(node.operands) < 2:
        return None
    stored = [_stored_as(operand) for operand in node.operands[:2]]
    if stored[0] in _BYTES and stored[1] in _BYTES | _NIBBLES:
        return "i8"
    return stored[0] if stored[0] in _FP8 and stored[1] in _FP8 else None


_BYTES, _NIBBLES = frozenset({"i8", "u8"}), frozenset({"i4", "u4"})
_FP8 = frozenset({"f8e4m3fn", "f8e5m2"})

_MOVES = frozenset(f"onnx.{name}" for name in ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"))
"""Q/DQ commute with what only moves elements ("VanillaSwapWithFollowingQ for pool/slice/reshape" in build logs)."""


def _stored_as(value: Value | None) -> str | None:
    """The type in which a tensor is stored before DequantizeLinear, seen through movements; None without one."""
    maker = None if value is None else value.producer
    while maker is not None and maker.op in _MOVES:
        value = maker.operand(0)
        maker = None if value is None else value.producer
    if maker is None or maker.op != _DEQUANTIZE:
        return None
    stored = maker.operand(0)
    return None if stored is None else dtype_of(stored)


def quantizable(graph: Graph, movable: set[Node]) -> set[Node]:
    """The nodes that compute in i8 once the network is calibrated, out of those whose types may change.

    Contractions do; passing nodes do where all they read is i8, and a value is i8 where its producer and all its
    readers are. That is the largest set which agrees with itself: it begins with every candidate, and each value that
    turns out not to be i8 takes those that pass it on out of the set. Linear in the edges.
    """
    chosen = {node for node in graph if node in movable and _is_candidate(node)}
    broken = {v for node in graph for v in _data(node) if not is_inside(v, chosen)}
    pending = [reader for value in broken for reader in value.readers]
    while pending:
        node = pending.pop()
        if node not in chosen or node.op in INT8_CONTRACTIONS:
            continue
        chosen.remove(node)
        newly = [value for value in (*_data(node), *node.results) if value not in broken]
        broken.update(newly)
        pending += [reader for value in newly for reader in value.readers]
    return chosen


def _is_candidate(node: Node) -> bool:
    if node.op in INT8_CONTRACTIONS:
        weight = node.operand(1)
        return weight is not None and is_constant(weight)
    return node.op in INT8_PASSING and bool(_data(node))


def _data(node: Node) -> list[Value]:
    """The floats that a node reads, weights aside."""
    return [value for value in node.inputs if dtype_of(value) in CALIBRATED_FROM and not value.is_weight]


def is_inside(value: Value, chosen: Set[Node]) -> bool:
    """Whether a value is in i8 where the chosen nodes compute in it: its producer and all its readers do."""
    return value.producer is not None and value.producer in chosen and all(reader in chosen for reader in value.readers)
