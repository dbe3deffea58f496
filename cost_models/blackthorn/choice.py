"""Which point to measure next, and when to stop: where the candidate curves disagree most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .curves import Curve, Floats, best, ensemble, squared_error

START = (64, 960)
"""The first two points (paper)."""

LEAST_POINTS, MOST_POINTS = 6, 48

SLACK = (20.0, 2.0)
"""Candidates whose squared error is so many times the best's are dropped: the first value at two points, the second at
MOST_POINTS (paper)."""

DISTANCE_WEIGHT = 5.0

_AGREE = 1e-12  # of the largest point squared: errors below it are rounding


@dataclass(frozen=True)
class Measured:
    """A curve and the points that it was learned from."""

    curve: Curve
    points: tuple[tuple[int, float], ...]


def learn(measure: Callable[[int], float], candidates: Sequence[int]) -> Measured:
    """Measure where the ensemble disagrees most until one curve is left. `measure` gives the latency at a width, the
    median of many runs; `candidates` are the widths that may be measured. Between 6 and 48 points."""
    points: dict[int, float] = {}
    for x in sorted({_nearest(start, candidates) for start in START}):
        points[x] = measure(x)
    curves = surviving(points)
    while not _done(curves, points, candidates):
        x = next_point(curves, sorted(points), [c for c in candidates if c not in points])
        points[x] = measure(x)
        curves = surviving(points)
    return Measured(best(curves, list(points), list(points.values())), tuple(sorted(points.items())))


def _nearest(wanted: int, candidates: Sequence[int]) -> int:
    return min(candidates, key=lambda candidate: abs(candidate - wanted))


def _done(curves: Sequence[Curve], points: dict[int, float], candidates: Sequence[int]) -> bool:
    most = min(MOST_POINTS, len(candidates))
    return len(points) >= most or (len(points) >= LEAST_POINTS and len(curves) == 1)


def surviving(points: dict[int, float]) -> list[Curve]:
    """The curves of all widths through the points, without those that are much worse than the best."""
    x, y = np.array(list(points), np.float64), np.array(list(points.values()), np.float64)
    curves = ensemble(x.tolist(), y.tolist())
    errors = np.array([squared_error(curve, x, y) for curve in curves])
    limit = max(float(errors.min()), _AGREE * float(np.max(y)) ** 2) * _slack(len(points))
    return [curve for curve, error in zip(curves, errors) if error <= limit]


def _slack(points: int) -> float:
    first, last = SLACK
    share = min(1.0, (points - len(START)) / (MOST_POINTS - len(START)))
    return first + (last - first) * share


def next_point(curves: Sequence[Curve], measured: Sequence[int], candidates: Sequence[int]) -> int:
    """The candidate where the curves say the most different things, and the farthest from what is known: the sum of the
    number of distinct predictions, their range, and five times the distance, each normalised by its largest."""
    x = np.asarray(candidates, np.float64)
    said = np.array([curve(x) for curve in curves])
    distinct = np.array([len(np.unique(np.round(column, 9))) for column in said.T], np.float64)
    distance = np.abs(x[:, None] - np.asarray(measured, np.float64)).min(axis=1)
    score = _normalised(distinct) + _normalised(np.ptp(said, axis=0)) + DISTANCE_WEIGHT * _normalised(distance)
    return candidates[int(score.argmax())]


def _normalised(values: Floats) -> Floats:
    largest = float(values.max())
    return values / largest if largest > 0 else values
