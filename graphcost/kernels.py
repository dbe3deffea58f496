"""Nodes → kernel queries: what a cost model is told about each node of the final graph."""

from __future__ import annotations

from collections.abc import Mapping

from .cost import KernelQuery
from .geometry import geometry_of
from .ir import Graph, Node, Value
from .operators import Operators, Relation
from .types import BITS, FLOATS, TensorType
from .work.node import NodeWork

_KINDS: Mapping[str, str] = {
    op: kind
    for kind, ops in {
        "conv": "Conv ConvInteger QLinearConv FusedConv NhwcConv NhwcFusedConv DeformConv",
        "deconv": "ConvTranspose",
        "gemm": "Gemm MatMul MatMulInteger QLinearMatMul Einsum FusedMatMul FusedGemm MatMulNBits QGemm "
        "DynamicQuantizeMatMul MatMulIntegerToFloat",
        "attention": "Attention MultiHeadAttention GroupQueryAttention QAttention attention",
        "rnn": "RNN GRU LSTM DynamicQuantizeLSTM",
        "pool": "MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool MaxUnpool MaxRoiPool "
        "QLinearAveragePool QLinearGlobalAveragePool",
        "reduce": "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
        "ReduceSumSquare ArgMax ArgMin CumSum CumProd",
        "softmax": "Softmax LogSoftmax Hardmax QLinearSoftmax softmax",
        "norm": "BatchNormalization InstanceNormalization LayerNormalization GroupNormalization RMSNormalization "
        "LpNormalization MeanVarianceNormalization LRN SkipLayerNormalization SimplifiedLayerNormalization "
        "SkipSimplifiedLayerNormalization EmbedLayerNormalization layer_norm rms_norm l2_norm",
        "copy": "Transpose Concat Split Slice Pad Tile Expand DepthToSpace SpaceToDepth Reshape Flatten Squeeze "
        "Unsqueeze Identity Trilu ReverseSequence Compress",
        "view": "concat_view slice_view",
        "gather": "Gather GatherElements GatherND Scatter ScatterElements ScatterND OneHot",
        "resize": "Resize RoiAlign GridSample AffineGrid Col2Im CenterCropPad",
        "reformat": "reformat noop",
        "quantize": "QuantizeLinear DequantizeLinear DynamicQuantizeLinear",
        "sort": "TopK Unique NonMaxSuppression NonZero BatchedNMSDynamic_TRT BatchedNMS_TRT EfficientNMS_TRT",
        "shape": "Shape Size",
        "control": "If Loop Scan SequenceMap",
        "random": "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli Multinomial",
    }.items()
    for op in ops.split()
}

_POINTWISE_WORLDS = frozenset({"onnx", "com.microsoft", "group", "grad", "loss", "optim"})

_HOST_OPS = frozenset({"onnx.Shape", "onnx.Size"})
"""Computed on the host while shapes are prepared: no kernel is launched. (TensorRT developer guide, shape tensors.)"""


def kind_of(node: Node) -> str:
    """The family of a node's kernel; what is not listed and computes on each element is `pointwise`.
    A fused kernel is of the family of what it is built around."""
    world, _, name = node.op.rpartition(".")
    if world == "trt" and node.bodies:
        return _kind_inside(node)
    kind = _KINDS.get(name)
    if kind == "conv":
        return _conv_kind(node)
    if kind is None:
        return "pointwise" if world in _POINTWISE_WORLDS else "other"
    return kind


def _kind_inside(node: Node) -> str:
    """The family of what a fused kernel is built around: as its attribute `family` says, else its first node that is
    more than elementwise, moving data counting less than anything else."""
    if isinstance(family := node.attrs.get("family"), str):
        return family
    kinds = list(dict.fromkeys(kind_of(inner) for body in node.bodies for inner in body))
    return min(kinds, key=lambda kind: _SIDE_KINDS.get(kind, 0), default="pointwise")


_SIDE_KINDS = {"gather": 1, "pointwise": 2, "quantize": 3, "copy": 4}
"""Families that do not name a fused kernel as long as it has another one inside."""


def _conv_kind(node: Node) -> str:
    group = node.attrs.get("group", 1)
    weight = node.operand(2 if node.op == "grad.Conv" else 1)
    dims = weight.type.dims if weight is not None and isinstance(weight.type, TensorType) else None
    if group == 1 or dims is None or len(dims) < 2:
        return "conv"
    return "depthwise" if group == dims[0] or dims[1] == 1 else "group-conv"


def phase_of(node: Node) -> str:
    """The part of a training step that a node belongs to: forward (as in inference), backward or optimizer."""
    phase = node.attrs.get("phase")
    return phase if isinstance(phase, str) else "forward"


def precision_of(node: Node) -> str:
    """What a node computes in: its attribute `precision` where a pass has decided, else the widest of the floating
    types that it reads and writes, else the type of its first result."""
    decided = node.attrs.get("precision")
    if isinstance(decided, str):
        return decided
    dtypes = [v.type.dtype for v in (*node.results, *node.inputs) if isinstance(v.type, TensorType)]
    floats = [dtype for dtype in dtypes if dtype in FLOATS]
    return max(floats, key=lambda dtype: BITS[dtype] or 0) if floats else (dtypes[0] if dtypes else "?")


def launches(node: Node, operators: Operators) -> bool:
    """False for a view, whose results all share the storage of an operand, and for what the host computes."""
    if node.op in _HOST_OPS:
        return False
    aliases = operators.aliases.get(node.op)
    if aliases is None:
        return True
    free = {a.result for a in aliases(node) if a.relation is not Relation.IN_PLACE}
    return len(free) < len(node.results)


def query_of(node: Node, work: NodeWork, operators: Operators) -> KernelQuery:
    """The question to the cost models about one node."""
    geometry = geometry_of(node)
    return KernelQuery(
        kind=kind_of(node),
        op=node.op,
        precision=precision_of(node),
        inputs=_tensors(node.inputs),
        outputs=_tensors(node.results),
        work=work.work,
        work_known=work.unknown is None,
        attrs=node.attrs,
        phase=phase_of(node),
        launches=launches(node, operators),
        contractions=geometry.contractions,
        epilogue=geometry.epilogue,
        window=geometry.window,
        steps=_steps(node),
    )


def _steps(node: Node) -> int:
    """The time steps of a recurrent layer: each needs the state that the one before it has made. TensorRT's ONNX parser
    makes a loop of it (onnx-tensorrt, RNNHelpers); that a pass of the loop is one launch is inferred."""
    first = node.operand(0) if kind_of(node) == "rnn" else None
    dims = first.type.dims if first is not None and isinstance(first.type, TensorType) else None
    length = dims[node.attrs.get("layout", 0) == 1] if dims is not None and len(dims) > 1 else 1
    return max(length, 1) if isinstance(length, int) else 1


def queries_of(graph: Graph, table: Mapping[Node, NodeWork], operators: Operators) -> list[KernelQuery]:
    """One query for each node of the graph, in execution order."""
    return [query_of(node, table[node], operators) for node in graph]


def _tensors(values: tuple[Value, ...]) -> tuple[TensorType, ...]:
    return tuple(v.type for v in values if isinstance(v.type, TensorType))
