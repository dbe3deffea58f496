"""Placing blocks of memory one after another: each at the lowest place that is free as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .storage import Storage


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What is to be placed: a storage with its padded size."""

    storage: Storage
    size: int

    @property
    def lifetime(self) -> int:
        """The number of nodes during which it is needed."""
        return self.storage.last - self.storage.first + 1


def extent(blocks: Iterable[Block], offsets: dict[Storage, int]) -> int:
    """The size of the arena that the offsets need."""
    return max((offsets[block.storage] + block.size for block in blocks), default=0)


def place_in_order(blocks: Sequence[Block], steps: int) -> dict[Storage, int]:
    """Each block, in the order given, at the lowest offset where nothing placed before is in its way."""
    taken = _Taken(steps)
    offsets: dict[Storage, int] = {}
    for block in blocks:
        first, last = block.storage.first, block.storage.last
        offset = _lowest(sorted(taken.between(first, last)), block.size)
        taken.add(first, last, (offset, offset + block.size))
        offsets[block.storage] = offset
    return offsets


def _lowest(taken: Sequence[tuple[int, int]], size: int) -> int:
    """The start of the lowest gap of `size` bytes between ranges that are sorted by their starts."""
    free_from = 0
    for start, end in taken:
        if start - free_from >= size:
            break
        free_from = max(free_from, end)
    return free_from


class _Taken:
    """Ranges of bytes by the nodes during which they are taken. Finding those in the way costs as many steps as there
    are, and one for each node of the time asked about: few, as almost everything lives shortly."""

    def __init__(self, steps: int) -> None:
        self._during: list[list[tuple[int, int]]] = [[] for _ in range(steps)]
        self._from: list[list[tuple[int, int]]] = [[] for _ in range(steps)]

    def add(self, first: int, last: int, taken: tuple[int, int]) -> None:
        self._from[first].append(taken)
        for time in range(first, last + 1):
            self._during[time].append(taken)

    def between(self, first: int, last: int) -> list[tuple[int, int]]:
        """What is taken at any time from `first` to `last`: what already is at `first`, and what begins later."""
        found = list(self._during[first])
        for time in range(first + 1, last + 1):
            found += self._from[time]
        return found
