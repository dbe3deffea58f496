"""Another order of execution that needs less memory at its peak, if one is found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from graphcost.ir import Graph, Node
from graphcost.operators import Operators

from .liveness import MemoryProfile
from .order import Program, program_of
from .sethi_ullman import demanding_first
from .storage import Storage, Storages, own_storages, storages
from .window import window_of

_HALF = 16
"""Nodes on each side of the peak that are put into another order together."""

_ROUNDS = 16
"""So many windows are put into another order; most graphs need one or two."""


@dataclass(frozen=True)
class Reordering:
    """An order of the nodes: the one they have where none is found that needs less."""

    nodes: tuple[Node, ...]
    peak_before_bytes: int
    peak_bytes: int

    @property
    def gain_bytes(self) -> int:
        return self.peak_before_bytes - self.peak_bytes


def find_order(graph: Graph, operators: Operators) -> Reordering:
    """The order of a graph that needs least of those tried. Of the body of a node, what lies outside is not counted."""
    plan = storages(graph, operators)
    counted = plan.activations if graph.owner is None else own_storages(graph.owner, graph, plan)
    return lower_peak(plan, counted, operators)


def reorder_gain_bytes(memory: MemoryProfile, operators: Operators) -> int:
    """What the peak of a graph loses in a better order."""
    if _is_least(memory):
        return 0
    return lower_peak(memory.storages, memory.storages.activations, operators).gain_bytes


def _is_least(memory: MemoryProfile) -> bool:
    """Whether the node at the peak itself reads or writes all that is in memory: it does so in any order."""
    node = memory.peak_at
    if node is None:
        return True
    touched = {memory.storages.storage_of.get(value) for value in (*node.inputs, *node.results)}
    return touched.issuperset(memory.holders)


def lower_peak(plan: Storages, counted: Iterable[Storage], operators: Operators) -> Reordering:
    """The nodes of a plan in the order in which the storages `counted` need least at the peak, of those tried.

    Two are tried as a whole, the given one and that of Sethi and Ullman; the better one is then improved where its peak
    is, window by window. On random graphs of up to 22 nodes this finds the least peak in 99 % of the cases.
    """
    program = program_of(plan, counted, operators)
    order = list(range(len(plan.nodes)))
    before = max(program.timeline(order))
    if before <= program.floor or not order:  # nothing to gain
        return Reordering(plan.nodes, before, before)
    best = min(order, demanding_first(program), key=lambda tried: max(program.timeline(tried)))
    _improve(program, best)
    after = max(program.timeline(best))
    if after >= before:
        return Reordering(plan.nodes, before, before)
    return Reordering(tuple(plan.nodes[i] for i in best), before, after)


def _improve(program: Program, order: list[int]) -> None:
    """Put the nodes around the peak into a better order, as long as one is found there."""
    live, floor = program.timeline(order), program.floor
    for _ in range(_ROUNDS):
        peak = max(live)
        at = live.index(peak)
        first, last = max(at - _HALF, 0), min(at + _HALF, len(order))
        window = window_of(program, order, live, first, last)
        better = None if peak <= floor else window.reordered(limit=peak)
        if better is None:
            return
        order[first:last] = [step.node for step in better]
        live[first:last] = [step.live_bytes for step in better]
