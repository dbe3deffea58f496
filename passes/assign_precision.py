"""In which type each node computes, and which type each value has in memory."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node
from graphcost.operators import Operators
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import TensorType
from graphcost.work.node import Work, node_work

from .fallbacks import Falls, Floats
from .int8 import INTEGER_CONTRACTIONS, is_explicit, quantized_precision
from .precisions import Rules, calibrated, float_of, is_free, precisions_of
from .retype import retype_all


@dataclass(frozen=True)
class AssignPrecision(Pass):
    """Decide in which type each node computes (attribute `precision`) and give values in memory the types that follow.

    Only float32 is decided about; other types stay as exported, but for INT8, which calibration brings to networks that
    were exported in FP16 too. What the target allows decides:

    - FP16: every described operator computes in f16. Values between nodes and weights become f16; inputs and outputs
      of the network, small constants, what crosses the border of control flow or of an undescribed operator, and the
      scales of Q/DQ stay f32.
    - TF32: contractions compute in tf32 over f32 values. Without `tf32_products` only convolutions do, until TF32 is
      asked for by name: PyTorch since 1.12 (`torch.backends.cuda.matmul.allow_tf32` is False, that of cuDNN True).
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
    tf32_products: bool = True

    def run(self, graph: Graph, ctx: Context) -> Change:
        epoch = graph.epoch
        operators = ctx.analyses.operators
        rules = precisions_of(ctx.target, graph, self.qdq_overrules_flags, self.tf32_products)
        floats = {node: float_of(node) for node in graph}
        free = {node for node in graph if is_free(node, operators)}
        plan = _plan(graph, rules, floats, free, operators)
        undecided = [node for node in plan if "precision" not in node.attrs]
        why_wider = Falls(ctx.target, rules, is_explicit(graph), floats, free)
        for node in undecided:
            node.set_attr("precision", plan[node])
            if (fall := why_wider(node, plan[node])) is not None:
                ctx.journal.fell_back(self.name, node, *fall)
        casts = {node: node_work(node, operators).work.elementwise_ops for node in graph if node.op in _CASTS}
        retype_all(graph, plan, rules.fallback, free.__contains__)
        _book_casts(casts, ctx)
        if rules.calibrates and "i8" in plan.values():
            ctx.journal.warn("INT8: post-training calibration is assumed; accuracy is not examined")
        return Change(max(len(undecided), 1)) if graph.epoch != epoch else UNCHANGED


_CASTS = ("onnx.Cast", "onnx.CastLike")


def _plan(graph: Graph, rules: Rules, floats: Floats, free: Set[Node], operators: Operators) -> dict[Node, str]:
    """The precision of every node; a node of unknown types has none."""
    pinned = {node: p for node in graph if isinstance(p := node.attrs.get("precision"), str)}
    undecided = [node for node in graph if node not in pinned]
    movable = {node for node in undecided if floats[node] == "f32" and node in free}
    int8 = calibrated(graph, operators) if rules.calibrates else set()
    plan = {node: _decide(node, movable, int8, rules, floats) for node in undecided}
    return {**pinned, **{node: precision for node, precision in plan.items() if precision != "?"}}


def _decide(node: Node, movable: set[Node], int8: set[Node], rules: Rules, floats: Floats) -> str:
    if node.op in INTEGER_CONTRACTIONS or node in int8:
        return "i8"
    if (quantized := quantized_precision(node)) in rules.explicit and quantized is not None:
        return quantized
    if node not in movable:
        return floats[node] or _first_dtype(node)
    return rules.of(node.op)


def _first_dtype(node: Node) -> str:
    types = (value.type for value in (*node.results, *node.inputs))
    return next((kind.dtype for kind in types if isinstance(kind, TensorType)), "?")


def _book_casts(before: Mapping[Node, int], ctx: Context) -> None:
    """A cast between what are now two names of one type converts nothing any more."""
    for node, operations in before.items():
        saved = operations - node_work(node, ctx.analyses.operators).work.elementwise_ops
        if saved:
            ctx.journal.removed(node.origin, "both sides have one type at this precision", Work(elementwise_ops=saved))
