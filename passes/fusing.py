"""What the fusion passes share: how nodes fit into one kernel, and what the kernel is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import UNCHANGED, Change, Context
from graphcost.rewrite import FusionRule, Match, apply_rules, rules_for
from graphcost.types import FLOATS, Attr, TensorType

from .ledger import PRESERVED, Ledger

CONVOLUTIONS = frozenset({"onnx.Conv", "onnx.ConvTranspose"})

POINTWISE = frozenset({
    "onnx.Abs", "onnx.Add", "onnx.Ceil", "onnx.Celu", "onnx.Clip", "onnx.Cos", "onnx.Div", "onnx.Elu", "onnx.Erf",
    "onnx.Exp", "onnx.Floor", "onnx.Gelu", "onnx.HardSigmoid", "onnx.HardSwish", "onnx.LeakyRelu", "onnx.Log",
    "onnx.Max", "onnx.Min", "onnx.Mish", "onnx.Mul", "onnx.Neg", "onnx.Pow", "onnx.Reciprocal", "onnx.Relu",
    "onnx.Round", "onnx.Selu", "onnx.Sigmoid", "onnx.Sin", "onnx.Softplus", "onnx.Softsign", "onnx.Sqrt", "onnx.Sub",
    "onnx.Sum", "onnx.Swish", "onnx.Tanh", "onnx.ThresholdedRelu", "group.gelu",
})  # fmt: skip
"""Activations, elementwise and unary layers: what a pointwise kernel can compute."""

PWN = "trt.pointwise"


def fuse(name: str, graph: Graph, rules: tuple[FusionRule, ...], ctx: Context) -> Change:
    """Apply the rules that hold for the target, and book what no longer goes through memory, for the pass named."""
    ledger = Ledger(name, graph, ctx)
    applied = apply_rules(graph, rules_for(rules, ctx.target), ctx.journal, ledger.book)
    ledger.close()
    return Change(applied.count, PRESERVED) if applied.count else UNCHANGED


def anchor_precision(match: Match) -> Mapping[str, Attr]:
    """A kernel computes in the precision of its anchor."""
    precision = match.named["anchor"].attrs.get("precision")
    return {} if precision is None else {"precision": precision}


def nested(nodes: Sequence[Node]) -> str:
    """The name of a pointwise nest: `PWN(PWN(a), b)`, each kernel among the nodes by its own name."""
    name = ""
    for node in nodes:
        if node.op == PWN:
            name = f"PWN({name}, {node.name})" if name else node.name
        else:
            name = f"PWN({name}, {node.name})" if name else f"PWN({node.name})"
    return name


def is_elementwise(node: Node) -> bool:
    """Whether each element of the floating-point result depends on one element of each operand, or on a scalar."""
    kind = node.results[0].type
    if len(node.results) != 1 or not isinstance(kind, TensorType) or kind.dtype not in FLOATS | {"i8"}:
        return False
    return kind.dims is not None and all(_fits(value, kind) for value in node.inputs)


def _fits(value: Value, kind: TensorType) -> bool:
    found = value.type
    return isinstance(found, TensorType) and (found.dims == kind.dims or (value.is_weight and found.elements == 1))
