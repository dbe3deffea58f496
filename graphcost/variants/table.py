"""Variants → what each costs: graphs from a skeleton where that was tried, kernels estimated in one call."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from graphcost.analyses import MEMORY
from graphcost.api import collector_paused
from graphcost.cost import Cost, KernelQuery
from graphcost.errors import UserError
from graphcost.intervals import total_interval_ms
from graphcost.ir import Graph
from graphcost.pipeline import Context
from graphcost.work.node import NodeWork

from .counting import Counter
from .decided import Decided, alignment
from .network import Network, Numbers
from .skeleton import Skeleton, skeleton
from .variant import Variant

PROBES = 10
"""Graphs that are made in full at random, beside one for each thing that varies."""

TRIALS = 4
"""Further graphs with which a skeleton has to agree."""

WORTH = 3
"""So many times as many variants as graphs made in full: below, a skeleton saves nothing."""


HELD = 4
"""So many points of a group are decided by themselves, to see whether what one decides holds for the others."""

SAME = 0.005
"""Latencies that differ by less cost the same."""


@dataclass(frozen=True)
class VariantCost:
    """The totals of a variant, as in a report; None is unknown."""

    variant: Variant
    latency_ms: float | None
    latency_low_ms: float | None
    latency_high_ms: float | None
    macs: int
    flops: int
    bytes_read: int
    bytes_written: int
    weight_bytes: int
    peak_activation_bytes: int | None


@dataclass(frozen=True)
class _Counted:
    """A variant whose kernels are known but not yet estimated."""

    queries: list[KernelQuery]
    work: list[NodeWork]
    weight_bytes: int
    peak_activation_bytes: int | None


@collector_paused()
def cost_variants(network: Network, variants: Sequence[Variant]) -> list[VariantCost]:
    """The cost of each, in order. Raises a UserError for a variant that the network cannot take."""
    points = [network.numbers(variant) for variant in variants]
    counted = [_counted(made, network) for made in _made(network, points)]
    costs = iter(network.setup.estimate([query for each in counted for query in each.queries]))
    return [_cost(network, v, each, [next(costs) for _ in each.queries]) for v, each in zip(variants, counted)]


@dataclass(frozen=True)
class _Made:
    """A graph of kernels, of which one may serve several points: use it before asking for the next."""

    graph: Graph
    ctx: Context
    counter: Counter


def _made(network: Network, points: Sequence[Numbers]) -> Iterator[_Made]:
    """The graph of kernels at each point."""
    found = _skeleton(network, points)
    if found is None:
        yield from (_in_full(network, point) for point in points)
        return
    rows, believed = found.numbers(points)
    alike = _Alike(network, found, [point for point, whole in zip(points, believed) if whole])
    for point, row, whole in zip(points, rows.tolist(), believed):
        yield alike.at(point, row) if whole else _in_full(network, point)


def _in_full(network: Network, point: Numbers) -> _Made:
    return _Made(*network.finished(network.early(point)), Counter(network.setup.registry.operators))


class _Alike:
    """Graphs from a skeleton; formats and kernels decided once for points that are aligned alike, where that holds."""

    def __init__(self, network: Network, found: Skeleton, points: Sequence[Numbers]) -> None:
        self._network = network
        self._skeleton = found
        self._counter = Counter(network.setup.registry.operators)
        self._decided: dict[Hashable, Decided | None] = {}
        groups: dict[Hashable, list[Numbers]] = {}
        for point in points if network.has_late_stages else ():
            groups.setdefault(alignment(point), []).append(point)
        for key, members in groups.items():
            if len(members) > WORTH * HELD:
                self._decided[key] = self._decide(members)

    def at(self, point: Numbers, row: Sequence[int]) -> _Made:
        decided = self._decided.get(alignment(point))
        if decided is None:
            return self._by_itself(row)
        decided.set(row, self._skeleton.places)
        return _Made(decided.graph, decided.context(self._network), self._counter)

    def _by_itself(self, row: Sequence[int]) -> _Made:
        self._skeleton.set(row)
        return _Made(*self._network.finished(self._skeleton.graph), self._counter)

    def _decide(self, members: Sequence[Numbers]) -> Decided | None:
        """What one of the points decides, where others would decide what costs the same."""
        first, *others = Random(2).sample(list(members), HELD)
        rows = self._skeleton.numbers([first, *others])[0].tolist()
        self._skeleton.set(rows[0])
        decided = Decided.of(self._network, self._skeleton.graph)
        if decided is None or not all(self._holds(decided, row) for row in rows):
            return None
        return decided

    def _holds(self, decided: Decided, row: Sequence[int]) -> bool:
        own_ms = self._latency_ms(self._by_itself(row).graph)
        decided.set(row, self._skeleton.places)
        taken_ms = self._latency_ms(decided.graph)
        return own_ms == taken_ms or bool(own_ms and taken_ms and abs(taken_ms / own_ms - 1) <= SAME)

    def _latency_ms(self, graph: Graph) -> float | None:
        return _sum(self._network.setup.estimate([query for _, query in self._counter.count(graph)]))


def _skeleton(network: Network, points: Sequence[Numbers]) -> Skeleton | None:
    """None where there are few variants, or where their graphs differ in more than numbers."""
    probes = list(_probes(points))
    if WORTH * (len(probes) + TRIALS) > len(points):
        return None
    try:
        made = skeleton(probes, [network.early(probe) for probe in probes])
    except UserError:
        return None  # channels that only fit each other, which are not varied one by one: each variant is made in full
    trials = Random(1).sample(list(points), TRIALS)
    if made is None or not all(made.agrees(trial, network.early(trial)) for trial in trials):
        return None
    network.verify(made.graph)
    return made


def _probes(points: Sequence[Numbers]) -> Iterator[dict[str, int]]:
    """Each thing that varies by itself, then all of them at random; the same each time."""
    values = {name: sorted({point[name] for point in points}) for name in points[0]} if points else {}
    base = {name: sizes[0] for name, sizes in values.items()}
    yield base
    yield from ({**base, name: sizes[-1]} for name, sizes in values.items() if len(sizes) > 1)
    draw = Random(0)
    for _ in range(PROBES):
        yield {name: draw.choice(sizes) for name, sizes in values.items()}


def _counted(made: _Made, network: Network) -> _Counted:
    memory = made.ctx.get(MEMORY)
    peak = None if memory.unknown else memory.peak_activation_bytes
    both = made.counter.count(made.graph)
    return _Counted([query for _, query in both], [work for work, _ in both], memory.weight_bytes, peak)


def _cost(network: Network, variant: Variant, counted: _Counted, costs: Sequence[Cost]) -> VariantCost:
    computed = [part.work for part in counted.work if part.ops_known]
    moved = [part.work for part in counted.work if part.bytes_known]
    macs = sum(part.macs for part in computed)
    low_ms, high_ms = total_interval_ms(costs, network.setup.models, network.setup.target.device)
    return VariantCost(
        variant=variant,
        latency_ms=_sum(costs),
        latency_low_ms=low_ms,
        latency_high_ms=high_ms,
        macs=macs,
        flops=2 * macs + sum(part.elementwise_ops for part in computed),
        bytes_read=sum(part.bytes_read for part in moved),
        bytes_written=sum(part.bytes_written for part in moved),
        weight_bytes=counted.weight_bytes,
        peak_activation_bytes=counted.peak_activation_bytes,
    )


def _sum(costs: Sequence[Cost]) -> float | None:
    """None as soon as the time of one kernel is unknown."""
    parts = [cost.latency_ms for cost in costs]
    return None if any(part is None for part in parts) else sum(part for part in parts if part is not None)
