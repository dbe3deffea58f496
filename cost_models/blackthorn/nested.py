"""Curves of two variables by nesting: T(c_in, c_out) = base(c_out) + floor((c_in - 1) / width) · height(c_out)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .curves import LINE, WIDTHS, Curve, Floats, best, ensemble, refined


@dataclass(frozen=True)
class Nested:
    """A curve of input channels whose base and height are curves of output channels."""

    width: int
    base: Curve
    height: Curve

    def __call__(self, c_in: Floats, c_out: Floats) -> Floats:
        said = Curve(self.width, 0.0, 1.0)(c_in) * self.height(c_out) + self.base(c_out)
        return np.asarray(said, np.float64)


def fit(c_in: Floats, c_out: Floats, latency: Floats) -> Nested | None:
    """The nested curve of the points: of each width the one whose curves along c_in, one for each c_out, have the least
    relative error; then its bases and heights as curves of c_out. None where no c_out has three points on two steps,
    or fewer than two have them."""
    rows = [(k, c_in[c_out == k], latency[c_out == k]) for k in np.unique(c_out)]
    rows = [(k, x, y) for k, x, y in rows if len(x) > 2]
    fits = [(width, _along(rows, width)) for width in (*WIDTHS, LINE)]
    full = [(width, curves) for width, curves in fits if curves is not None]
    if len(rows) < 2 or not full:
        return None
    width, curves = min(full, key=lambda pair: _error(rows, pair[1]))
    outputs = [float(k) for k, _, _ in rows]
    bases, heights = [curve.base for curve in curves], [curve.height for curve in curves]
    return Nested(width, _curve(outputs, bases), _curve(outputs, heights))


def _along(rows: list[tuple[float, Floats, Floats]], width: int) -> list[Curve] | None:
    curves = [refined(x, y, width) for _, x, y in rows]
    return [curve for curve in curves if curve is not None] if None not in curves else None


def _error(rows: list[tuple[float, Floats, Floats]], curves: list[Curve]) -> float:
    return float(np.mean([np.mean((curve(x) / y - 1) ** 2) for curve, (_, x, y) in zip(curves, rows)]))


def _curve(x: list[float], y: list[float]) -> Curve:
    return best(ensemble(x, y), x, y)
