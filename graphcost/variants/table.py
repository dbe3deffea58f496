"""Variants → what each costs: graphs from a skeleton where that was tried, kernels estimated in one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from graphcost.analyses import MEMORY
from graphcost.api import collector_paused
from graphcost.cost import Cost, KernelQuery
from graphcost.errors import UserError
from graphcost.intervals import total_interval_ms
from graphcost.ir import Graph
from graphcost.work.node import NodeWork

from .counting import Counter
from .network import Network
from .skeleton import Skeleton, skeleton
from .variant import Variant

PROBES = 10
"""Graphs that are made in full at random, beside one for each thing that varies."""

TRIALS = 4
"""Further graphs with which a skeleton has to agree."""

WORTH = 3
"""So many times as many variants as graphs made in full: below, a skeleton saves nothing."""


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
    counter = Counter(network.setup.registry.operators)
    counted = [_count(network, graph, counter if alike else None) for graph, alike in _graphs(network, points)]
    costs = iter(network.setup.estimate([query for each in counted for query in each.queries]))
    return [_cost(network, v, each, [next(costs) for _ in each.queries]) for v, each in zip(variants, counted)]


def _graphs(network: Network, points: Sequence[Mapping[str, int]]) -> Iterator[tuple[Graph, bool]]:
    """The graph before formats at each point, and whether it is the skeleton's: that one serves several points, so use
    it before asking for the next."""
    made = _skeleton(network, points)
    if made is None:
        yield from ((network.early(point), False) for point in points)
        return
    numbers, believed = made.numbers(points)
    for point, row, whole in zip(points, numbers, believed):
        if whole:
            made.set(row)
        yield (made.graph, True) if whole else (network.early(point), False)


def _skeleton(network: Network, points: Sequence[Mapping[str, int]]) -> Skeleton | None:
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


def _probes(points: Sequence[Mapping[str, int]]) -> Iterator[dict[str, int]]:
    """Each thing that varies by itself, then all of them at random; the same each time."""
    values = {name: sorted({point[name] for point in points}) for name in points[0]} if points else {}
    base = {name: sizes[0] for name, sizes in values.items()}
    yield base
    yield from ({**base, name: sizes[-1]} for name, sizes in values.items() if len(sizes) > 1)
    draw = Random(0)
    for _ in range(PROBES):
        yield {name: draw.choice(sizes) for name, sizes in values.items()}


def _count(network: Network, early: Graph, counter: Counter | None) -> _Counted:
    graph, ctx = network.finished(early)
    memory = ctx.get(MEMORY)
    peak = None if memory.unknown else memory.peak_activation_bytes
    both = (counter or Counter(network.setup.registry.operators)).count(graph)
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
