"""Nodes that compute the same twice."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass

from .fold_shapes import QUANTIZERS, RANDOM
from .ledger import PRESERVED, Ledger
from .values import is_output

_KEPT = RANDOM | QUANTIZERS


@dataclass(frozen=True)
class MergeDuplicates(Pass):
    """Of nodes with the same operator, attributes and operands keep the first one; its results are read instead.

    Operands are the same when they are one value, or weights whose numbers are known and equal: weights that the
    importer did not read may differ. Kept: what gives an output of the network, random numbers, control flow and other
    nodes with bodies, and Q/DQ, which have passes of their own.

    Evidence: "After dupe layer removal" in TensorRT's build logs (8.5.10, 10.3).
    """

    name: ClassVar[str] = "merge-duplicates"

    def run(self, graph: Graph, ctx: Context) -> Change:
        ledger = Ledger(self.name, graph, ctx)
        first: dict[Hashable, Node] = {}
        count = 0
        for node in graph:
            if node.bodies or node.op in _KEPT:
                continue
            twin = first.setdefault(_content(node), node)
            count += twin is not node and _merge(node, twin, ledger)
        ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


def _content(node: Node) -> Hashable:
    """What makes two nodes the same."""
    attrs = frozenset((key, _frozen(value)) for key, value in node.attrs.items())
    return node.op, attrs, tuple(map(_identity, node.operands)), tuple(result.type for result in node.results)


def _frozen(attr: object) -> Hashable:
    return attr if isinstance(attr, Hashable) else repr(attr)


def _identity(value: Value | None) -> Hashable:
    """The value, or the numbers of a weight that are known."""
    if value is None or not value.is_weight or value.constant is None:
        return value
    return value.type, value.constant


def _merge(node: Node, twin: Node, ledger: Ledger) -> bool:
    if any(map(is_output, node.results)):
        ledger.refuse(node, f"it computes the same as {twin.name}, but the network gives out its result")
        return False
    ledger.touch_readers(node)
    for result, same in zip(node.results, twin.results):
        result.replace_by(same)
    ledger.remove(node, f"{twin.name} computes the same")
    return True
