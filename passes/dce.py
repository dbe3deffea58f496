"""Dead code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph
from graphcost.pipeline import UNCHANGED, Change, Context, Pass

from .ledger import PRESERVED, Ledger, executed_graphs


@dataclass(frozen=True)
class RemoveDeadCode(Pass):
    """Remove nodes none of whose results is read, and weights that nobody reads.

    One sweep against the order of execution, so that what only dead nodes read goes too. Bodies of control flow are
    swept first. Inputs stay, read or not; what a body captures counts as read.

    Evidence: "dead-layer removal" is the first step of every TensorRT build log (8.5.10, 10.3).
    """

    name: ClassVar[str] = "dce"

    def run(self, graph: Graph, ctx: Context) -> Change:
        ledger = Ledger(self.name, graph, ctx)
        count = sum(_sweep(part, ledger) for part in executed_graphs(graph))
        ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


def _sweep(graph: Graph, ledger: Ledger) -> int:
    count = 0
    for node in reversed(graph):
        if not any(result.use_count for result in node.results):
            ledger.remove(node, "nobody reads what it gives")
            count += 1
    for weight in graph.weights:
        if not weight.use_count:
            graph.remove_weight(weight)
            count += 1
    return count
