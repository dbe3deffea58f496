"""The largest of many polynomials, as the maximum of a few."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from .polynomial import Polynomial
from .reach import Range


def largest(polynomials: Sequence[Polynomial], ranges: Sequence[Range]) -> tuple[Polynomial, ...]:
    """Those that are the largest somewhere in the ranges."""
    lows = [r.low for r in ranges]
    kept: list[Polynomial] = []
    for polynomial in polynomials:
        if not any(_dominates(other, polynomial, lows) for other in kept):
            kept = [other for other in kept if not _dominates(polynomial, other, lows)] + [polynomial]
    return tuple(_winners(kept, ranges))


def _dominates(a: Polynomial, b: Polynomial, lows: Sequence[int]) -> bool:
    """Whether a ≥ b at all sizes from `lows` on: it is, where a - b counted from there has no negative coefficient."""
    return all(c >= 0 for c in (a - b).shifted(lows).terms.values())


def _winners(polynomials: Sequence[Polynomial], ranges: Sequence[Range]) -> list[Polynomial]:
    """Those that are the largest at a point of a grid over the ranges."""
    if len(polynomials) < 2:
        return list(polynomials)
    symbols = [r.symbol for r in ranges]
    grid = [dict(zip(symbols, point)) for point in product(*map(_graded, ranges))]
    return list(dict.fromkeys(_winner(polynomials, sizes) for sizes in grid))


def _winner(polynomials: Sequence[Polynomial], sizes: dict[str, int]) -> Polynomial:
    return max(polynomials, key=lambda polynomial: polynomial.at(sizes))


def _graded(limit: Range) -> list[int]:
    """Sizes over a range, each a quarter larger than the one before."""
    sizes, size = {limit.high}, limit.low
    while size < limit.high:
        sizes.add(size)
        size += max(size // 4 // limit.step, 1) * limit.step
    return sorted(sizes)
