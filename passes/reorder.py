"""The order of execution."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from graphcost.analyses import VALUES, WORK
from graphcost.ir import Graph, Node
from graphcost.memory import Reordering, find_order
from graphcost.pipeline import UNCHANGED, Change, Context, Pass

from .ledger import executed_graphs


@dataclass(frozen=True)
class Reorder(Pass):
    """Run the nodes in an order in which fewer bytes of activations are needed at the peak, where one is found.

    Nothing else changes, and where no better order is found nothing at all. What a node overwrites is read before.
    Bodies of control flow are put in order first.

    Evidence: none that a runtime does it. The pass tells what the model would need if it were exported in that order.
    """

    name: ClassVar[str] = "reorder"

    def run(self, graph: Graph, ctx: Context) -> Change:
        count = sum(_reorder(part, ctx) for part in executed_graphs(graph))
        return Change(count, frozenset({WORK, VALUES})) if count else UNCHANGED


def _reorder(graph: Graph, ctx: Context) -> int:
    found = find_order(graph, ctx.analyses.operators)
    if not found.gain_bytes:
        return 0
    moved = _bring_into(graph, found.nodes)
    for node in moved:
        ctx.journal.did(Reorder.name, node, _why(found))
    return len(moved)


def _why(found: Reordering) -> str:
    return f"it runs elsewhere, so that the peak falls from {found.peak_before_bytes:,} to {found.peak_bytes:,} bytes"


def _bring_into(graph: Graph, order: Sequence[Node]) -> list[Node]:
    """Move as few nodes as can be; those that moved, in execution order."""
    stay = _longest_run(graph, order)
    moved = [node for node in order if node not in stay]
    after: Node | None = None
    for node in reversed(order):
        if node not in stay:
            _move(graph, node, after)
        after = node
    return moved


def _move(graph: Graph, node: Node, after: Node | None) -> None:
    """Run `node` just before `after`, or last."""
    if after is None:
        after = next(reversed(graph))
        graph.move_before(after, node)
        after, node = node, after
    graph.move_before(after, node)


def _longest_run(graph: Graph, order: Sequence[Node]) -> set[Node]:
    """The most nodes of `order` that follow each other in the graph as they do there: a longest increasing
    subsequence, by patience sorting."""
    now = {node: time for time, node in enumerate(graph)}
    ends: list[int] = []
    last: list[Node] = []
    earlier: dict[Node, Node | None] = {}
    for node in order:
        length = bisect_left(ends, now[node])
        earlier[node] = last[length - 1] if length else None
        ends[length : length + 1] = [now[node]]
        last[length : length + 1] = [node]
    run: set[Node] = set()
    node_or_none = last[-1] if last else None
    while node_or_none is not None:
        run.add(node_or_none)
        node_or_none = earlier[node_or_none]
    return run
