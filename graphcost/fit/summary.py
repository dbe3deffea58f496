"""What the command line says of a fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .coverage import coverage
from .result import FitResult, PrecisionFit
from .solve import LeftOut

_OUTLIERS_SHOWN = 12

_HEADER = f"{'device':<22}{'type':<6}{'source':<28}{'rows':>5}{'median':>9}{'MAPE':>8}{'worst':>8}"


def summary(result: FitResult) -> str:
    """Errors with families left out, by device, precision and source; by family; whether intervals hold; the outliers.
    Where none can be left out that is said."""
    failed = [f"not used: {row.where}: {reason}" for fit in result.fits for row, reason in fit.grouped.failed]
    if not result.left_out:
        return "\n".join([*map(_untold, result.fits), *failed])
    lines = ["families left out in turn, what hosts add included", _HEADER]
    for fit in result.fits:
        lines += _by_source(fit)
    lines += ["", f"{'family':<28}{'type':<6}{'rows':>5}{'median':>9}{'MAPE':>8}{'worst':>8}"]
    for fit in result.fits:
        lines += _by_family(fit)
    lines += _coverage(result)
    return "\n".join([*lines, *_outliers(result), *failed])


def _untold(fit: PrecisionFit) -> str:
    rows = sum(len(group.rows) for group in fit.grouped.groups)
    return f"{rows} rows in {fit.precision} are of one family: none can be left out, so that no error is told"


def _by_source(fit: PrecisionFit) -> list[str]:
    keys = sorted({(one.board, one.row.source) for one in fit.left_out})
    return [
        f"{device:<22}{fit.precision:<6}{source[:26]:<28}"
        + _errors([one for one in fit.left_out if (one.board, one.row.source) == (device, source)])
        for device, source in keys
    ]


def _by_family(fit: PrecisionFit) -> list[str]:
    families = sorted({one.row.kin for one in fit.left_out})
    return [
        f"{family[:26]:<28}{fit.precision:<6}" + _errors([one for one in fit.left_out if one.row.kin == family])
        for family in families
    ]


def _errors(found: Sequence[LeftOut]) -> str:
    errors = np.abs([1 / one.ratio - 1 for one in found])
    return f"{len(found):>5}{np.median(errors):>9.1%}{errors.mean():>8.1%}{errors.max():>8.1%}"


def _coverage(result: FitResult) -> list[str]:
    found = coverage(result.left_out)
    if not found:
        return []
    head = f"{'90 % intervals, made from the other families':<56}{'rows':>5}{'inside':>9}{'width':>8}"
    return ["", head, *[f"{name:<56}{c.rows:>5}{c.inside:>9.1%}{c.width:>8.0%}" for name, c in found.items()]]


def _outliers(result: FitResult) -> list[str]:
    """The farthest first; of many only the first."""
    far = sorted(result.outliers(), key=lambda one: -abs(np.log(one.ratio)))
    lines = [
        f"outlier: {one.row.where}: {one.board} {one.row.network}, predicted {1 / one.ratio - 1:+.0%}"
        for one in far[:_OUTLIERS_SHOWN]
    ]
    return lines if len(far) <= _OUTLIERS_SHOWN else [*lines, f"and {len(far) - _OUTLIERS_SHOWN} more outliers"]
