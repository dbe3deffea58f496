"""A step's memory and its kernels' costs → the figures of the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphcost.cost import Cost
from graphcost.device import DeviceProfile
from graphcost.ir import Graph, Node
from graphcost.kernels import phase_of
from graphcost.memory import MemoryProfile
from graphcost.report import TrainingTotals

from .allocation import reservation
from .categories import Category
from .step import StepMemory, step_memory
from .system import fits_probability, needed_bytes, system_bytes, uses_blas

_PHASES = ("forward", "backward", "optimizer")


def training_totals(
    graph: Graph, profile: MemoryProfile, costs: Mapping[Node, Cost], device: DeviceProfile | None
) -> TrainingTotals:
    """The figures of the step that a joint graph runs."""
    memory = step_memory(graph, profile)
    reserved = None if device is None else reservation(profile.storages, memory.category)
    needed = None if reserved is None else needed_bytes(reserved, device, uses_blas(graph))
    times = {phase: _sum_ms(costs, phase) for phase in _PHASES}
    total = memory.total
    return TrainingTotals(
        parameter_bytes=total[Category.PARAMETER],
        buffer_bytes=total[Category.BUFFER],
        gradient_bytes=total[Category.GRADIENT],
        optimizer_bytes=total[Category.OPTIMIZER],
        saved_activation_bytes=total[Category.SAVED],
        peak_allocated_bytes=reserved.peak_allocated_bytes if reserved else memory.peak_allocated_bytes,
        peak_reserved_bytes=reserved.peak_reserved_bytes if reserved else None,
        workspace_bytes=_workspace_bytes(memory),
        system_bytes=system_bytes(needed, device),
        step_ms=_total_ms(times.values()),
        forward_ms=times["forward"],
        backward_ms=times["backward"],
        optimizer_ms=times["optimizer"],
        peak_at=memory.peak_at.name if memory.peak_at else None,
        at_peak={kind.value: size for kind, size in memory.at_peak.items() if size},
        timeline={kind.value: line for kind, line in memory.timeline.items()},
        fits_probability=fits_probability(needed, device),
        needed_bytes=needed,
    )


def _workspace_bytes(memory: StepMemory) -> int:
    """The largest workspace of one kernel: two never live together."""
    return max((p.size_bytes for p, kind in memory.category.items() if kind is Category.WORKSPACE), default=0)


def _sum_ms(costs: Mapping[Node, Cost], phase: str) -> float | None:
    return _total_ms(cost.latency_ms for node, cost in costs.items() if phase_of(node) == phase)


def _total_ms(parts: Iterable[float | None]) -> float | None:
    """None as soon as one part is: an unknown is no zero."""
    total = 0.0
    for part in parts:
        if part is None:
            return None
        total += part
    return total
