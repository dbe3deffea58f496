"""Constant folding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.analyses import VALUES
from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.shapes import Facts
from graphcost.types import TensorType

from .ledger import PRESERVED, Ledger, executed_graphs
from .training.parameters import following
from .values import constant_of, is_known, is_output

_MIB = 1 << 20

RANDOM = frozenset({
    "onnx.RandomNormal", "onnx.RandomNormalLike", "onnx.RandomUniform", "onnx.RandomUniformLike", "onnx.Bernoulli",
    "onnx.Multinomial", "onnx.Dropout",
})  # fmt: skip
"""What gives something else each time it runs (Dropout in training; otherwise it is no operation at all)."""

QUANTIZERS = frozenset({"onnx.QuantizeLinear", "onnx.DequantizeLinear", "onnx.DynamicQuantizeLinear"})
"""Over a weight they say in which precision it is used; folded, they could tell no later pass."""


@dataclass(frozen=True)
class FoldShapes(Pass):
    """Turn what is known before the network runs into weights.

    Folded are nodes whose results are known by propagation (whole shape computations: Shape, Gather, Concat, …) and
    nodes that read only weights, whatever their size. Random numbers, Q/DQ and control flow are never folded, nor what
    gives an output of the network, nor what would add more than `max_growth_bytes` to the weights (an Expand, Tile or
    ConstantOfShape whose result is far larger than its operands).

    With `keep_parameters` no floating-point result of parameters is folded: training changes them.

    Evidence: ConstShuffleFusion and ConstEltFusion in TensorRT's build logs; shape tensors are computed on the host.
    """

    name: ClassVar[str] = "fold-shapes"
    max_growth_bytes: int = 64 * _MIB
    keep_parameters: bool = False

    def run(self, graph: Graph, ctx: Context) -> Change:
        facts, ledger = ctx.get(VALUES), Ledger(self.name, graph, ctx)
        learnt = following(graph) if self.keep_parameters else set()
        nodes = [node for part in executed_graphs(graph) for node in part if node not in learnt]
        count = sum(self._fold(node, facts, ledger) for node in nodes)
        ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED

    def _fold(self, node: Node, facts: Facts, ledger: Ledger) -> bool:
        reason = _why_known(node, facts)
        if reason is None:
            return False
        if (kept := self._why_kept(node)) is not None:
            ledger.refuse(node, kept)
            return False
        ledger.touch(node)
        ledger.touch_readers(node)
        for result in _read(node):
            _become_weight(node, result, facts)
        ledger.remove(node, reason)
        return True

    def _why_kept(self, node: Node) -> str | None:
        for result in _read(node):
            if is_output(result):
                return f"%{result.name} is an output"
        growth = sum(_bytes(v) for v in _read(node)) - sum(_bytes(v) for v in node.inputs)
        if growth > self.max_growth_bytes:
            return f"as a weight its result would take {growth / _MIB:.3g} MiB more than what it is made from"
        return None


def _read(node: Node) -> list[Value]:
    return [result for result in node.results if result.use_count]


def _why_known(node: Node, facts: Facts) -> str | None:
    """Why the results are known before the network runs; None where they are not."""
    read = _read(node)
    if not read:
        return None
    if all(is_known(facts, result) for result in read):
        return "its value is known before the network runs"
    if _reads_only_weights(node) and all(_is_sized(result) for result in read):
        return "it reads only weights, so it is computed once"
    return None


def _reads_only_weights(node: Node) -> bool:
    pure = node.op.startswith("onnx.") and node.op not in RANDOM and node.op not in QUANTIZERS and not node.bodies
    return pure and bool(node.inputs) and all(value.is_weight for value in node.inputs)


def _is_sized(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.is_static and value.type.size_bytes is not None


def _bytes(value: Value) -> int:
    return value.type.size_bytes or 0


def _become_weight(node: Node, result: Value, facts: Facts) -> None:
    """The value keeps its name and its readers; but another name for a weight makes no second one."""
    graph, source = result.graph, node.operand(0)
    assert graph is not None
    if node.op == "onnx.Identity" and source is not None and source.is_weight:
        result.replace_by(source)
        return
    result.constant = constant_of(facts, result)
    graph.add_weight(result)
