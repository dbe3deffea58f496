"""Measurements → predictions, each with the constant that its way of measuring adds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from graphcost.cost import Cost, CostModel, estimate_all
from graphcost.errors import UserError
from graphcost.intervals import total_interval_ms
from graphcost.measurements import Measurement, Timed, families_or_parts, queries_of_measurement, timed_kernels
from graphcost.measurements.host import Host, host_of, seen_ms

from .nuisance import Added, Constant, Seen, added_by

Models: TypeAlias = "Callable[[Timed], Sequence[CostModel]]"
"""Which cost models speak about a measured network: by default those of its runtime."""


@dataclass(frozen=True)
class Prediction:
    """What was predicted for a row: the time of the engine with its 90 % interval, and what the host adds to it."""

    measurement: Measurement
    engine_ms: float
    engine_low_ms: float | None
    engine_high_ms: float | None
    trust: str
    extrapolates: bool
    constant_ms: float = 0.0
    enqueue_ms: float = 0.0
    """Of all its kernels."""
    kernels: int = 0

    @property
    def predicted_ms(self) -> float:
        return self._seen_ms + self.constant_ms

    @property
    def interval_ms(self) -> tuple[float, float] | None:
        """Where the host decides, its time is taken to be as uncertain as that of the engine."""
        if self.engine_low_ms is None or self.engine_high_ms is None:
            return None
        scale = self._seen_ms / self.engine_ms if self.engine_ms else 1.0
        return self.engine_low_ms * scale + self.constant_ms, self.engine_high_ms * scale + self.constant_ms

    def engine_of(self, predicted_ms: float) -> float:
        """The end of the engine's interval that makes this the end of the row's."""
        return (predicted_ms - self.constant_ms) * (self.engine_ms / self._seen_ms if self._seen_ms else 1.0)

    @property
    def _seen_ms(self) -> float:
        return seen_ms(self.engine_ms, self.enqueue_ms)

    @property
    def error(self) -> float:
        """predicted / measured - 1."""
        return self.predicted_ms / self.measurement.latency_ms - 1


@dataclass(frozen=True)
class Refused:
    """A row that could not be predicted, and why."""

    measurement: Measurement
    reason: str


def predict(
    measurements: Iterable[Measurement], models: Models | None = None
) -> tuple[list[Prediction], list[Refused]]:
    """Predictions of the time of the engine, without constants; rows that cannot be predicted come back by themselves.

    `models` stands in for the cost models of each row's runtime.
    """
    answers = [_answer(measurement, models or (lambda timed: timed.setup.models)) for measurement in measurements]
    return [a for a in answers if isinstance(a, Prediction)], [a for a in answers if isinstance(a, Refused)]


def _answer(measurement: Measurement, models: Models) -> Prediction | Refused:
    try:
        return _predicted(measurement, models)
    except UserError as error:
        return Refused(measurement, str(error))


def _predicted(measurement: Measurement, models: Models) -> Prediction | Refused:
    timed = timed_kernels(measurement)
    queries, believed = queries_of_measurement(measurement), models(timed)
    costs = estimate_all(queries, timed.device, believed)
    if unknown := [query.op for query, cost in zip(queries, costs) if cost.latency_ms is None]:
        return Refused(measurement, f"{measurement.where}: no cost model knows {unknown[0]} on {timed.device.id}")
    # A single kernel has its own interval, a network that of networks.
    knows_totals = believed if measurement.scope == "network" else ()
    low_ms, high_ms = total_interval_ms(costs, knows_totals, timed.device)
    latency_ms = sum(cost.latency_ms or 0.0 for cost in costs)
    extrapolates = any(cost.extrapolates for cost in costs)
    launched = sum(query.launches for query in queries)
    return Prediction(measurement, latency_ms, low_ms, high_ms, _trust(costs), extrapolates, kernels=launched)


def _trust(costs: Sequence[Cost]) -> str:
    """That of the kernels with the largest part of the time."""
    parts: dict[str, float] = {}
    for cost in costs:
        parts[cost.trust.value] = parts.get(cost.trust.value, 0.0) + (cost.latency_ms or 0.0)
    return max(parts, key=lambda trust: parts[trust], default="unknown")


def with_constants(predictions: Sequence[Prediction], strict: bool = False) -> tuple[list[Prediction], list[Constant]]:
    """Predictions with what the host of their source, device and measure adds, and the same over all families.

    What is added to a row is estimated on the other families (on the other parts of the only family of a source), so
    that it never sees its own. Where there are no others it is estimated on the row's own family (`own`), or, with
    `strict`, left at zero.
    """
    names = families_or_parts([p.measurement for p in predictions])
    groups: dict[Host, list[tuple[str, Prediction]]] = {}
    for name, prediction in zip(names, predictions):
        if (key := host_of(prediction.measurement)) is not None:
            groups.setdefault(key, []).append((name, prediction))
    added: dict[int, Added] = {}
    told = []
    for key, named in groups.items():
        group = [prediction for _, prediction in named]
        found = _by_family(named, strict)
        added.update((id(prediction), found[name]) for name, prediction in named)
        own = len(found) == 1
        total = Added() if own and strict else _estimate(group)
        told.append(Constant(*key, total.constant_ms, len(group), own, total.enqueue_us))
    return [_with_added(p, added.get(id(p), Added())) for p in predictions], told


def _with_added(prediction: Prediction, added: Added) -> Prediction:
    enqueue_ms = added.enqueue_us * prediction.kernels * 1e-3
    return replace(prediction, constant_ms=added.constant_ms, enqueue_ms=enqueue_ms)


def _by_family(named: Sequence[tuple[str, Prediction]], strict: bool) -> Mapping[str, Added]:
    group = [] if strict else [prediction for _, prediction in named]
    others = {family: [p for name, p in named if name != family] for family in {name for name, _ in named}}
    return {family: _estimate(rest or group) for family, rest in others.items()}


def _estimate(rows: Sequence[Prediction]) -> Added:
    return added_by([Seen(p.engine_ms, p.kernels, p.measurement.latency_ms) for p in rows])
