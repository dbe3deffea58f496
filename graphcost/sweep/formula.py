"""The totals of a model as formulas of its dimensions: interpolated exactly, then held against further analyses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy

from graphcost.errors import UserError

from .cells import Cell, Sampler
from .envelope import largest
from .polynomial import Polynomial, interpolate, spell
from .search import TOTALS, Course, NoFormula, Range, courses, figures, ranges, start, totals

MOST_POINTS = 400
"""So many analyses are still a matter of seconds."""

PEAK = "peak_activation_bytes"


@dataclass(frozen=True)
class Formula:
    """A polynomial, or the largest of several, and for which sizes it was held against analyses."""

    pieces: tuple[Polynomial, ...]
    ranges: tuple[Range, ...]

    def at(self, sizes: Mapping[str, int]) -> int:
        """The figure at these sizes. ValueError where it was not verified."""
        if not self.covers(sizes):
            raise ValueError(f"the formula was not verified at {dict(sizes)}")
        return int(max(piece.at(sizes) for piece in self.pieces))

    def covers(self, sizes: Mapping[str, int]) -> bool:
        return all(sizes[r.symbol] in r for r in self.ranges)

    def __str__(self) -> str:
        texts = [spell(piece) for piece in self.pieces]
        return texts[0] if len(texts) == 1 else f"max({', '.join(texts)})"


@dataclass(frozen=True)
class Formulas:
    """Formulas by measure, named as the totals of a report; None where a measure has none."""

    symbols: tuple[str, ...]
    by_measure: Mapping[str, Formula | None]
    analyses: int
    """Exact analyses that were made: those that the formulas go through, and those that they were held against."""


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

    def reach(holds: Callable[[Cell], bool]) -> tuple[Range, ...] | None:
        return ranges(_tried(sampler, holds), ways, batches, wanted)

    named = {name: _total(index, found[index], reach) for index, name in enumerate(TOTALS)}
    peak = _peak(list(dict.fromkeys(found[len(TOTALS) :])), reach)
    return Formulas(tuple(symbols), {**named, PEAK: peak}, sampler.count)


def _fit(sampler: Sampler, ways: Sequence[Course]) -> list[Polynomial]:
    """The polynomials of all figures, through a grid; equal ones are one."""
    symbols, points = [way.symbol for way in ways], [way.points for way in ways]
    rows = [figures(sampler.at(dict(zip(symbols, point)))) for point in product(*points)]
    if len(set(map(len, rows))) > 1:
        raise NoFormula("the model runs other kernels at other sizes")
    columns = list(dict.fromkeys(zip(*rows)))
    shape = (*(way.count for way in ways), len(columns))
    distinct = interpolate(symbols, points, numpy.array(list(zip(*columns)), dtype=object).reshape(shape))
    by_column = dict(zip(columns, distinct))
    return [by_column[column] for column in zip(*rows)]


_Reach = Callable[[Callable[[Cell], bool]], "tuple[Range, ...] | None"]


def _tried(sampler: Sampler, holds: Callable[[Cell], bool]) -> Callable[[dict[str, int]], bool]:
    """Whether something holds at sizes; not where the model does not work."""

    def holds_at(sizes: dict[str, int]) -> bool:
        try:
            return holds(sampler.at(sizes))
        except UserError:
            return False

    return holds_at


def _total(index: int, found: Polynomial, reach: _Reach) -> Formula | None:
    verified = reach(lambda cell: totals(cell)[index] == found.at(cell.sizes))
    return None if verified is None else Formula((found,), verified)


def _peak(moments: Sequence[Polynomial], reach: _Reach) -> Formula | None:
    """The fullest moment; what is shown are the moments that are the fullest somewhere, and these are verified."""

    def holds(pieces: Sequence[Polynomial]) -> Callable[[Cell], bool]:
        return lambda cell: cell.peak_activation_bytes == max((p.at(cell.sizes) for p in pieces), default=0)

    roughly = reach(holds(moments))
    if roughly is None:
        return None
    pieces = largest(moments, roughly)
    verified = reach(holds(pieces))
    return None if verified is None else Formula(pieces, verified)
