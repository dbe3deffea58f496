"""Along which sizes the figures of a model are polynomials, of which degree, and how far.

Every total is a sum of products of dimensions, with a rounded quotient where a stride or a window divides one. So along
multiples of a large enough number it is a polynomial, from sizes at which nothing is clipped up to sizes at which
something is. Where that is so is found by trying: nothing here knows a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import comb
from operator import mul

from graphcost.errors import UserError

from .cells import BATCH, Cell, Sampler

STEPS = (2, 4, 8, 16, 32, 64, 128, 3, 6, 12, 24, 48, 96, 5, 10, 20, 7, 14, 28, 56, 112, 224)
"""Multiples of these are tried in turn: strides and windows of networks divide one of them."""

MOST_DEGREE = 4
"""Attention over an image is of degree 4 in its side: the highest known."""

_PROBES = MOST_DEGREE + 3
_FAR = ((9, 61, 222), (9, 41))
"""Further probes, in steps from the first: far away a quotient that is rounded shows. Fewer where the model ends before
or does something else there."""

_SCALES = (1, 2, 8)
"""Where something is clipped among small sizes, the probes begin at larger ones."""

_STARTS = (2, 8, 32, 64, 128, 224, 256, 512)

Sizes = dict[str, int]
Figures = tuple[int, ...]


class NoFormula(Exception):
    """No polynomial was found: one sentence."""


@dataclass(frozen=True)
class Course:
    """Points along one symbol, `count` of them from `first` on, that decide a polynomial over multiples of `step`."""

    symbol: str
    first: int
    step: int
    count: int = _PROBES

    @property
    def points(self) -> list[int]:
        return [self.first + self.step * i for i in range(self.count)]


@dataclass(frozen=True)
class Question:
    """Which sizes may vary, which of them stand for the batch, and sizes of some that should be covered."""

    symbols: tuple[str, ...]
    batches: frozenset[str] = frozenset({BATCH})
    wanted: Mapping[str, Sequence[int]] = field(default_factory=dict)


def start(sampler: Sampler, asked: Question) -> Sizes:
    """Sizes at which the model works, small but not so small that a dimension of 1 is stretched to fit."""
    refused: UserError | None = None
    for size in _STARTS:
        sizes = {s: 2 if s in asked.batches else size for s in asked.symbols}
        sizes.update({s: max(min(values), 2) for s, values in asked.wanted.items()})
        try:
            sampler.at(sizes)
        except UserError as error:
            refused = error
            continue
        return sizes
    raise refused or NoFormula("there is nothing to vary")


class Prober:
    """Looks at some figures of a model along its symbols."""

    def __init__(self, sampler: Sampler, read: Callable[[Cell], Figures], asked: Question) -> None:
        self.sampler = sampler
        self.read = read
        self.asked = asked

    def at(self, sizes: Mapping[str, int]) -> Figures:
        """The figures at these sizes. Raises as the sampler does."""
        return self.read(self.sampler.at(sizes))

    def courses(self, base: Sizes) -> list[Course]:
        """For each symbol the points that decide its polynomial: over the smallest step that gives one."""
        probes = [self._probe(base, symbol) for symbol in base]
        base = {probe.symbol: probe.first for probe in probes}
        found = []
        for probe in probes:
            degree = self._degree(base, probe, ())
            if degree is None:
                raise NoFormula(f"no polynomial of {probe.symbol}")
            found.append(Course(probe.symbol, probe.first, probe.step, count=degree + 1))
        return found

    def _probe(self, base: Sizes, symbol: str) -> Course:
        for far, course in _candidates(symbol, base[symbol], self.asked.wanted.get(symbol, ())):
            if far and self._degree(base, course, far) is not None:
                return course
        raise NoFormula(f"no polynomial of {symbol}, not even over multiples of one of 1 to {max(STEPS)}")

    def _degree(self, base: Sizes, course: Course, far: Sequence[int]) -> int | None:
        """The degree of the polynomials through the points of a course, which also go through those `far` steps away.
        None where there are none, where the model does not work at a point, or has other kernels there."""
        places = [course.first + course.step * steps for steps in reversed(far)] + course.points
        try:
            rows = [self.at({**base, course.symbol: place}) for place in places]
        except UserError:
            return None
        if len(set(map(len, rows))) > 1:
            return None
        differences = _differences(rows[len(far) :])
        if differences is None or any(_continued(differences, s) != row for s, row in zip(reversed(far), rows)):
            return None
        return len(differences) - 1


def _candidates(symbol: str, first: int, wanted: Sequence[int]) -> Iterator[tuple[tuple[int, ...], Course]]:
    """Far probes and courses: points inside of what is wanted first, then over all sizes, then over multiples."""
    for step in (1, *STEPS):
        yield _inside(wanted, step), Course(symbol, multiple(first, step), step)
    for far, scale in product(_FAR, _SCALES):
        yield far, Course(symbol, scale * first, 1)
    for far, step in product(_FAR, STEPS):
        yield far, Course(symbol, multiple(first, step), step)


def _inside(wanted: Sequence[int], step: int) -> tuple[int, ...]:
    """Far probes in the range of the wanted sizes; none where it is not longer than the near probes."""
    steps = (max(wanted) - min(wanted)) // step - 1 if wanted else 0
    return (steps // 2 + _PROBES // 2, steps) if steps >= _PROBES else ()


def multiple(size: int, step: int) -> int:
    """The smallest multiple of `step` that is at least `size`."""
    return -(-size // step) * step


def _differences(rows: Sequence[Figures]) -> list[Figures] | None:
    """The first row, its difference to the next, the difference of these, …, up to the last that is not zero. None
    where they do not vanish early enough to tell that they do."""
    found = [rows[0]]
    for _ in range(MOST_DEGREE + 1):
        rows = [tuple(b - a for a, b in zip(row, later)) for row, later in zip(rows, rows[1:])]
        if not any(map(any, rows)):
            return found
        found.append(rows[0])
    return None


def _continued(differences: Sequence[Figures], steps: int) -> Figures:
    """The polynomials so many steps from the first point: Newton's forward formula."""
    weights = [comb(steps, order) for order in range(len(differences))]
    return tuple(sum(map(mul, weights, column)) for column in zip(*differences))
