"""Whether intervals hold what they say: each family against intervals made from all other families."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from graphcost.intervals import factors_from_others

from .solve import LeftOut


class Coverage(NamedTuple):
    """Rows of a board with an interval; the share of them inside; its median width, as a part of the prediction."""

    rows: int
    inside: float
    width: float


def coverage(left_out: Sequence[LeftOut]) -> dict[str, Coverage]:
    """By board; "all" for all of them. Rows without an interval, for want of other families, count nowhere."""
    held: dict[str, list[tuple[bool, float]]] = {}
    for family in sorted({one.row.kin for one in left_out}):
        for one, (low, high) in _with_factors(family, left_out):
            for name in (one.board, "all"):
                held.setdefault(name, []).append((low <= one.ratio <= high, high - low))
    return {name: _of(rows) for name, rows in sorted(held.items())}


def _of(rows: Sequence[tuple[bool, float]]) -> Coverage:
    inside, width = zip(*rows)
    return Coverage(len(rows), float(np.mean(inside)), float(np.median(width)))


def _with_factors(family: str, left_out: Sequence[LeftOut]) -> Iterator[tuple[LeftOut, tuple[float, float]]]:
    factors = factors_from_others(family, [(one.row.kin, one.board, one.ratio) for one in left_out])
    for one in left_out:
        if one.row.kin == family and (pair := factors[one.board]) is not None:
            yield one, pair
