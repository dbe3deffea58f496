"""Where a size that changes sits inside of the dimensions, and where a Reshape carries it.

A dimension is a product of factors in row-major order; most have one. `12·B` heads of a batch that goes from 1 to 8 are
`(1→8, 12→12)`: the batch is the outer part. A Reshape moves borders between dimensions, and every factor keeps its
place in the order of the elements, so that one can tell in which of the new dimensions it lies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple, TypeAlias


class Factor(NamedTuple):
    """A part of a dimension, before and after the change."""

    old: int
    new: int

    @property
    def changes(self) -> bool:
        return self.old != self.new


Axis: TypeAlias = tuple[Factor, ...]


def old_size(axis: Iterable[Factor]) -> int:
    return prod(factor.old for factor in axis)


def new_size(axis: Iterable[Factor]) -> int:
    return prod(factor.new for factor in axis)


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch of the row-major order: from the stride `low` of its steps to the `high` of the whole stretch."""

    high: int
    low: int

    @property
    def size(self) -> int:
        return self.high // self.low


def regroup(axes: Sequence[Axis], target: Sequence[int]) -> list[Axis] | None:
    """The factors of each dimension of `target`, the old dimensions that a Reshape gave; None where a factor that
    changes is cut in a way that does not say which part changes."""
    factors = [factor for axis in axes for factor in axis]
    if not target or 0 in target or prod(target) != old_size(factors) or old_size(factors) == 0:
        return None
    spans, places = _spans([factor.old for factor in factors]), _spans(target)
    parts: list[list[tuple[_Span, Factor]]] = [[] for _ in target]
    for index, factor in enumerate(factors):
        if not factor.changes:
            continue
        if factor.old == 1:
            parts[_place(index, spans, places)].append((spans[index], factor))
        elif not _lay(factor, spans[index], places, parts):
            return None
    made = [_filled(span, inside) for span, inside in zip(places, parts)]
    return None if None in made else [axis for axis in made if axis is not None]


def _spans(sizes: Sequence[int]) -> list[_Span]:
    spans, high = [], prod(sizes)
    for size in sizes:
        spans.append(_Span(high, high // size))
        high //= size
    return spans


def _lay(factor: Factor, span: _Span, places: Sequence[_Span], parts: Sequence[list[tuple[_Span, Factor]]]) -> bool:
    """Put a factor into the dimensions that it reaches over; the outermost of them takes the change."""
    grown = False
    for place, inside in zip(places, parts):
        piece = _Span(min(place.high, span.high), max(place.low, span.low))
        if place.size == 1 or piece.high <= piece.low:
            continue
        if piece.high % piece.low:
            return False
        new, rest = (piece.size, 0) if grown else divmod(piece.size * factor.new, factor.old)
        if rest:
            return False
        inside.append((piece, Factor(piece.size, new)))
        grown = True
    return True


def _place(index: int, spans: Sequence[_Span], places: Sequence[_Span]) -> int:
    """Where a factor that had size 1 goes: to a dimension of 1 in the same place; else to the dimension in which it
    lies; on the border of two to the inner one (N·heads of `[length, N·heads, size]`), unless that is the innermost,
    which holds features (length·N of `[length·N, features]`)."""
    stride = spans[index].low
    ones = [i for i, place in enumerate(places) if place == _Span(stride, stride)]
    if ones:
        before = sum(span == spans[index] for span in spans[:index])
        return ones[min(before, len(ones) - 1)]
    for i, place in enumerate(places):
        if place.low < stride < place.high:
            return i
    outer = [i for i, place in enumerate(places) if place.low == stride and place.size > 1]
    inner = [i for i, place in enumerate(places) if place.high == stride and place.size > 1]
    if inner and (inner[0] < len(places) - 1 or not outer):
        return inner[0]
    return outer[0] if outer else 0


def _filled(place: _Span, inside: Sequence[tuple[_Span, Factor]]) -> Axis | None:
    """The factors of a dimension: those that change, and between them what does not."""
    axis, high = [], place.high
    for span, factor in (*inside, (_Span(place.low, place.low), Factor(1, 1))):
        if high % span.high:
            return None
        axis += [_constant(high // span.high), factor]
        high = span.low
    kept = tuple(factor for factor in axis if factor != (1, 1))
    return kept or (Factor(1, 1),)


def _constant(size: int) -> Factor:
    return Factor(size, size)
