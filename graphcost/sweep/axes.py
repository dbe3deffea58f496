"""What a sweep goes over: `batch=1,8,32`, `seq=128:1024:128`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from graphcost.errors import UsageError

MOST_CELLS = 10_000
"""More cells than anybody reads, and a minute or more of work."""

_NUMBERS = re.compile(r"\s*(\d+)\s*(?::\s*(\d+)\s*(?::\s*(\d+)\s*)?)?")
_FORMS = "NAME=1,8,32 or NAME=128:1024:128 (start:stop:step, both ends included)"


@dataclass(frozen=True)
class Axis:
    """The sizes that one dimension takes."""

    name: str
    values: tuple[int, ...]


def parse_axes(texts: Iterable[str]) -> tuple[Axis, ...]:
    """The axes of a sweep, in the order given. UsageError with the accepted forms where one cannot be read."""
    axes = tuple(map(_parse_axis, texts))
    names = [axis.name for axis in axes]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"sweep: '{twice[0]}' is given twice; join its sizes: {twice[0]}=1,8,32")
    if (count := prod(len(axis.values) for axis in axes)) > MOST_CELLS:
        raise UsageError(f"sweep: {count:,} cells are more than the {MOST_CELLS:,} that one table can have")
    return axes


def _parse_axis(text: str) -> Axis:
    name, equals, sizes = text.partition("=")
    if not name.strip() or not equals:
        raise UsageError(f"cannot read sweep '{text}'; write {_FORMS}")
    values = [value for part in sizes.split(",") for value in _parse_values(part, text)]
    return Axis(name.strip(), tuple(dict.fromkeys(values)))


def _parse_values(part: str, text: str) -> Sequence[int]:
    match = _NUMBERS.fullmatch(part)
    if match is None:
        raise UsageError(f"cannot read sweep '{text}'; write {_FORMS}")
    start, stop, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
    if start < 1 or step < 1 or stop < start:
        raise UsageError(f"sweep '{text}': sizes begin at 1 and grow; write {_FORMS}")
    if (stop - start) // step >= MOST_CELLS:
        raise UsageError(f"sweep '{text}' has more than the {MOST_CELLS:,} cells that one table can have")
    return range(start, stop + 1, step)


def combinations(axes: Sequence[Axis]) -> list[dict[str, int]]:
    """Every combination of the sizes, the last axis fastest."""
    names = [axis.name for axis in axes]
    return [dict(zip(names, sizes)) for sizes in product(*(axis.values for axis in axes))]
