"""The fit: rows in, parameters by board out; and the same with each family of networks left out in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from graphcost.device import DeviceProfile
from graphcost.errors import UsageError
from graphcost.measurements import Measurement

from .fittable import Fittable, Floats
from .groups import Group, Grouped, Mask, board_of
from .objective import Levels, predict_ms, residuals

_HUBER = 1.5
"""Deviations beyond which a residual counts linearly: an outlier pulls, but not with its square."""

_STEPS = 40

_SEARCHES = 2
"""Each begins where the last ended: where the fastest tactic changes so does the slope, and a search may stop early."""


@dataclass(frozen=True)
class Solution:
    """Fitted numbers and how they are laid out."""

    levels: Levels
    x: Floats

    def theta(self, group: Group) -> Floats:
        """Logarithms of the parameters of the group's board."""
        return self.levels.theta(self.x, group)

    def predict_ms(self, group: Group) -> Floats:
        """What the rows of a group would read, what hosts add included."""
        return predict_ms(self.levels, self.x, group)[0]


@dataclass(frozen=True)
class LeftOut:
    """A row, and what a fit that never saw its family says of it."""

    row: Measurement
    predicted_ms: float
    constant_ms: float

    @property
    def board(self) -> str:
        """The id of its device, which the row may name by an alias or by a file."""
        return board_of(self.row)

    @property
    def ratio(self) -> float:
        """Measured over predicted."""
        return self.row.latency_ms / self.predicted_ms

    @property
    def kernels_ratio(self) -> float | None:
        """The same without the constant on both sides; None where the constant eats the measurement."""
        kernels_ms = self.row.latency_ms - self.constant_ms
        return kernels_ms / (self.predicted_ms - self.constant_ms) if kernels_ms > 0 else None


def levels_of(grouped: Grouped, model: Fittable, base: DeviceProfile | None = None) -> Levels:
    """The layout of a fit to groups of one numeric type."""
    groups, precision = grouped.groups, grouped.groups[0].precision
    start = None if base is None else model.parameters_of(base, precision)
    return Levels(
        model.parameters_in(precision),
        tuple(sorted({group.architecture for group in groups})),
        tuple(sorted({group.device.id for group in groups})),
        len(grouped.hosts),
        start,
    )


def solve(groups: Sequence[Group], levels: Levels, used: Sequence[Mask], start: Floats | None = None) -> Solution:
    """The fit to the rows in use. Deterministic. UsageError without scipy."""
    try:
        from scipy.optimize import least_squares  # type: ignore[import-untyped]
    except ImportError:
        raise UsageError("fitting needs scipy: pip install 'graphcost[fit]'") from None
    low, high = levels.bounds()
    x = levels.first() if start is None else start
    problem = _Problem(levels, groups, used)
    for _ in range(_SEARCHES):
        x = least_squares(
            lambda x: problem.at(x)[0],
            np.clip(x, low + 1e-6, high),
            jac=lambda x: problem.at(x)[1],
            bounds=(low, high),
            loss="huber",
            f_scale=_HUBER,
            max_nfev=_STEPS,
        ).x
    return Solution(levels, np.asarray(x, float))


class _Problem:
    """Residuals and Jacobian together; the solver asks for both at one place."""

    def __init__(self, levels: Levels, groups: Sequence[Group], used: Sequence[Mask]) -> None:
        self._levels, self._groups, self._used = levels, groups, used
        self._place: Floats | None = None
        self._found: tuple[Floats, Floats] | None = None

    def at(self, x: Floats) -> tuple[Floats, Floats]:
        if self._found is None or self._place is None or not np.array_equal(x, self._place):
            self._place, self._found = x.copy(), residuals(self._levels, x, self._groups, self._used)
        return self._found


def all_rows(groups: Sequence[Group]) -> list[Mask]:
    return [np.ones(len(group.rows), bool) for group in groups]


def leave_families_out(groups: Sequence[Group], levels: Levels) -> Iterator[LeftOut]:
    """Each row predicted by a fit that never saw its family."""
    rows = all_rows(groups)
    start: Floats | None = None
    for fold in folds_in(groups):
        outside = [group.in_folds([fold]) for group in groups]
        used = [mask & ~out for mask, out in zip(rows, outside)]
        solution = solve(groups, levels, used, start)
        start = solution.x
        yield from _predicted(solution, groups, outside)


def folds_in(groups: Sequence[Group]) -> list[str]:
    return sorted({fold for group in groups for fold in group.fold})


def _predicted(solution: Solution, groups: Sequence[Group], masks: Sequence[Mask]) -> Iterator[LeftOut]:
    for group, mask in zip(groups, masks):
        if mask.any():
            predicted_ms = solution.predict_ms(group)
            constant_ms = solution.levels.constant_ms(solution.x, group)
            for at in np.flatnonzero(mask):
                yield LeftOut(group.rows[at], float(predicted_ms[at]), float(constant_ms[at]))
