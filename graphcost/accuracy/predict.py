"""Measurements → predictions, each with the constant that its way of measuring adds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from graphcost.cost import Cost, CostModel, estimate_all
from graphcost.errors import UserError
from graphcost.intervals import total_interval_ms
from graphcost.measurements import Measurement, Timed, queries_of_measurement, timed_kernels

from .nuisance import EXACT, FEWEST_ROWS, Constant, constant_ms, key_of

Models: TypeAlias = "Callable[[Timed], Sequence[CostModel]]"
"""Which cost models speak about a measured network: by default those of its runtime."""


@dataclass(frozen=True)
class Prediction:
    """What was predicted for a row: the time of the engine with its 90 % interval, and the constant beside it."""

    measurement: Measurement
    engine_ms: float
    engine_low_ms: float | None
    engine_high_ms: float | None
    trust: str
    extrapolates: bool
    constant_ms: float = 0.0

    @property
    def predicted_ms(self) -> float:
        return self.engine_ms + self.constant_ms

    @property
    def interval_ms(self) -> tuple[float, float] | None:
        if self.engine_low_ms is None or self.engine_high_ms is None:
            return None
        return self.engine_low_ms + self.constant_ms, self.engine_high_ms + self.constant_ms

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
    return Prediction(
        measurement, latency_ms, low_ms, high_ms, _trust(costs), any(cost.extrapolates for cost in costs)
    )


def _trust(costs: Sequence[Cost]) -> str:
    """That of the kernels with the largest part of the time."""
    parts: dict[str, float] = {}
    for cost in costs:
        parts[cost.trust.value] = parts.get(cost.trust.value, 0.0) + (cost.latency_ms or 0.0)
    return max(parts, key=lambda trust: parts[trust], default="unknown")


def with_constants(predictions: Sequence[Prediction], strict: bool = False) -> tuple[list[Prediction], list[Constant]]:
    """Predictions with the constant of their source, device and measure, and the constants over all families.

    The constant of a row is estimated on the other families, so that it never sees its own. Where there are no others
    it is estimated on the row's own family (`own`), or, with `strict`, left at zero.
    """
    groups: dict[tuple[str, str, str], list[Prediction]] = {}
    for prediction in predictions:
        if prediction.measurement.measure != EXACT:
            groups.setdefault(key_of(prediction.measurement), []).append(prediction)
    added: dict[int, float] = {}
    told = []
    for key, group in groups.items():
        constants = _by_family(group, strict)
        added.update((id(p), constants[p.measurement.kin]) for p in group)
        own = len(constants) == 1
        told.append(Constant(*key, 0.0 if own and strict else _estimate(group), len(group), own))
    return [replace(p, constant_ms=added.get(id(p), 0.0)) for p in predictions], told


def _by_family(group: Sequence[Prediction], strict: bool) -> Mapping[str, float]:
    families = {p.measurement.kin for p in group}
    others = {family: [p for p in group if p.measurement.kin != family] for family in families}
    return {family: _estimate(rest or ([] if strict else group)) for family, rest in others.items()}


def _estimate(rows: Sequence[Prediction]) -> float:
    if len(rows) < FEWEST_ROWS:
        return 0.0
    return constant_ms([p.engine_ms for p in rows], [p.measurement.latency_ms for p in rows])
