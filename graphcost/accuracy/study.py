"""Predictions → summaries by device, family or whatever else groups them, and the misses by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphcost.errors import UnknownName
from graphcost.measurements import Measurement

from . import statistics
from .nuisance import Constant
from .predict import Prediction, Refused, predict, with_constants

GROUPS: Mapping[str, Callable[[Measurement], str]] = {
    "device": lambda m: m.device_spec,
    "family": lambda m: m.kin,
    "precision": lambda m: m.precision,
    "source": lambda m: m.source or "-",
    "measure": lambda m: m.measure or "-",
    "batch": lambda m: "-" if m.batch is None else str(m.batch),
    "network": lambda m: m.network,
    "runtime": lambda m: m.runtime or "-",
    "scope": lambda m: m.scope,
}
"""What rows can be grouped by."""


@dataclass(frozen=True)
class Summary:
    """The errors of the rows of a group, as plain numbers: 0.05 is 5 %. `name` has a text for each key of the grouping;
    the figures of intervals are None where no row has one."""

    name: tuple[str, ...]
    rows: int
    mape: float
    median_ape: float
    rmspe: float
    within_5: float
    within_10: float
    spearman: float | None
    bias: float
    coverage: float | None
    winkler: float | None
    median_width: float | None


@dataclass(frozen=True)
class Study:
    """Predicted against measured: each row, the groups, all rows together (None where there are none)."""

    by: tuple[str, ...]
    predictions: tuple[Prediction, ...]
    groups: tuple[Summary, ...]
    pooled: Summary | None
    constants: tuple[Constant, ...]
    refused: tuple[Refused, ...]

    def misses(self, most: int) -> list[Prediction]:
        """The rows whose truth lies outside of the interval, the farthest off first."""
        outside = [p for p in self.predictions if _misses(p)]
        return sorted(outside, key=_distance, reverse=True)[:most]

    @property
    def missed(self) -> int:
        return sum(map(_misses, self.predictions))


def study(measurements: Iterable[Measurement], by: Sequence[str] = ("device",)) -> Study:
    """Predict every row with the cost models of its runtime, and compare. UnknownName for a group that is none."""
    refuse_unknown(by)
    predictions, refused = predict(measurements)
    with_added, constants = with_constants(predictions)
    return gather(with_added, refused, constants, by)


def refuse_unknown(by: Sequence[str]) -> None:
    for key in by:
        if key not in GROUPS:
            raise UnknownName("group", key, GROUPS)


def gather(
    predictions: Sequence[Prediction], refused: Sequence[Refused], constants: Sequence[Constant], by: Sequence[str]
) -> Study:
    """The study of predictions that are complete."""
    grouped: dict[tuple[str, ...], list[Prediction]] = {}
    for prediction in predictions:
        grouped.setdefault(tuple(GROUPS[key](prediction.measurement) for key in by), []).append(prediction)
    return Study(
        by=tuple(by),
        predictions=tuple(predictions),
        groups=tuple(_summary(name, rows) for name, rows in sorted(grouped.items())) if by else (),
        pooled=_summary(("all",), predictions) if predictions else None,
        constants=tuple(constants),
        refused=tuple(refused),
    )


def _summary(name: tuple[str, ...], rows: Sequence[Prediction]) -> Summary:
    predicted, measured = [p.predicted_ms for p in rows], [p.measurement.latency_ms for p in rows]
    errors = statistics.relative_errors(predicted, measured)
    known = [(p, interval) for p in rows if (interval := p.interval_ms) is not None]
    intervals, truths = [i for _, i in known], [p.measurement.latency_ms for p, _ in known]
    return Summary(
        name=name,
        rows=len(rows),
        mape=statistics.mape(errors),
        median_ape=statistics.median_ape(errors),
        rmspe=statistics.rmspe(errors),
        within_5=statistics.within(errors, 0.05),
        within_10=statistics.within(errors, 0.10),
        spearman=statistics.spearman(predicted, measured),
        bias=statistics.bias(errors),
        coverage=statistics.coverage(intervals, truths) if known else None,
        winkler=statistics.winkler(intervals, truths) if known else None,
        median_width=statistics.median_width(intervals, [p.predicted_ms for p, _ in known]) if known else None,
    )


def _misses(prediction: Prediction) -> bool:
    interval = prediction.interval_ms
    return interval is not None and not interval[0] <= prediction.measurement.latency_ms <= interval[1]


def _distance(prediction: Prediction) -> float:
    return abs(math.log1p(prediction.error))
