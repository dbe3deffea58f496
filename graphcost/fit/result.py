"""What a fit found: parameters of boards, of architectures and of all; how it errs on families left out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from graphcost.cost import CostModel, Estimate, KernelQuery
from graphcost.device import DeviceProfile
from graphcost.intervals import Kin, board_factors
from graphcost.measurements import Measurement

from .fittable import Fittable, Floats
from .groups import Grouped, group_rows, numeric_type
from .solve import (
    LeftOut,
    Solution,
    all_rows,
    folds_in,
    leave_families_out,
    levels_of,
    solve,
)

_OUTLIER = 3 * 1.4826
"""Deviations from the median beyond which a row is named; 1.4826 makes the median deviation one of a normal."""
_LEAST_SPREAD = 0.02

FEWEST_ROWS = 5
"""A numeric type of fewer rows keeps the parameters that stand in for it."""


@dataclass(frozen=True)
class PrecisionFit:
    """All rows of one numeric type."""

    precision: str
    grouped: Grouped
    solution: Solution
    left_out: tuple[LeftOut, ...]

    def of_all(self) -> Mapping[str, float]:
        """What all boards share."""
        return self._named(self._common())

    def of_architecture(self, architecture: str) -> Mapping[str, float]:
        group = next(g for g in self.grouped.groups if g.architecture == architecture)
        starts, scales = self.solution.levels.starts(group), self.solution.levels.scales(group)
        at = starts[1]
        return self._named(self._common() + scales[1] * self.solution.x[at : at + self.solution.levels.width])

    def of_board(self, device: str) -> Mapping[str, float]:
        group = next(g for g in self.grouped.groups if g.device.id == device)
        return self._named(self.solution.theta(group))

    def rows_of(self, device: str) -> list[Measurement]:
        return [row for group in self.grouped.groups if group.device.id == device for row in group.rows]

    def largest_behind(self, devices: Collection[str]) -> Mapping[str, float]:
        """The largest kernels behind the parameters of devices: of all boards that share an architecture with them."""
        groups = self.grouped.groups
        architectures = {group.architecture for group in groups if group.device.id in devices}
        found = [group.prepared.largest for group in groups if group.architecture in architectures]
        return {name: max(sizes.get(name, 0.0) for sizes in found) for name in sorted({n for s in found for n in s})}

    def _common(self) -> Floats:
        group, levels = self.grouped.groups[0], self.solution.levels
        base = np.log([p.prior for p in levels.parameters]) if levels.start is None else levels.start
        shared: Floats = base + levels.scales(group)[0] * self.solution.x[: levels.width]
        return shared

    def _named(self, theta: Floats) -> Mapping[str, float]:
        names = [parameter.name for parameter in self.solution.levels.parameters]
        return dict(zip(names, np.exp(theta).tolist()))


@dataclass(frozen=True)
class FitResult:
    """A fit for each numeric type that the rows speak of."""

    fits: tuple[PrecisionFit, ...]

    @property
    def devices(self) -> list[str]:
        return sorted({group.device.id for fit in self.fits for group in fit.grouped.groups})

    @property
    def architectures(self) -> list[str]:
        return sorted({group.architecture for fit in self.fits for group in fit.grouped.groups})

    @property
    def left_out(self) -> list[LeftOut]:
        return [found for fit in self.fits for found in fit.left_out]

    def factors(self) -> Mapping[str, tuple[float, float] | None]:
        """90 % intervals of networks, by device, from families left out."""
        rows: dict[str, list[Kin]] = {device: [] for device in self.devices}
        for found in self.left_out:
            if (ratio := found.kernels_ratio) is not None:
                rows[found.board].append(Kin(found.row.kin, ratio))
        return dict(board_factors(rows))

    def outliers(self) -> list[LeftOut]:
        """Rows that lie far from where the other rows of their board do, relative to the spread there."""
        by_device = [[one for one in self.left_out if one.board == device] for device in self.devices]
        return [found for rows in by_device for found in _far(rows)]


def _far(rows: Sequence[LeftOut]) -> list[LeftOut]:
    if not rows:
        return []
    scores = np.log([found.ratio for found in rows])
    centre = np.median(scores)
    spread = max(float(np.median(np.abs(scores - centre))), _LEAST_SPREAD)
    return [found for found, score in zip(rows, scores) if abs(score - centre) > _OUTLIER * spread]


def fit_rows(
    rows: Sequence[Measurement],
    model: Fittable,
    base: DeviceProfile | None = None,
    *,
    check: bool = True,
    progress: Callable[[int], None] = lambda done: None,
) -> FitResult:
    """Fit the model to rows, precision by precision. `base`: all rows are of this device, whose parameters are the
    prior. With `check` each family is left out in turn to tell the errors, which takes most of the time."""
    fits = []
    for precision in sorted({numeric_type(row) for row in rows}):
        members = [row for row in rows if numeric_type(row) == precision]
        if len(members) < FEWEST_ROWS:
            continue
        grouped = group_rows(members, model, base, progress)
        if grouped.groups:
            fits.append(_fit(precision, grouped, model, base, check))
    return FitResult(tuple(fits))


def _fit(precision: str, grouped: Grouped, model: Fittable, base: DeviceProfile | None, check: bool) -> PrecisionFit:
    groups, levels = grouped.groups, levels_of(grouped, model, base)
    left_out = tuple(leave_families_out(groups, levels)) if check and len(folds_in(groups)) > 1 else ()
    return PrecisionFit(precision, grouped, solve(groups, levels, all_rows(groups)), left_out)


@dataclass(frozen=True)
class Refitted:
    """The model with the parameters of a fit in the place of those that came with the devices."""

    model: CostModel
    result: FitResult

    @property
    def name(self) -> str:
        return self.model.name

    def estimate(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> Sequence[Estimate]:
        parameters = {fit.precision: self._parameters(fit, device) for fit in self.result.fits}
        measured = frozenset(fit.precision for fit in self.result.fits if fit.rows_of(device.id))
        return self.model.estimate(queries, replace(device, fitted=parameters, fitted_precisions=measured))

    def _parameters(self, fit: PrecisionFit, device: DeviceProfile) -> Mapping[str, float]:
        if fit.rows_of(device.id):
            return fit.of_board(device.id)
        known = {group.architecture for group in fit.grouped.groups}
        return fit.of_architecture(device.sm) if device.sm in known else fit.of_all()
