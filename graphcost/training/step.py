"""What one training step holds over time, from the joint graph and its liveness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphcost.ir import Graph, Node
from graphcost.memory import MemoryProfile, Storage
from graphcost.memory.storage import occupancy

from .categories import Category, categories, sizes


@dataclass(frozen=True)
class StepMemory:
    """Bytes of one step. `total` is everything by category, `at_peak` what of it is there at the peak; static are
    parameters, buffers and optimizer state, which are there all the time."""

    category: Mapping[Storage, Category]
    total: Mapping[Category, int]
    at_peak: Mapping[Category, int]
    peak_allocated_bytes: int
    peak_at: Node | None
    holders: tuple[Storage, ...]
    """What is there at the peak, the largest first; static storages apart."""
    timeline: Mapping[Category, tuple[int, ...]]
    """Bytes of each category that comes and goes, while each node runs."""


def step_memory(graph: Graph, profile: MemoryProfile) -> StepMemory:
    """The memory of the step whose liveness `profile` is."""
    plan = profile.storages
    category = categories(graph, plan)
    dynamic = {kind: [p for p in plan.activations if category[p] is kind] for kind in Category}
    steps = max(len(plan.nodes), 1)
    return StepMemory(
        category=category,
        total=sizes((*plan.weights, *plan.activations), category),
        at_peak=sizes((*plan.weights, *profile.holders), category),
        peak_allocated_bytes=profile.weight_bytes + profile.peak_activation_bytes,
        peak_at=profile.peak_at,
        holders=profile.holders,
        timeline={kind: tuple(occupancy(pieces, steps)) for kind, pieces in dynamic.items() if pieces},
    )
