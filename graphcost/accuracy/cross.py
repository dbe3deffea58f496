"""Each family left out of the fit in turn: errors as they will be on networks that nobody has measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from graphcost.cost import CostModel
from graphcost.intervals import factors_from_others
from graphcost.measurements import Fold, Measurement, folds

from .predict import Prediction, Refused, predict, with_constants
from .study import Study, gather

Fitter: TypeAlias = "Callable[[Sequence[Measurement]], CostModel]"
"""From training rows to the cost model fitted to them and to nothing else."""


def leave_one_family_out(measurements: Sequence[Measurement], fitter: Fitter, by: Sequence[str]) -> Study:
    """The study of predictions by models that never saw the family of the row they predict, with constants and
    intervals that have not seen it either."""
    predictions: list[Prediction] = []
    refused: list[Refused] = []
    for fold in folds(measurements):
        found, failed = _left_out(fold, fitter)
        predictions += found
        refused += failed
    with_added, constants = with_constants(predictions, strict=True)
    return gather(_recalibrated(with_added), refused, constants, by)


def _left_out(fold: Fold, fitter: Fitter) -> tuple[list[Prediction], list[Refused]]:
    """What the runtime's own models say stays behind the fitted one, for kernels of which that knows nothing."""
    model = fitter(fold.train)
    return predict(fold.test, lambda timed: (model, *(m for m in timed.setup.models if m.name != model.name)))


def _recalibrated(predictions: Sequence[Prediction]) -> list[Prediction]:
    """The interval of a row from the rows of all other families, which were themselves predicted from outside."""
    families = {p.measurement.kin for p in predictions}
    return [q for family in sorted(families) for q in _with_intervals(family, predictions)]


def _with_intervals(family: str, predictions: Sequence[Prediction]) -> list[Prediction]:
    measured = [(p, p.measurement) for p in predictions]
    rows = [(m.kin, m.device_spec, m.latency_ms / p.predicted_ms) for p, m in measured]
    factors = factors_from_others(family, rows)
    return [
        _with_factors(p, factors[p.measurement.device_spec]) for p in predictions if p.measurement.kin == family
    ]


def _with_factors(prediction: Prediction, factors: tuple[float, float] | None) -> Prediction:
    """The factors hold for the engine and what the host adds together."""
    if factors is None:
        return replace(prediction, engine_low_ms=None, engine_high_ms=None)
    low, high = (prediction.engine_of(factor * prediction.predicted_ms) for factor in factors)
    return replace(prediction, engine_low_ms=low, engine_high_ms=high)
