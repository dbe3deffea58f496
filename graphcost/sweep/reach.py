"""How far a formula holds: along each symbol, then in all corners at once and at points strewn between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

from .search import Course, Question, Sizes, multiple

_MOST_SIZE = 1 << 16
_SCATTERED = 8
_BATCH_SHARE = 16
"""A batch is as many times smaller than a sequence where both cannot be large at once."""


@dataclass(frozen=True)
class Range:
    """The multiples of `step` from `low` to `high`."""

    symbol: str
    low: int
    high: int
    step: int = 1

    def __contains__(self, size: int) -> bool:
        return self.low <= size <= self.high and size % self.step == 0


Box = tuple[Range, ...]


def box_of(holds: Callable[[Sizes], bool], courses: Sequence[Course], asked: Question) -> Box | None:
    """The sizes for which something holds that was found over these courses. None where it does not even hold near
    the points that it was found at."""
    base = {course.symbol: course.first for course in courses}
    alone = [_reach(holds, base, course) for course in courses]
    return next((box for box in _boxes(alone, courses, asked) if all(map(holds, _test_points(box)))), None)


def _reach(holds: Callable[[Sizes], bool], base: Sizes, course: Course) -> Range:
    """The range of one symbol, the others at their base."""

    def holds_at(size: int) -> bool:
        return holds({**base, course.symbol: size})

    step, first, high = course.step, course.first, course.points[-1]
    low = step if holds_at(step) else _edge(holds_at, first, step, step)
    most = _MOST_SIZE // step * step
    while high < most:
        beyond = min(4 * high, most)
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


def _boxes(alone: Sequence[Range], courses: Sequence[Course], asked: Question) -> Iterator[Box]:
    """The whole reach first, then what is wanted of it, then ever less: batches are cut before what makes up one
    sequence or image."""
    firsts, lows = [course.first for course in courses], [r.low for r in alone]
    wanted = [asked.wanted.get(r.symbol, (r.low, r.high)) for r in alone]
    yield tuple(alone)
    yield _cut(alone, map(min, wanted), map(max, wanted))
    yield _cut(alone, firsts, map(max, wanted))
    for shift in range(16):
        limit = _MOST_SIZE >> shift
        limits = [limit // _BATCH_SHARE if course.symbol in asked.batches else limit for course in courses]
        highs = [max(limit, course.points[-1]) for limit, course in zip(limits, courses)]
        yield _cut(alone, lows, highs)
        yield _cut(alone, firsts, highs)


def _cut(ranges: Sequence[Range], lows: Iterable[int], highs: Iterable[int]) -> Box:
    """The parts of ranges from `lows` to `highs`, where any is there."""
    return tuple(_within(r, low, high) for r, low, high in zip(ranges, lows, highs))


def _within(reach: Range, low: int, high: int) -> Range:
    step = reach.step
    low, high = max(reach.low, multiple(low, step)), min(reach.high, high // step * step)
    return Range(reach.symbol, low, high, step) if low <= high else reach


def _test_points(box: Box) -> list[Sizes]:
    """Corners of the box and points inside of it; the same each time."""
    corners = product(*((r.low, r.high) for r in box)) if len(box) <= 4 else [[r.high for r in box]]
    chance = Random(0)
    inside = [[chance.randrange(r.low, r.high + 1, r.step) for r in box] for _ in range(_SCATTERED)]
    return [dict(zip((r.symbol for r in box), point)) for point in (*corners, *inside)]
