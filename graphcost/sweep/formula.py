"""The totals of a model as formulas of its dimensions: interpolated exactly, then held against further analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from operator import attrgetter

import numpy

from graphcost.errors import UserError

from .cells import Cell, Sampler
from .envelope import largest
from .polynomial import Polynomial, interpolate, spell
from .reach import Box, box_of
from .search import Course, Figures, NoFormula, Prober, Question, Sizes, start

MOST_POINTS = 400
"""So many analyses are still a matter of seconds."""

MEASURES = ("macs", "flops", "bytes_read", "bytes_written", "weight_bytes", "peak_activation_bytes")


@dataclass(frozen=True)
class Formula:
    """A polynomial, or the largest of several, and for which sizes it was held against analyses."""

    pieces: tuple[Polynomial, ...]
    ranges: Box

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
    """Formulas by measure, named as the totals of a report, and why some measures have none."""

    symbols: tuple[str, ...]
    by_measure: Mapping[str, Formula]
    missing: Mapping[str, str]
    analyses: int
    """Exact analyses that were made: those that the formulas go through, and those that they were held against."""


def find_formulas(sampler: Sampler, asked: Question) -> Formulas:
    """The formulas of a model. Raises a UserError where the model works at no size."""
    base = start(sampler, asked)
    found: dict[str, Formula] = {}
    missing: dict[str, str] = {}
    for measure in MEASURES:
        try:
            found[measure] = _Finder(sampler, measure, asked).find(base)
        except NoFormula as reason:
            missing[measure] = str(reason)
    return Formulas(asked.symbols, found, missing, sampler.count)


class _Finder:
    """Finds the formula of one measure."""

    def __init__(self, sampler: Sampler, measure: str, asked: Question) -> None:
        self.sampler = sampler
        self.measure = measure
        self.asked = asked
        self.total = attrgetter(measure)
        self.prober = Prober(sampler, self._figures, asked)

    def _figures(self, cell: Cell) -> Figures:
        """What is polynomial: the total; of the peak, what is in memory at each moment."""
        total = self.total(cell)
        if total is None:
            raise NoFormula("the size of a tensor is not known")
        return cell.timeline if self.measure == "peak_activation_bytes" else (total,)

    def find(self, base: Sizes) -> Formula:
        courses = self.prober.courses(base)
        pieces = self._fit(courses)
        verified = self._verified(pieces, courses)
        if len(pieces) == 1:
            return Formula(pieces, verified)
        few = largest(pieces, verified)
        return Formula(few, self._verified(few, courses))

    def _fit(self, courses: Sequence[Course]) -> tuple[Polynomial, ...]:
        """The distinct polynomials through a grid of figures."""
        if (count := prod(course.count for course in courses)) > MOST_POINTS:
            raise NoFormula(f"{len(courses)} dimensions take {count:,} analyses: fix some with --dim")
        symbols, points = [course.symbol for course in courses], [course.points for course in courses]
        rows = self._rows([dict(zip(symbols, point)) for point in product(*points)])
        columns = list(dict.fromkeys(zip(*rows)))
        grid = numpy.array(list(zip(*columns)), dtype=object)
        return tuple(interpolate(symbols, points, grid.reshape(*map(len, points), len(columns))))

    def _rows(self, places: Sequence[Sizes]) -> list[Figures]:
        try:
            rows = [self.prober.at(sizes) for sizes in places]
        except UserError as error:
            raise NoFormula(str(error)) from error
        if len(set(map(len, rows))) > 1:
            raise NoFormula("the model runs other kernels at other sizes")
        return rows

    def _verified(self, pieces: Sequence[Polynomial], courses: Sequence[Course]) -> Box:
        """For which sizes the largest of some polynomials is the total."""

        def holds(sizes: Sizes) -> bool:
            try:
                total = self.total(self.sampler.at(sizes))
            except UserError:
                return False
            return bool(total == max(piece.at(sizes) for piece in pieces))

        box = box_of(holds, courses, self.asked)
        if box is None:
            raise NoFormula("what fits some sizes does not fit others nearby")
        return box
