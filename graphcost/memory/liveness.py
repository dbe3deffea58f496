"""Memory of one inference by liveness: what lies in memory while each node runs.

Counted are network inputs (from the first node to their last reader), network outputs (from their producer to the last
node) and everything between: activations. Weights are apart, since they stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from graphcost.ir import Graph, Node
from graphcost.operators import Operators

from .storage import Storage, Storages, occupancy, storages


@dataclass(frozen=True)
class MemoryProfile:
    """Activations over time, in bytes. Where a size is not known the figures are the least they can be."""

    storages: Storages
    timeline: tuple[int, ...]
    """Bytes of activations while each node runs: what it reads, what it writes, what others still need."""
    peak_activation_bytes: int
    peak_at: Node | None
    """The first node at which the peak is reached; None in a graph without nodes."""
    holders: tuple[Storage, ...]
    """The storages that make up the peak, the largest first."""
    weight_bytes: int
    """Distinct storages of weights that some node reads, in bodies too."""
    unknown: tuple[Storage, ...]
    """Storages whose size is not known."""

    @property
    def is_lower_bound(self) -> bool:
        return bool(self.unknown)


def liveness(graph: Graph, operators: Operators) -> MemoryProfile:
    """The memory profile of a graph, from the storages of its values."""
    return profile(storages(graph, operators), _inner_weight_bytes(graph))


def profile(plan: Storages, inner_weight_bytes: int = 0) -> MemoryProfile:
    """The memory profile of storages; `inner_weight_bytes` are weights that only bodies have."""
    active, weights = plan.activations, plan.weights
    timeline = occupancy(active, max(len(plan.nodes), 1))
    peak = max(timeline)
    time = timeline.index(peak)
    return MemoryProfile(
        storages=plan,
        timeline=tuple(timeline[: len(plan.nodes)]),
        peak_activation_bytes=peak,
        peak_at=plan.nodes[time] if plan.nodes else None,
        holders=_holders(active, time),
        weight_bytes=sum(w.size_bytes for w in weights) + inner_weight_bytes,
        unknown=tuple(p for p in (*active, *weights) if not p.is_sized),
    )


def _holders(active: Iterable[Storage], time: int) -> tuple[Storage, ...]:
    there = [p for p in active if p.first <= time <= p.last]
    return tuple(sorted(there, key=lambda piece: -piece.size_bytes))


def _inner_weight_bytes(graph: Graph) -> int:
    """Weights that belong to bodies."""
    bodies = [body for node in graph.walk() for body in node.bodies]
    return sum(w.type.size_bytes or 0 for body in bodies for w in body.weights if w.use_count)
