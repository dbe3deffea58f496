"""A training step as a sequence of requests to the caching allocator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from graphcost.memory import Storage, Storages
from graphcost.memory.caching_allocator import Block, CachingAllocator

from .categories import Category

Piece: TypeAlias = "tuple[int, int, int, Category]"
"""First and last node, bytes, category."""

_STATIC = (Category.PARAMETER, Category.BUFFER)
_STEPS = 2
"""The optimizer makes its state in the first step; in the second the blocks are where they stay."""


@dataclass(frozen=True)
class Reservation:
    """What the allocator counts at most, in bytes: sizes rounded up to 512 (allocated), whole segments (reserved)."""

    peak_allocated_bytes: int
    peak_reserved_bytes: int


def reservation(plan: Storages, category: Mapping[Storage, Category]) -> Reservation:
    """Run two steps through the allocator: parameters first, then each node's results before it, what nobody reads any
    more after it. Gradients live until the next step begins (`zero_grad` sets them to None)."""
    return replay_step(CachingAllocator(), pieces_of(plan, category), len(plan.nodes))


def pieces_of(plan: Storages, category: Mapping[Storage, Category]) -> list[Piece]:
    """The storages as plain data."""
    return [(piece.first, piece.last, piece.size_bytes, category[piece]) for piece in plan.pieces]


def replay_step(allocator: CachingAllocator, pieces: Iterable[Piece], steps: int) -> Reservation:
    """The same from plain pieces: first and last node, bytes, category."""
    pieces = list(pieces)
    for _, _, size, kind in pieces:
        if kind in _STATIC:
            allocator.allocate(size)
    begins, ends = _timetable(pieces, steps)
    states = [size for _, _, size, kind in pieces if kind is Category.OPTIMIZER]
    held: dict[int, Block | None] = {}
    for step in range(_STEPS):
        for block in held.values():
            allocator.free(block)
        held.clear()
        for time in range(steps):
            held.update((index, allocator.allocate(pieces[index][2])) for index in begins[time])
            for index in ends[time]:
                allocator.free(held.pop(index))
        for size in states if step == 0 else ():
            allocator.allocate(size)
    return Reservation(allocator.peak_allocated_bytes, allocator.peak_reserved_bytes)


def _timetable(pieces: list[Piece], steps: int) -> tuple[list[list[int]], list[list[int]]]:
    """Which pieces begin at each node, its workspace behind its results, and which end there; what lives to the end of
    the step is freed later."""
    begins: list[list[int]] = [[] for _ in range(steps)]
    ends: list[list[int]] = [[] for _ in range(steps)]
    for index in sorted(range(len(pieces)), key=lambda at: pieces[at][3] is Category.WORKSPACE):
        first, last, _, kind = pieces[index]
        if kind in _STATIC or kind is Category.OPTIMIZER:
            continue
        begins[first].append(index)
        if last < steps - 1:
            ends[last].append(index)
    return begins, ends
