"""In which type each node computes, and which type each value has in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node
from graphcost.operators import Operators
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.target import Target
from graphcost.types import FLOATS, TensorType
from graphcost.work.control import CONTROL
from graphcost.work.node import Work, node_work

from .int8 import INT8_CONTRACTIONS, INT8_PASSING, INTEGER_CONTRACTIONS, is_explicit, quantizable, quantized_precision
from .retype import dtype_of, retype_all

TF32_OPS = INT8_CONTRACTIONS | {
    "onnx.DeformConv", "onnx.Einsum", "onnx.Attention", "onnx.RNN", "onnx.GRU", "onnx.LSTM",
    "com.microsoft.FusedConv", "com.microsoft.FusedGemm", "com.microsoft.FusedMatMul",
    "com.microsoft.Attention", "com.microsoft.MultiHeadAttention", "com.microsoft.GroupQueryAttention",
}  # fmt: skip
"""Contractions: TF32 exists on tensor cores only, and those compute nothing else."""


@dataclass(frozen=True)
class AssignPrecision(Pass):
    """Decide in which type each node computes (attribute `precision`) and give values in memory the types that follow.

    Only float32 is decided about; other types stay as exported. What the target allows decides:

    - FP16: every described operator computes in f16. Values between nodes and weights become f16; inputs and outputs
      of the network, small constants, what crosses the border of control flow or of an undescribed operator, and the
      scales of Q/DQ stay f32.
    - TF32: contractions compute in tf32 over f32 values.
    - INT8: contractions with constant weights compute in i8, and so do activations, pooling, sums, concatenations and
      movements between them; a value is i8 where its producer and all its readers are. A graph with Q/DQ says itself
      where it is quantized: then only contractions behind DequantizeLinear compute in i8 (in FP8 behind FP8), and types
      stay. With `qdq_overrules_flags` that holds for every precision that the user asks for.
    - as exported: the types say.

    A node that has a `precision` keeps it, so a pass before this one can pin single layers. Bodies keep their logical
    types. MACs and elementwise operations stay the same, but for casts that lose their purpose, which are booked.

    Evidence: TensorRT chooses among the allowed types by timing; that it takes the narrowest is an approximation
    (tiny layers stay FP32 even under --best). Q/DQ are hard constraints whatever the flags say.
    """

    name: ClassVar[str] = "assign-precision"
    qdq_overrules_flags: bool = False

    def run(self, graph: Graph, ctx: Context) -> Change:
        epoch = graph.epoch
        rules, operators = rules_of(ctx.target, graph, self.qdq_overrules_flags), ctx.analyses.operators
        plan = _plan(graph, rules, operators)
        undecided = [node for node in plan if "precision" not in node.attrs]
        for node in undecided:
            node.set_attr("precision", plan[node])
            if (reason := _why_wider(node, plan[node], rules, operators)) is not None:
                ctx.journal.refused(self.name, node, reason)
        casts = {node: node_work(node, operators).work.elementwise_ops for node in graph if node.op in _CASTS}
        free = {node for node in graph if _is_free(node, operators)}
        retype_all(graph, plan, rules.fallback, free.__contains__)
        _book_casts(casts, ctx)
        if rules.calibrates and "i8" in plan.values():
            ctx.journal.warn("INT8: post-training calibration is assumed; accuracy is not examined")
        return Change(max(len(undecided), 1)) if graph.epoch != epoch else UNCHANGED


_CASTS = ("onnx.Cast", "onnx.CastLike")


def _why_wider(node: Node, precision: str, rules: Rules, operators: Operators) -> str | None:
    """Why a node of real numbers stays in a wider type than the user allows; None where it does not."""
    if precision not in ("f32", "tf32", "f16") or float_of(node) != "f32":
        return None
    if not _is_free(node, operators):
        fixed = "control flow" if node.op in CONTROL else "an operator that nobody described"
        return f"stays in {precision}: the types of {fixed} are not the builder's to choose" if rules.narrows else None
    if not rules.calibrates:
        return None
    if node.op in INT8_CONTRACTIONS:
        return f"stays in {precision}: its weight is not constant"
    why = "not all that it reads is INT8" if node.op in INT8_PASSING else f"{node.op} has no INT8 kernel"
    return f"stays in {precision}: {why}"


@dataclass(frozen=True)
class Rules:
    """What float32 becomes: in contractions, elsewhere, and whether INT8 is chosen (`calibrates`). `explicit` are the
    precisions in which Q/DQ may ask to compute."""

    contraction: str
    fallback: str
    calibrates: bool
    explicit: frozenset[str]

    @property
    def narrows(self) -> bool:
        """Whether anything narrower than FP32 is allowed."""
        return self.fallback == "f16" or self.calibrates


def rules_of(target: Target, graph: Graph, qdq_overrules_flags: bool = False) -> Rules:
    allowed = target.allowed()
    chooses = target.precision != "as-exported"
    fallback = "f16" if chooses and "f16" in allowed else "f32"
    contraction = "tf32" if fallback == "f32" and "tf32" in allowed else fallback
    calibrates = "i8" in allowed and chooses and not is_explicit(graph)
    asked = _computed(target) if qdq_overrules_flags or "i8" in allowed else frozenset[str]()
    return Rules(contraction, fallback, calibrates, asked)


_FP8 = frozenset({"f8e4m3fn", "f8e5m2"})
_FIRST_WITH_FP8 = (8, 9)
"""Ada; Hopper and later have it too (CUDA programming guide, table of tensor core types by compute capability)."""


def _computed(target: Target) -> frozenset[str]:
    """The narrow types that the hardware multiplies; all of them where no hardware is named."""
    device = target.device
    int8 = device is None or device.supports("i8")
    fp8 = device is None or device.compute_capability >= _FIRST_WITH_FP8
    return frozenset({"i8"} if int8 else ()) | (_FP8 if fp8 else frozenset())


def _plan(graph: Graph, rules: Rules, operators: Operators) -> dict[Node, str]:
    """The precision of every node; a node of unknown types has none."""
    pinned = {node: p for node in graph if isinstance(p := node.attrs.get("precision"), str)}
    undecided = [node for node in graph if node not in pinned]
    movable = {node for node in undecided if float_of(node) == "f32" and _is_free(node, operators)}
    int8 = quantizable(graph, movable) if rules.calibrates else set()
    plan = {node: _decide(node, movable, int8, rules) for node in undecided}
    return {**pinned, **{node: precision for node, precision in plan.items() if precision != "?"}}


def _decide(node: Node, movable: set[Node], int8: set[Node], rules: Rules) -> str:
    if node.op in INTEGER_CONTRACTIONS or node in int8:
        return "i8"
    if (quantized := quantized_precision(node)) in rules.explicit and quantized is not None:
        return quantized
    if node not in movable:
        return float_of(node) or _first_dtype(node)
    return rules.contraction if node.op in TF32_OPS else rules.fallback


def _is_free(node: Node, operators: Operators) -> bool:
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


def _first_dtype(node: Node) -> str:
    types = (value.type for value in (*node.results, *node.inputs))
    return next((kind.dtype for kind in types if isinstance(kind, TensorType)), "?")


def _book_casts(before: Mapping[Node, int], ctx: Context) -> None:
    """A cast between what are now two names of one type converts nothing any more."""
    for node, operations in before.items():
        saved = operations - node_work(node, ctx.analyses.operators).work.elementwise_ops
        if saved:
            ctx.journal.removed(node.origin, "both sides have one type at this precision", Work(elementwise_ops=saved))
