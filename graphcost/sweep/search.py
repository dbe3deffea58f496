"""Along which sizes the totals of a model are polynomials, of which degree, and how far.

Every total is a sum of products of dimensions, with a rounded quotient where a stride or a window divides one. So along
multiples of a large enough number it is a polynomial, from sizes at which nothing is clipped up to sizes at which
something is. Where that is so is found by trying: nothing here knows a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

from graphcost.errors import UserError

from .cells import Cell, Sampler

STEPS = (1, 2, 4, 8, 16, 32, 64, 128, 3, 6, 12, 24, 48, 96, 5, 10, 20, 7, 14, 28, 56, 112, 224)
"""Multiples of these are tried in turn: strides and windows of networks divide one of them."""

MOST_DEGREE = 4
"""Attention over an image is of degree 4 in its side: the highest known."""

_PROBES = MOST_DEGREE + 3
_STARTS = (2, 8, 32, 64, 128, 224, 256, 512)
_MOST_SIZE = 1 << 16
_SCATTERED = 8
_BATCH_SHARE = 16
"""A batch is as many times smaller than a sequence where both cannot be large at once."""

Sizes = dict[str, int]
Figures = tuple[int, ...]


class NoFormula(Exception):
    """No polynomial was found: one sentence."""


@dataclass(frozen=True)
class Range:
    """The multiples of `step` from `low` to `high`."""

    symbol: str
    low: int
    high: int
    step: int = 1

    def __contains__(self, size: int) -> bool:
        return self.low <= size <= self.high and size % self.step == 0


@dataclass(frozen=True)
class Course:
    """Points along one symbol, `count` of them from `first` on, that decide a polynomial."""

    symbol: str
    first: int
    step: int
    count: int = _PROBES

    @property
    def points(self) -> list[int]:
        return [self.first + self.step * i for i in range(self.count)]


TOTALS = ("macs", "flops", "bytes_read", "bytes_written", "weight_bytes")


def totals(cell: Cell) -> Figures:
    """The figures that `TOTALS` names."""
    return (cell.macs, cell.flops, cell.bytes_read, cell.bytes_written, cell.weight_bytes)


def figures(cell: Cell) -> Figures:
    """The totals, then what each kernel finds in memory."""
    return (*totals(cell), *cell.timeline)


def start(
    sampler: Sampler, symbols: Sequence[str], batches: Iterable[str], wanted: Mapping[str, Sequence[int]]
) -> Sizes:
    """Sizes at which the model works, small but not so small that a dimension of 1 is stretched to fit."""
    refused: UserError | None = None
    for size in _STARTS:
        sizes = {s: 2 if s in batches else size for s in symbols}
        sizes.update({s: max(min(values), 2) for s, values in wanted.items() if s in sizes})
        try:
            sampler.at(sizes)
        except UserError as error:
            refused = error
            continue
        return sizes
    raise refused or NoFormula("there is nothing to vary")


def courses(sampler: Sampler, base: Sizes) -> list[Course]:
    """For each symbol the points that decide its polynomial: over the smallest step that gives one."""
    steps = {symbol: _step(sampler, base, symbol) for symbol in base}
    base = {symbol: multiple(size, steps[symbol]) for symbol, size in base.items()}
    found = []
    for symbol, first in base.items():
        course = Course(symbol, first, steps[symbol])
        degree = _degree(_along(sampler, base, course))
        if degree is None:
            raise NoFormula(f"the figures are no polynomial of {symbol}")
        found.append(Course(symbol, first, steps[symbol], degree + 1))
    return found


def _step(sampler: Sampler, base: Sizes, symbol: str) -> int:
    for step in STEPS:
        course = Course(symbol, multiple(base[symbol], step), step)
        if _degree(_along(sampler, base, course)) is not None:
            return step
    raise NoFormula(f"the figures are no polynomial of {symbol}, not even over multiples of one of {max(STEPS)}")


def multiple(size: int, step: int) -> int:
    """The smallest multiple of `step` that is at least `size`."""
    return -(-size // step) * step


def _along(sampler: Sampler, base: Sizes, course: Course) -> list[Figures] | None:
    """The figures at the points of a course; None where the model does not work at one, or has other kernels there."""
    try:
        rows = [figures(sampler.at({**base, course.symbol: point})) for point in course.points]
    except UserError:
        return None
    return rows if len(set(map(len, rows))) == 1 else None


def _degree(rows: Sequence[Figures] | None) -> int | None:
    """The degree of the polynomials through equally distant points: differences of a higher order vanish. None where
    there are too few points for any to vanish, or none do."""
    if rows is None:
        return None
    for degree in range(MOST_DEGREE + 1):
        rows = [tuple(b - a for a, b in zip(row, later)) for row, later in zip(rows, rows[1:])]
        if not any(map(any, rows)):
            return degree
    return None


# How far


def ranges(
    holds: Callable[[Sizes], bool],
    courses: Sequence[Course],
    batches: Iterable[str],
    wanted: Mapping[str, Sequence[int]],
) -> tuple[Range, ...] | None:
    """How far what was found holds: along each symbol, then in all corners at once and at points strewn between. None
    where it does not even hold near the points that it was found at."""
    base = {course.symbol: course.first for course in courses}
    alone = [_reach(holds, base, course) for course in courses]
    for box in _boxes(alone, courses, batches, wanted):
        if all(map(holds, _test_points(box))):
            return tuple(box)
    return None


def _reach(holds: Callable[[Sizes], bool], base: Sizes, course: Course) -> Range:
    """The range of one symbol, the others at their base."""

    def holds_at(size: int) -> bool:
        return holds({**base, course.symbol: size})

    step, first, high = course.step, course.first, course.points[-1]
    low = step if holds_at(step) else _edge(holds_at, first, step, step)
    while high < _MOST_SIZE // step * step:
        beyond = min(4 * high, _MOST_SIZE // step * step)
        if not holds_at(beyond) or not holds_at(beyond - step):
            return Range(course.symbol, low, _edge(holds_at, high, beyond, step), step)
        high = beyond
    return Range(course.symbol, low, high, step)


def _edge(holds_at: Callable[[int], bool], held: int, failed: int, step: int) -> int:
    """The last size towards `failed` at which it still holds, by bisection."""
    while abs(failed - held) > step:
        middle = (held + failed) // (2 * step) * step
        held, failed = (middle, failed) if holds_at(middle) else (held, middle)
    return held


def _boxes(
    alone: Sequence[Range], courses: Sequence[Course], batches: Iterable[str], wanted: Mapping[str, Sequence[int]]
) -> Iterable[list[Range]]:
    """The whole reach first, then what is wanted of it, then ever less: batches are cut before what makes up one
    sequence or image."""
    yield list(alone)
    yield [_within(r, min(wanted.get(r.symbol, (r.low,))), max(wanted.get(r.symbol, (r.high,)))) for r in alone]
    for shift in range(16):
        limit = _MOST_SIZE >> shift
        limits = [limit // _BATCH_SHARE if course.symbol in batches else limit for course in courses]
        yield [_within(r, r.low, max(most, c.points[-1])) for r, c, most in zip(alone, courses, limits)]


def _within(reach: Range, low: int, high: int) -> Range:
    """The part of a range from `low` to `high`, if any is there."""
    step = reach.step
    low, high = max(reach.low, multiple(low, step)), min(reach.high, high // step * step)
    return Range(reach.symbol, low, high, step) if low <= high else reach


def _test_points(box: Sequence[Range]) -> list[Sizes]:
    """Corners of the box and points inside of it; the same each time."""
    corners = product(*((r.low, r.high) for r in box)) if len(box) <= 4 else [[r.high for r in box]]
    chance = Random(0)
    inside = [[chance.randrange(r.low, r.high + 1, r.step) for r in box] for _ in range(_SCATTERED)]
    return [dict(zip((r.symbol for r in box), point)) for point in (*corners, *inside)]
