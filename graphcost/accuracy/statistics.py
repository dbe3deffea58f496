"""Errors of predictions as numbers. Ratios, shares and relative errors are plain numbers: 0.05 is 5 %.

MAPE, RMSPE: mean and root mean square of |predicted / measured - 1|. The Winkler (interval) score of Winkler (1972),
here over the measured latency: the width of the interval, plus 2/α times how far the truth lies outside of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median

from graphcost.intervals import COVERAGE


def relative_errors(predicted: Sequence[float], measured: Sequence[float]) -> list[float]:
    """predicted / measured - 1 of each pair."""
    return [p / m - 1 for p, m in zip(predicted, measured)]


def mape(errors: Sequence[float]) -> float:
    return fmean(map(abs, errors))


def median_ape(errors: Sequence[float]) -> float:
    return median(map(abs, errors))


def rmspe(errors: Sequence[float]) -> float:
    return math.sqrt(fmean(error * error for error in errors))


def within(errors: Sequence[float], limit: float) -> float:
    """The share of errors that are no larger than the limit."""
    return fmean(abs(error) <= limit for error in errors)


def bias(errors: Sequence[float]) -> float:
    """The geometric mean of predicted / measured, less one: a factor of two up and one down cancel."""
    return math.exp(fmean(math.log1p(error) for error in errors)) - 1


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Rank correlation; equal values share their mean rank. None where one side has no two different values."""
    import numpy

    if len(set(a)) < 2 or len(set(b)) < 2:
        return None
    return float(numpy.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: Sequence[float]) -> list[float]:
    import numpy

    given = numpy.asarray(values)
    ordered = numpy.sort(given)
    return list((numpy.searchsorted(ordered, given, "left") + numpy.searchsorted(ordered, given, "right")) / 2)


def coverage(intervals: Sequence[tuple[float, float]], measured: Sequence[float]) -> float:
    """The share of measured values that lie inside of their interval."""
    return fmean(low <= m <= high for (low, high), m in zip(intervals, measured))


def winkler(intervals: Sequence[tuple[float, float]], measured: Sequence[float]) -> float:
    """The mean interval score over the measured value; smaller is better."""
    return fmean(_winkler(low, high, m) for (low, high), m in zip(intervals, measured))


def _winkler(low: float, high: float, measured: float) -> float:
    beyond = max(low - measured, 0.0) + max(measured - high, 0.0)
    return (high - low + 2 / (1 - COVERAGE) * beyond) / measured


def median_width(intervals: Sequence[tuple[float, float]], predicted: Sequence[float]) -> float:
    """The median width of an interval over the predicted value."""
    return median((high - low) / p for (low, high), p in zip(intervals, predicted))
