"""Curves of one variable: a staircase f(x) = base + floor((x - 1) / width) · height, or a line.

Lechner and Jantsch, IEEE Access 9 (2021), doi 10.1109/ACCESS.2021.3101936: two points give base and height in closed
form for every width, so that two measurements make an ensemble; more points refine each by least squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WIDTHS = tuple(range(8, 513, 8))
"""Candidate widths of a step, as in the paper."""

LINE = 0
"""As a width: a line instead of a staircase."""

LINE_PENALTY = 10.0
"""Times the squared error of a line, which fits any staircase a little (paper)."""


@dataclass(frozen=True)
class Curve:
    """base + t(x) · height, where t counts the steps before x, or is x itself for a line. In the unit of its points."""

    width: int
    base: float
    height: float

    def __call__(self, x: Floats) -> Floats:
        return self.base + steps_before(x, self.width) * self.height


def steps_before(x: Floats, width: int) -> Floats:
    """floor((x - 1) / width), or x for a line."""
    return np.asarray(x if width == LINE else np.floor((x - 1) / width), np.float64)


def through(x0: float, y0: float, x1: float, y1: float, width: int) -> Curve | None:
    """The curve of a width through two points; None where both stand on one step."""
    t0, t1 = steps_before(np.array([x0, x1]), width)
    if t0 == t1:
        return None
    return Curve(width, float((y1 * t0 - y0 * t1) / (t0 - t1)), float((y0 - y1) / (t0 - t1)))


def refined(x: Floats, y: Floats, width: int) -> Curve | None:
    """The curve of a width with the least squared error; None where all points stand on one step."""
    t = steps_before(x, width)
    if np.ptp(t) == 0:
        return None
    height, base = np.polyfit(t, y, 1)
    return Curve(width, float(base), float(height))


def ensemble(x: Sequence[float], y: Sequence[float]) -> list[Curve]:
    """A curve for each candidate width that the points can tell, and the line. At least two points."""
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(xs) == 2:
        found = [through(xs[0], ys[0], xs[1], ys[1], width) for width in (*WIDTHS, LINE)]
    else:
        found = [refined(xs, ys, width) for width in (*WIDTHS, LINE)]
    return [curve for curve in found if curve is not None]


def squared_error(curve: Curve, x: Floats, y: Floats) -> float:
    """Mean squared error, times the penalty for a line."""
    error = float(np.mean((curve(x) - y) ** 2))
    return error * LINE_PENALTY if curve.width == LINE else error


def best(curves: Sequence[Curve], x: Sequence[float], y: Sequence[float]) -> Curve:
    """The curve of least error; of equally good ones the widest, which promises the least."""
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return min(curves, key=lambda curve: (squared_error(curve, xs, ys), -curve.width))
