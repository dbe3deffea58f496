"""A training step as a sequence of requests to the caching allocator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from graphcost.memory import Storage, Storages
from graphcost.memory.caching_allocator import Block, CachingAllocator

from .categories import STATIC, Category

Piece: TypeAlias = "tuple[int, int, int, Category]"
"""First and last node, bytes, category."""

_STEPS = 2
"""The optimizer makes its state in the first step; in the second the blocks are where they stay."""


@dataclass(frozen=True)
class Reservation:
    """What the allocator counts at most, in bytes: sizes rounded up to 512 (allocated), whole segments (reserved)."""

    peak_allocated_bytes: int
    peak_reserved_bytes: int


def reservation(plan: Storages, category: Mapping[Storage, Category]) -> Reservation:
    """Run two steps through the allocator."""
    pieces, allocator = pieces_of(plan, category), CachingAllocator()
    replay(allocator, requests_of(pieces, len(plan.nodes)), [size for _, _, size, _ in pieces])
    return Reservation(allocator.peak_allocated_bytes, allocator.peak_reserved_bytes)


def pieces_of(plan: Storages, category: Mapping[Storage, Category]) -> list[Piece]:
    """The storages as plain data."""
    return [(piece.first, piece.last, piece.size_bytes, category[piece]) for piece in plan.pieces]


def requests_of(pieces: Sequence[Piece], steps: int) -> list[int]:
    """Requests in the order in which they are made, n for the n-th piece (counted from 1) and -n when it is freed.

    Parameters come first, then each node's results before it, its workspace behind them; what nobody reads any more is
    freed after it. Gradients live until the next step begins (`zero_grad` sets them to None), the optimizer's state
    from the first step on."""
    kinds = [kind for _, _, _, kind in pieces]
    one_step = list(_step(pieces, steps))
    freed = {-request for request in one_step if request < 0}
    held = [-request for request in one_step if request > 0 and request not in freed]
    states = [at for at, kind in enumerate(kinds, 1) if kind is Category.OPTIMIZER]
    requests = [at for at, kind in enumerate(kinds, 1) if kind in STATIC and kind is not Category.OPTIMIZER]
    for step in range(_STEPS):
        requests += [*(held if step else ()), *one_step, *(() if step else states)]
    return requests


def _step(pieces: Sequence[Piece], steps: int) -> Iterator[int]:
    """The requests of one step; what lives to its end is not freed in it."""
    begins: list[list[int]] = [[] for _ in range(steps)]
    ends: list[list[int]] = [[] for _ in range(steps)]
    for at in sorted(range(1, len(pieces) + 1), key=lambda at: pieces[at - 1][3] is Category.WORKSPACE):
        first, last, _, kind = pieces[at - 1]
        if kind in STATIC:
            continue
        begins[first].append(at)
        if last < steps - 1:
            ends[last].append(-at)
    for time in range(steps):
        yield from begins[time]
        yield from ends[time]


def replay(allocator: CachingAllocator, requests: Iterable[int], sizes: Sequence[int]) -> None:
    """Make these requests; `sizes` are the bytes of all pieces."""
    blocks: dict[int, Block | None] = {}
    for request in requests:
        if request > 0:
            blocks[request] = allocator.allocate(sizes[request - 1])
        else:
            allocator.free(blocks.pop(-request))
