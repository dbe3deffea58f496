"""Branches of which only one is ever taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from graphcost.ir import Graph, Node, Value, copy_node
from graphcost.origin import merge_origins
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.work.node import Work

from .ledger import PRESERVED, Ledger
from .values import FreshNames, is_output


@dataclass(frozen=True)
class InlineBranches(Pass):
    """Put the nodes of the branch that an If takes in its place, where the condition is known before the network runs:
    exporters write an If for ranks and sizes that a network of fixed shapes decides.

    Left alone: an If whose condition depends on data, and one that gives an output of the network which no node of the
    branch makes.

    Evidence: TensorRT's ONNX parser imports only the branch that a known condition takes (onnx-tensorrt, importer of
    If); its shape tensors are known where shapes are.
    """

    name: ClassVar[str] = "inline-branches"

    def run(self, graph: Graph, ctx: Context) -> Change:
        inlining = _Inlining(Ledger(self.name, graph, ctx))
        count = sum(map(inlining.visit, graph))
        inlining.ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


@dataclass
class _Inlining:
    ledger: Ledger
    names: FreshNames = field(default_factory=FreshNames)

    def visit(self, node: Node) -> int:
        """How many nodes are inlined: this one or those in its bodies, and what it brings out."""
        taken = _taken(node)
        if taken is None:
            return sum(self.visit(inner) for body in node.bodies for inner in body)
        if (kept := _why_kept(node, taken)) is not None:
            self.ledger.refuse(node, kept)
            return 0
        self.ledger.touch(node)
        self.ledger.touch_readers(node)
        self._forget_others(node, taken)
        outer = self._names_of(node, taken)
        outputs, news = taken.outputs, self._moved(taken, outer)
        for result, left in zip(node.results, outputs):
            _take_place(result, outer.get(left, left))
        reason = f"{taken.name} is always taken"
        if news:
            self.ledger.replace(node, news, reason)
        else:
            self.ledger.remove(node, reason)
        return 1 + sum(map(self.visit, news))

    def _forget_others(self, node: Node, taken: Graph) -> None:
        """Say of what stands in other branches that it never runs."""
        for body in node.bodies:
            if body is not taken and (gone := merge_origins(*(inner.origin for inner in body))):
                self.ledger.ctx.journal.removed(gone, f"{body.name} of {node.name} is never taken", Work())

    def _names_of(self, node: Node, taken: Graph) -> dict[Value, Value]:
        """What inputs and weights of the branch are outside of it."""
        graph = node.graph
        assert graph is not None
        outer = {inner: _bound(node, slot) for inner, slot in zip(taken.inputs, taken.binds)}
        for weight in taken.weights:
            copy = Value(self.names.unique(graph, weight.name), weight.type, weight.constant)
            outer[weight] = graph.add_weight(copy)
        for inner in taken:
            for result in inner.results:
                result.name = self.names.unique(graph, result.name)
        return outer

    def _moved(self, taken: Graph, outer: dict[Value, Value]) -> Sequence[Node]:
        """The nodes of the branch, taken out of it, over values outside; what they give are the same values as before,
        so that what is known of them still is."""
        inside, taken.outputs = list(taken), []
        operands = [[None if value is None else outer.get(value, value) for value in node.operands] for node in inside]
        for node in reversed(inside):
            taken.remove(node)
        return [copy_node(node, given, node.results) for node, given in zip(inside, operands)]


def _taken(node: Node) -> Graph | None:
    wanted = node.attrs.get("taken_branch") if node.op == "onnx.If" else None
    return next((body for body in node.bodies if body.name == wanted), None)


def _bound(node: Node, slot: int | None) -> Value:
    value = None if slot is None else node.operand(slot)
    assert value is not None, f"{node.name}: a branch reads operand {slot}, which is absent"
    return value


def _why_kept(node: Node, taken: Graph) -> str | None:
    for result, left in zip(node.results, taken.outputs):
        if is_output(result) and (left.producer is None or taken.outputs.count(left) > 1):
            return f"it alone makes output %{result.name}"
    return None


def _take_place(result: Value, source: Value) -> None:
    """`source` is read instead of `result`, and is called like it if that was an output."""
    if is_output(result):
        source.name, result.name = result.name, source.name
    result.replace_by(source)
