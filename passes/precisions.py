"""What float32 may become on a target, and which nodes it may be decided about."""

from __future__ import annotations

from dataclasses import dataclass

from graphcost.ir import Graph, Node
from graphcost.operators import Operators
from graphcost.target import Target
from graphcost.types import FLOATS
from graphcost.work.control import CONTROL

from .int8 import INT8_CONTRACTIONS, is_explicit, quantizable
from .retype import CALIBRATED_FROM, dtype_of

TF32_OPS = INT8_CONTRACTIONS | {
    "onnx.DeformConv", "onnx.Einsum", "onnx.Attention", "onnx.RNN", "onnx.GRU", "onnx.LSTM",
    "com.microsoft.FusedConv", "com.microsoft.FusedGemm", "com.microsoft.FusedMatMul",
    "com.microsoft.Attention", "com.microsoft.MultiHeadAttention", "com.microsoft.GroupQueryAttention",
}  # fmt: skip
"""Contractions: TF32 exists on tensor cores only, and those compute nothing else."""

CONVOLUTIONS = frozenset({"onnx.Conv", "onnx.ConvTranspose", "onnx.DeformConv", "com.microsoft.FusedConv"})


@dataclass(frozen=True)
class Rules:
    """What float32 becomes: in convolutions, in matrix products, elsewhere; and whether INT8 is chosen (`calibrates`).
    `explicit` are the precisions in which Q/DQ may ask to compute."""

    convolution: str
    product: str
    fallback: str
    calibrates: bool
    explicit: frozenset[str]

    @property
    def narrows(self) -> bool:
        """Whether anything narrower than FP32 is allowed."""
        return self.fallback == "f16" or self.calibrates

    def of(self, op: str) -> str:
        """What float32 becomes in an operator."""
        if op not in TF32_OPS:
            return self.fallback
        return self.convolution if op in CONVOLUTIONS else self.product

    def without_int8(self, node: Node) -> str:
        """In what a node computes that calibration does not bring to INT8: what was exported in FP16 stays in it."""
        return "f16" if float_of(node) == "f16" else self.of(node.op)


def precisions_of(
    target: Target, graph: Graph, qdq_overrules_flags: bool = False, tf32_products: bool = True
) -> Rules:
    """What the target allows. Without `tf32_products` matrix products stay in FP32 until TF32 is asked for by name."""
    allowed = target.allowed()
    chooses = target.precision != "as-exported"
    fallback = "f16" if chooses and "f16" in allowed else "f32"
    contraction = "tf32" if fallback == "f32" and "tf32" in allowed else fallback
    calibrates = "i8" in allowed and chooses and not is_explicit(graph)
    asked = computed_types(target) if qdq_overrules_flags or "i8" in allowed else frozenset[str]()
    stays = contraction == "tf32" and target.precision != "tf32" and not tf32_products
    return Rules(contraction, "f32" if stays else contraction, fallback, calibrates, asked)


_FP8 = frozenset({"f8e4m3fn", "f8e5m2"})
_FIRST_WITH_FP8 = (8, 9)
"""Ada; Hopper and later have it too (CUDA programming guide, table of tensor core types by compute capability)."""


def computed_types(target: Target) -> frozenset[str]:
    """The narrow types that the hardware multiplies; all of them where no hardware is named."""
    device = target.device
    int8 = device is None or device.supports("i8")
    fp8 = device is None or device.compute_capability >= _FIRST_WITH_FP8
    return frozenset({"i8"} if int8 else ()) | (_FP8 if fp8 else frozenset())


def calibrated(graph: Graph, operators: Operators) -> set[Node]:
    """The nodes that compute in i8 once the network is calibrated: of those that no pass has decided about."""
    undecided = (node for node in graph if "precision" not in node.attrs and is_free(node, operators))
    return quantizable(graph, {node for node in undecided if float_of(node) in CALIBRATED_FROM})


def is_free(node: Node, operators: Operators) -> bool:
    """Whether the types of a node may change: those of control flow belong to its bodies, and of an operator that
    nobody described nobody knows what else it could take."""
    return node.op not in CONTROL and (node.op in operators.work or bool(node.bodies))


def float_of(node: Node) -> str | None:
    """The floating type of which a node reads and writes most, weights aside; None where it handles none."""
    sizes: dict[str, int] = {}
    for value in (*node.results, *node.inputs):
        dtype = dtype_of(value)
        if dtype in FLOATS and not value.is_weight:
            sizes[dtype] = sizes.get(dtype, 0) + (value.type.elements or 0)
    return max(sizes, key=lambda dtype: sizes[dtype]) if sizes else None
