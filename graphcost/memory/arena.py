"""A static plan of memory: an offset in one arena for every storage, so that no two lie over each other while both are
needed."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

from .storage import Storage, Storages, occupancy

CUDA_ALIGNMENT_BYTES = 256
"""Source: CUDA C++ Programming Guide, Device Memory Accesses: the addresses that allocation routines return are aligned
to at least 256 bytes."""

_SMALL = 3_000
"""So many storages are also planned without regard to time, which takes quadratic time."""


@dataclass(frozen=True)
class ArenaPlan:
    """Offsets in bytes by storage, the size of the arena, and what no arena can be smaller than: the peak of liveness,
    which counts no padding."""

    offsets: dict[Storage, int]
    size_bytes: int
    lower_bound_bytes: int


@dataclass(frozen=True, slots=True)
class _Block:
    """What is to be placed: a storage with its padded size."""

    storage: Storage
    size: int


def plan_arena(plan: Storages, alignment_bytes: int = CUDA_ALIGNMENT_BYTES) -> ArenaPlan:
    """Place all activations. Best fit over time; where that is not perfect and the graph is small, also by two greedy
    orders, and the best of them. A storage of unknown size is placed with the least it can be."""
    pieces = [p for p in plan.activations if p.size_bytes]
    blocks = [_Block(p, -(-p.size_bytes // alignment_bytes) * alignment_bytes) for p in pieces]
    live = occupancy(pieces, max(len(plan.nodes), 1))
    offsets = _best_fit(blocks, len(live))
    if len(blocks) <= _SMALL and _extent(blocks, offsets) > max(live):
        plans = [offsets, _in_order(_by_size(blocks)), _in_order(_by_breadth(blocks, live))]
        offsets = min(plans, key=lambda placed: _extent(blocks, placed))
    return ArenaPlan(offsets, _extent(blocks, offsets), max(live))


def _extent(blocks: Sequence[_Block], offsets: dict[Storage, int]) -> int:
    return max((offsets[block.storage] + block.size for block in blocks), default=0)


# Best fit over time


def _best_fit(blocks: Sequence[_Block], steps: int) -> dict[Storage, int]:
    """Walk through time; a block takes the smallest hole that holds it, at the moment in which it is first needed."""
    starting: list[list[_Block]] = [[] for _ in range(steps)]
    ending: list[list[_Block]] = [[] for _ in range(steps)]
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


# Greedy orders (Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020)


def _by_size(blocks: Sequence[_Block]) -> list[_Block]:
    """The largest first."""
    return sorted(blocks, key=lambda block: -block.size)


def _by_breadth(blocks: Sequence[_Block], live: Sequence[int]) -> list[_Block]:
    """Those that are needed at the fullest moment first, the largest of them ahead."""

    def breadth(block: _Block) -> int:
        return max(live[block.storage.first : block.storage.last + 1])

    return sorted(blocks, key=lambda block: (-breadth(block), -block.size))


def _in_order(blocks: Sequence[_Block]) -> dict[Storage, int]:
    """Each block at the lowest place that is free as long as it is needed."""
    placed: list[tuple[int, int, int, int]] = []  # (offset, end, first, last), sorted
    offsets: dict[Storage, int] = {}
    for block in blocks:
        first, last = block.storage.first, block.storage.last
        offset = _lowest(placed, block.size, first, last)
        insort(placed, (offset, offset + block.size, first, last))
        offsets[block.storage] = offset
    return offsets


def _lowest(placed: Sequence[tuple[int, int, int, int]], size: int, first: int, last: int) -> int:
    """The lowest offset of a gap among the blocks that are needed at the same time."""
    free_from = 0
    for offset, end, begins, ends in placed:
        if begins > last or ends < first:
            continue
        if offset - free_from >= size:
            break
        free_from = max(free_from, end)
    return free_from
