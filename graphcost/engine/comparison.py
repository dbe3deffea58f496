"""Predicted kernels beside the layers of a real engine: what `graphcost compare` found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from graphcost.report import Kernel, Report

from .groups import By
from .layer import Engine, EngineLayer

Status: TypeAlias = Literal["same", "merged differently", "only in engine", "only predicted"]
STATUSES: tuple[Status, ...] = get_args(Status)

PROFILER_MS = (0.002, 0.007)
"""What a profiler adds to each layer: sums of layers exceed engine times by 2 to 7 µs a layer (RTX 3060 Laptop, A100,
RTX 3090 and TITAN RTX profiles of TensorRT 8 and 10)."""


@dataclass(frozen=True)
class Match:
    """Predicted kernels and engine layers that hold the same ONNX nodes, or stand at the same place where a layer names
    none. One of either side may be empty. The kernels of one region of Myelin and the one layer that an engine shows
    of it are the same; so are two convolutions whose sum the other one takes in, for either may."""

    predicted: tuple[Kernel, ...]
    measured: tuple[EngineLayer, ...]
    by: By = "nodes"

    @property
    def status(self) -> Status:
        if not self.predicted or not self.measured:
            return "only in engine" if self.measured else "only predicted"
        units = {kernel.region or id(kernel) for kernel in self.predicted}
        is_one = len(self.predicted) == 1 or (len(units) == 1 and self.is_region)
        return "same" if is_one and len(self.measured) == 1 else "merged differently"

    @property
    def is_region(self) -> bool:
        """Whether the engine has a region of Myelin here, of which it does not show the kernels."""
        return any(layer.name.startswith("{ForeignNode[") for layer in self.measured)

    @property
    def predicted_ms(self) -> float | None:
        """0 where nothing is predicted; None where one of the kernels is unknown."""
        return total_ms(kernel.latency_ms for kernel in self.predicted)

    @property
    def measured_ms(self) -> float | None:
        """0 where the engine has nothing; None where one of the layers is in no profile."""
        return total_ms(layer.time_ms for layer in self.measured)

    @property
    def difference_ms(self) -> float | None:
        """Predicted - measured."""
        return minus_ms(self.predicted_ms, self.measured_ms)

    @property
    def kind(self) -> str:
        """The family of the predicted kernel that takes the longest; empty where none is predicted."""
        return max(self.predicted, key=lambda kernel: kernel.latency_ms or 0.0).kind if self.predicted else ""

    @property
    def name(self) -> str:
        """That of the engine's layer, else of the kernel; of several the first, and how many follow."""
        names = [layer.name for layer in self.measured] or [kernel.name for kernel in self.predicted]
        return names[0] + (f" [+{len(names) - 1}]" if len(names) > 1 else "")


@dataclass(frozen=True)
class Apart:
    """What both sides have beside the kernels of the network: reformats, and layers that launch nothing or only compute
    shapes. Where they stand depends on the formats of all the others, so they are compared as a whole."""

    name: str
    predicted: tuple[Kernel, ...]
    measured: tuple[EngineLayer, ...]

    @property
    def predicted_ms(self) -> float | None:
        return total_ms(kernel.latency_ms for kernel in self.predicted)

    @property
    def measured_ms(self) -> float | None:
        return total_ms(layer.time_ms for layer in self.measured)


@dataclass(frozen=True)
class Member:
    """A part of a region that the engine runs under one name: its modelled time, and its share of the measured one in
    proportion to that."""

    name: str
    predicted_ms: float
    measured_ms: float | None


@dataclass(frozen=True)
class Comparison:
    """Matches in the order of the engine, then what is only predicted; what stands apart; the members of regions, by
    the name of the region's match."""

    report: Report
    engine: Engine
    matches: tuple[Match, ...]
    apart: tuple[Apart, ...]
    members: Mapping[str, tuple[Member, ...]]
    warnings: tuple[str, ...]

    def count(self, status: Status) -> int:
        """How many matches are of this status."""
        return sum(match.status == status for match in self.matches)

    @property
    def same_share(self) -> float:
        """The share, from 0 to 1, of the engine's layers (those apart aside) for which one kernel is predicted."""
        layers = sum(len(match.measured) for match in self.matches)
        return self.count("same") / layers if layers else 0.0

    @property
    def predicted_ms(self) -> float | None:
        """The predicted latency: the sum over all kernels."""
        return self.report.totals.latency_ms

    @property
    def measured_ms(self) -> float | None:
        """The sum over all layers that the profile has; None without a profile."""
        if not self.engine.has_times:
            return None
        return sum(layer.time_ms or 0.0 for layer in self.engine.layers)

    @property
    def profiler_ms(self) -> tuple[float, float]:
        """What of the measured sum is the profiler's own, from … to: so much for each layer that takes time."""
        launched = sum(bool(layer.time_ms) for layer in self.engine.layers)
        return PROFILER_MS[0] * launched, PROFILER_MS[1] * launched

    @property
    def error(self) -> float | None:
        """(predicted - measured) / measured; None where one is unknown."""
        change = minus_ms(self.predicted_ms, self.measured_ms)
        return change / self.measured_ms if change is not None and self.measured_ms else None


def total_ms(times: Iterable[float | None]) -> float | None:
    """The sum; None as soon as one is unknown."""
    listed = list(times)
    known = [time for time in listed if time is not None]
    return sum(known) if len(known) == len(listed) else None


def minus_ms(a: float | None, b: float | None) -> float | None:
    """The difference; None where one is unknown."""
    return None if a is None or b is None else a - b
