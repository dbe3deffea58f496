"""Concatenations of concatenations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass

from .ledger import PRESERVED, Ledger, executed_graphs
from .views import dims_of

_CONCAT = "onnx.Concat"


@dataclass(frozen=True)
class MergeConcats(Pass):
    """Let a Concat read what another Concat along the same axis reads, where nobody else reads that other one.

    Evidence: TensorRT writes the inputs of a Concat straight into its buffer ("Eliminating concatenation" in build
    logs), so a buffer inside another is not copied; that nested ones count as one is inferred.
    """

    name: ClassVar[str] = "merge-concats"

    def run(self, graph: Graph, ctx: Context) -> Change:
        ledger = Ledger(self.name, graph, ctx)
        nodes = (node for part in executed_graphs(graph) for node in part)
        count = sum(_merge(node, ledger) for node in nodes if node.op == _CONCAT)
        ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


def _merge(node: Node, ledger: Ledger) -> int:
    """Inner ones stand earlier and are flat already. Returns how many were taken in."""
    inner = [value.producer for value in node.inputs if _is_mergeable(value, node)]
    if not inner:
        return 0
    ledger.touch(node)
    node.set_operands([part for value in node.operands for part in _parts(value, node)])
    for concat in inner:
        assert concat is not None
        ledger.remove(concat, f"merged into {node.name}")
    return len(inner)


def _parts(value: Value | None, node: Node) -> tuple[Value | None, ...]:
    return value.producer.operands if value is not None and value.producer and _is_mergeable(value, node) else (value,)


def _is_mergeable(value: Value, node: Node) -> bool:
    maker = value.producer
    if maker is None or maker.op != _CONCAT or value.use_count > 1:
        return False
    return _axis(maker) == _axis(node) is not None


def _axis(concat: Node) -> int | None:
    axis, dims = concat.attrs.get("axis"), dims_of(concat.results[0])
    return axis % len(dims) if isinstance(axis, int) and dims else None
