"""Best fit over time: what an allocator does that sees one request after the other."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

from .placement import Block
from .storage import Storage


def best_fit(blocks: Sequence[Block], steps: int) -> dict[Storage, int]:
    """Walk through time; a block takes the smallest hole that holds it, at the moment in which it is first needed."""
    starting: list[list[Block]] = [[] for _ in range(steps)]
    ending: list[list[Block]] = [[] for _ in range(steps)]
    for block in blocks:
        starting[block.storage.first].append(block)
        ending[block.storage.last].append(block)
    holes = _Holes()
    offsets: dict[Storage, int] = {}
    for new, old in zip(starting, ending):
        for block in sorted(new, key=lambda b: -b.size):
            offsets[block.storage] = holes.take(block.size)
        for block in old:
            holes.give(offsets[block.storage], block.size)
    return offsets


class _Holes:
    """Free ranges below the top of the arena, by size and by position; neighbours are always joined."""

    def __init__(self) -> None:
        self._top = 0
        self._by_size: list[tuple[int, int]] = []  # (size, start), sorted
        self._by_start: dict[int, int] = {}  # start -> size
        self._by_end: dict[int, int] = {}  # end -> size

    def take(self, size: int) -> int:
        """Where `size` bytes go: the smallest hole that holds them, else the top, which then moves."""
        found = bisect_left(self._by_size, (size, 0))
        if found < len(self._by_size):
            hole, start = self._by_size[found]
            self._remove(start, hole)
            self._insert(start + size, hole - size)
            return start
        last = self._by_end.get(self._top, 0)  # a hole at the top only has to grow
        start = self._top - last
        self._remove(start, last)
        self._top = start + size
        return start

    def give(self, start: int, size: int) -> None:
        """Free a range, joined with the holes on both sides."""
        before, after = self._by_end.get(start, 0), self._by_start.get(start + size, 0)
        self._remove(start - before, before)
        self._remove(start + size, after)
        self._insert(start - before, before + size + after)

    def _insert(self, start: int, size: int) -> None:
        if size:
            insort(self._by_size, (size, start))
            self._by_start[start] = self._by_end[start + size] = size

    def _remove(self, start: int, size: int) -> None:
        if size:
            del self._by_size[bisect_left(self._by_size, (size, start))]
            del self._by_start[start], self._by_end[start + size]
