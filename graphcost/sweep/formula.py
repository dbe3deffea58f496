"""The totals of a model as formulas of its dimensions: interpolated exactly, then held against further analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy

from graphcost.errors import UserError

from .cells import Sampler
from .polynomial import Polynomial, interpolate, spell
from .search import Course, NoFormula, Range, courses, figures, ranges, start

MOST_POINTS = 400
"""So many analyses are still a matter of seconds."""

MEASURES = ("macs", "elementwise_ops", "bytes_read", "bytes_written", "weight_bytes")


@dataclass(frozen=True)
class Formula:
    """A polynomial, or the largest of several."""

    pieces: tuple[Polynomial, ...]

    def at(self, sizes: Mapping[str, int]) -> int:
        """The figure at these sizes. Only inside the ranges that the formula was verified in is it to be believed."""
        value = max(piece.at(sizes) for piece in self.pieces)
        if value.denominator != 1:
            raise ValueError(f"the formula does not hold at {dict(sizes)}: it gives no whole number there")
        return value.numerator

    def __str__(self) -> str:
        texts = [spell(piece) for piece in self.pieces]
        return texts[0] if len(texts) == 1 else f"max({', '.join(texts)})"


@dataclass(frozen=True)
class Formulas:
    """Formulas by measure, and for which sizes they were verified. None: the measure is unknown at every size."""

    by_measure: Mapping[str, Formula | None]
    ranges: tuple[Range, ...]
    analyses: int
    """Exact analyses that were made: those that the formulas go through, and those that they were held against."""

    def covers(self, sizes: Mapping[str, int]) -> bool:
        return all(sizes[r.symbol] in r for r in self.ranges)


def find_formulas(
    sampler: Sampler, symbols: Sequence[str], batches: Sequence[str], wanted: Mapping[str, Sequence[int]]
) -> Formulas:
    """The formulas of a model in these symbols. `wanted` are sizes of some of them that should be covered.

    Raises NoFormula where the totals are no polynomials of a symbol, a UserError where the model works at no size.
    """
    ways = courses(sampler, start(sampler, symbols, batches, wanted))
    if (count := prod(course.count for course in ways)) > MOST_POINTS:
        raise NoFormula(f"{len(ways)} dimensions take {count:,} analyses: fix some with --dim")
    found = _fit(sampler, ways)
    trial = _Trial(sampler, found)
    limits = tuple(ranges(trial.holds, ways, batches, wanted))
    measures: dict[str, Formula | None] = dict(zip(MEASURES, (Formula((p,)) for p in found)))
    measures["peak_activation_bytes"] = None if trial.is_unsized else Formula(_largest(found[len(MEASURES) :], limits))
    return Formulas(measures, limits, sampler.count)


def _fit(sampler: Sampler, ways: Sequence[Course]) -> list[Polynomial]:
    """The polynomials of all figures, through a grid."""
    symbols, points = [way.symbol for way in ways], [way.points for way in ways]
    rows = [figures(sampler.at(dict(zip(symbols, point)))) for point in product(*points)]
    if len(set(map(len, rows))) > 1:
        raise NoFormula("the model runs other kernels at other sizes")
    columns = list(dict.fromkeys(zip(*rows)))
    shape = (*(way.count for way in ways), len(columns))
    distinct = interpolate(symbols, points, numpy.array(list(zip(*columns)), dtype=object).reshape(shape))
    by_column = dict(zip(columns, distinct))
    return [by_column[column] for column in zip(*rows)]


class _Trial:
    """Holds polynomials against analyses."""

    def __init__(self, sampler: Sampler, found: Sequence[Polynomial]) -> None:
        self.sampler = sampler
        self.totals = found[: len(MEASURES)]
        self.memory = list({id(p): p for p in found[len(MEASURES) :]}.values())
        self.is_unsized = False

    def holds(self, sizes: Mapping[str, int]) -> bool:
        try:
            cell = self.sampler.at(sizes)
        except UserError:
            return False
        self.is_unsized |= cell.peak_activation_bytes is None
        return self._totals(sizes) == figures(cell)[: len(MEASURES)] and self._peak(sizes) == max(cell.timeline, default=0)

    def _totals(self, sizes: Mapping[str, int]) -> tuple[object, ...]:
        return tuple(p.at(sizes) for p in self.totals)

    def _peak(self, sizes: Mapping[str, int]) -> object:
        return max((p.at(sizes) for p in self.memory), default=0)


# The peak: the largest of what is in memory at each moment


def _largest(moments: Sequence[Polynomial], limits: Sequence[Range]) -> tuple[Polynomial, ...]:
    """Of the moments those that are the fullest somewhere in the ranges."""
    distinct = list({id(p): p for p in moments}.values())
    lows = [r.low for r in limits]
    kept: list[Polynomial] = []
    for moment in distinct:
        if not any(_dominates(other, moment, lows) for other in kept):
            kept = [other for other in kept if not _dominates(moment, other, lows)] + [moment]
    return tuple(_fullest(kept, limits))


def _dominates(a: Polynomial, b: Polynomial, lows: Sequence[int]) -> bool:
    """Whether a ≥ b at all sizes from `lows` on: a sufficient condition."""
    return all(c >= 0 for c in (a - b).shifted(lows).terms.values())


def _fullest(moments: Sequence[Polynomial], limits: Sequence[Range]) -> list[Polynomial]:
    """Those that are the fullest at a point of a grid over the ranges."""
    if len(moments) < 2:
        return list(moments)
    symbols, grid = [r.symbol for r in limits], product(*map(_graded, limits))
    first = [max(moments, key=lambda m: m.at(dict(zip(symbols, point)))) for point in grid]  # noqa: B023
    return list({id(m): m for m in first}.values())


def _graded(limit: Range) -> list[int]:
    """Sizes over a range, each a quarter larger than the one before."""
    sizes, size = {limit.high}, limit.low
    while size < limit.high:
        sizes.add(size)
        size += max(size // 4 // limit.step, 1) * limit.step
    return sorted(sizes)
