"""Where INT8 runs: by choice (calibration) or because Q/DQ in the graph ask for it."""

from __future__ import annotations

from graphcost.ir import Graph, Node, Value

from .channelwise import is_constant
from .retype import dtype_of

INT8_CONTRACTIONS = frozenset({"onnx.Conv", "onnx.ConvTranspose", "onnx.Gemm", "onnx.MatMul"})
"""With a constant weight these have INT8 kernels. A product of two activations stays in floats: calibrated networks
keep their attention out of INT8 (inferred from TensorRT's statements that such fusions need Q/DQ)."""

_PASSING = (
    "Relu LeakyRelu PRelu Clip Sigmoid Tanh HardSigmoid HardSwish Elu Softplus Mish Swish Add Sub Mul Sum Max Min"
    " MaxPool AveragePool GlobalAveragePool GlobalMaxPool Resize Concat Split Slice Pad Identity"
    " Reshape Flatten Squeeze Unsqueeze Transpose DepthToSpace SpaceToDepth"
)
INT8_PASSING = frozenset(f"onnx.{name}" for name in _PASSING.split())
"""Activations, pointwise operations, pooling and movements: they pass INT8 on where all they read is INT8. Seen in
layer lists of calibrated engines (`PWN(…)`, ConvActPool, Concat retargeting in INT8)."""

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


def is_quantized(node: Node) -> bool:
    """Whether a contraction reads both its operands through DequantizeLinear."""
    return node.op in INT8_CONTRACTIONS and all(_is_dequantized(operand) for operand in node.operands[:2])


def _is_dequantized(value: Value | None) -> bool:
    return value is not None and value.producer is not None and value.producer.op == _DEQUANTIZE


def quantizable(graph: Graph, movable: set[Node]) -> set[Node]:
    """The nodes that compute in i8 once the network is calibrated, out of those whose types may change.

    Contractions do; passing nodes do where all they read is i8, and a value is i8 where its producer and all its
    readers are. That is the largest set which agrees with itself: it begins with every candidate, and each value that
    turns out not to be i8 takes those that pass it on out of the set. Linear in the edges.
    """
    chosen = {node for node in graph if node in movable and _is_candidate(node)}
    broken = {v for node in graph for v in _data(node) if not _is_inside(v, chosen)}
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
    return [value for value in node.inputs if dtype_of(value) == "f32" and not value.is_weight]


def _is_inside(value: Value, chosen: set[Node]) -> bool:
    return value.producer is not None and value.producer in chosen and all(reader in chosen for reader in value.readers)
