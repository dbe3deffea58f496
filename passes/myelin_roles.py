"""What Myelin makes of each node: which part it can play in one of its kernels."""

from __future__ import annotations

from graphcost.ir import Node, Value
from graphcost.kernels import kind_of
from graphcost.types import TensorType

from .views import VIEWS, dims_of

GEMM, ATTENTION, LAYOUT, ROWS, POINTWISE = "gemm", "attention", "layout", "rows", "pointwise"

NORMS = frozenset({
    "onnx.LayerNormalization", "onnx.GroupNormalization", "onnx.InstanceNormalization", "onnx.RMSNormalization",
    "onnx.SimplifiedLayerNormalization", "group.layer_norm", "group.rms_norm",
})  # fmt: skip

REDUCTIONS = frozenset({
    "onnx.ReduceL1", "onnx.ReduceL2", "onnx.ReduceLogSum", "onnx.ReduceLogSumExp", "onnx.ReduceMax",
    "onnx.ReduceMean", "onnx.ReduceMin", "onnx.ReduceProd", "onnx.ReduceSum", "onnx.ReduceSumSquare", "trt.reduce",
})  # fmt: skip
_SOFTMAX = frozenset({"onnx.Softmax", "onnx.LogSoftmax", "group.softmax"})
_STRIDED = VIEWS | {"onnx.Transpose", "onnx.Slice", "onnx.Split", "onnx.Expand"}
_COPIED = frozenset({"onnx.Concat", "onnx.Tile", "onnx.Pad", "onnx.Trilu", "onnx.Gather", "onnx.GatherElements"})
_UNKNOWN_TO_MYELIN = frozenset({"onnx.Dropout", "onnx.BitShift"})


def role_of(node: Node) -> str | None:
    """The part of a node; None for what Myelin leaves to others: convolutions, pooling, resizing, sorting, recurrent
    layers, control flow, and what implicit quantization computes in INT8 (NVIDIA/TensorRT#2323). That it quantizes in
    the kernel which makes the tensor, where Q/DQ stand in the network, is inferred."""
    calibrated = node.attrs.get("precision") == "i8" and node.op not in VIEWS and not _dequantizes(node)
    if calibrated or any(elements_of(value) is None for value in node.results):
        return None
    if is_strided(node):
        return LAYOUT
    if node.op in NORMS | _SOFTMAX | REDUCTIONS:
        return ROWS
    if node.op in _COPIED or node.op == "onnx.QuantizeLinear":
        return POINTWISE
    if node.op in _UNKNOWN_TO_MYELIN:
        return None
    kind = kind_of(node)
    return kind if kind in (GEMM, ATTENTION, POINTWISE) else None


def _dequantizes(node: Node) -> bool:
    """Whether Q/DQ of the network stand in a kernel, as they do where it computes in INT8 because they ask for it."""
    return any(inner.op == "onnx.DequantizeLinear" for body in node.bodies for inner in body)


def is_strided(node: Node) -> bool:
    """Whether a node only says where its result lies in its operand: views, transposes, parts, repetitions, and lookups
    of neighbours that are known (`qkv[0]`)."""
    if node.op != "onnx.Gather":
        return node.op in _STRIDED
    indices = node.operand(1)
    if indices is None or indices.constant is None or not indices.constant.values:
        return False
    numbers = [int(number) for number in indices.constant.values]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def elements_of(value: Value | None) -> int | None:
    """Number of elements, None where a dimension is not known."""
    dims = dims_of(value)
    if value is None or dims is None or not all(isinstance(dim, int) for dim in dims):
        return None
    return value.type.elements


def rows_of(node: Node) -> tuple[int, int]:
    """Over how many elements in how many rows a normalization, softmax or reduction works."""
    data, result = node.operand(0), node.results[0]
    elements = elements_of(data) or 0
    if node.op in REDUCTIONS:
        return elements, elements_of(result) or 0
    dims = dims_of(data) or (1,)
    length = dims[_axis(node, len(dims))]
    return elements, elements // length if isinstance(length, int) and length else 0


def _axis(node: Node, rank: int) -> int:
    """The axis along which rows lie; of several, one stands for all."""
    axes = node.attrs.get("axes", node.attrs.get("axis", -1))
    axis = axes[-1] if isinstance(axes, tuple) and axes else axes
    return axis if isinstance(axis, int) and -rank <= axis < rank else -1


def tensors_of(node: Node) -> list[Value]:
    """What a node reads, weights aside."""
    return [value for value in node.inputs if not value.is_weight and isinstance(value.type, TensorType)]
