"""A static plan of memory: an offset in one arena for every storage, so that no two lie over each other while both are
needed.

The best of several strategies is taken. Finding the smallest arena is NP-hard (dynamic storage allocation, Garey and
Johnson SR2), but none can be smaller than the peak of liveness: a plan that reaches it is the best there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from .best_fit import best_fit
from .placement import Block, extent, place_in_order
from .shared_blocks import share_blocks
from .storage import Storage, Storages, occupancy

CUDA_ALIGNMENT_BYTES = 256
"""Source: CUDA C++ Programming Guide, Device Memory Accesses: the addresses that allocation routines return are aligned
to at least 256 bytes."""

_EFFORT = 2_000_000
"""So many pairs of storages that live together are looked at by every strategy; above only best fit over time plans,
which takes n log n."""

_REPAIRS = 8

_Order: TypeAlias = "Callable[[Block], tuple[int, ...]]"


@dataclass(frozen=True)
class ArenaPlan:
    """Offsets in bytes by storage, the size of the arena, the strategy that found it, and what no arena can be smaller
    than: the peak of liveness, which counts no padding."""

    offsets: dict[Storage, int]
    size_bytes: int
    lower_bound_bytes: int
    strategy: str


def plan_arena(plan: Storages, alignment_bytes: int = CUDA_ALIGNMENT_BYTES) -> ArenaPlan:
    """Place all activations by the strategy that needs least; the search ends where none can need less. A storage of
    unknown size is placed with the least it can be."""
    problem = _problem(plan, alignment_bytes)
    least = ("none", dict[Storage, int](), -1)
    for name, offsets in _attempts(problem):
        size = extent(problem.blocks, offsets)
        if least[2] < 0 or size < least[2]:
            least = (name, offsets, size)
        if least[2] <= problem.floor:
            break
    name, offsets, size = least
    return ArenaPlan(offsets, size, problem.lower_bound_bytes, name)


def sizes_by_strategy(plan: Storages, alignment_bytes: int = CUDA_ALIGNMENT_BYTES) -> Mapping[str, int]:
    """Bytes of the arena by every strategy, for comparison."""
    problem = _problem(plan, alignment_bytes)
    return {name: extent(problem.blocks, offsets) for name, offsets in _attempts(problem)}


@dataclass(frozen=True)
class _Problem:
    """What is to be placed in how many steps of time. `live` are the padded bytes at each step: no plan that keeps to
    the alignment is smaller than their maximum, the `floor`."""

    blocks: Sequence[Block]
    steps: int
    live: Sequence[int]
    lower_bound_bytes: int

    @property
    def floor(self) -> int:
        return max(self.live)


def _problem(plan: Storages, alignment_bytes: int) -> _Problem:
    pieces = [piece for piece in plan.activations if piece.size_bytes]
    blocks = [Block(piece, -(-piece.size_bytes // alignment_bytes) * alignment_bytes) for piece in pieces]
    steps = max(len(plan.nodes), 1)
    return _Problem(blocks, steps, _summed(blocks, steps, lambda block: block.size), max(occupancy(pieces, steps)))


def _summed(blocks: Sequence[Block], steps: int, weight: Callable[[Block], int]) -> list[int]:
    """The weights of the blocks that are needed, at each step."""
    change = [0] * (steps + 1)
    for block in blocks:
        change[block.storage.first] += weight(block)
        change[block.storage.last + 1] -= weight(block)
    return list(accumulate(change))[:steps]


def _attempts(problem: _Problem) -> Iterator[tuple[str, dict[Storage, int]]]:
    """Plans with the names of their strategies, the most promising first. What a greedy plan has placed above the floor
    is placed first in the next attempt, as it was left too late."""
    if _effort(problem) > _EFFORT:
        yield "best-fit", best_fit(problem.blocks, problem.steps)
        return
    orders = {name: sorted(problem.blocks, key=key) for name, key in _orders(problem).items()}
    tried: dict[str, tuple[list[Block], dict[Storage, int]]] = {}
    for name, order in orders.items():
        offsets = place_in_order(order, problem.steps)
        tried[name] = order, offsets
        yield name, offsets
    yield "best-fit", best_fit(problem.blocks, problem.steps)
    yield "shared-blocks", share_blocks(problem.blocks, problem.steps)
    for name, (order, offsets) in tried.items():
        for repaired in _repairs(problem, order, offsets):
            yield f"{name}, repaired", repaired


def _orders(problem: _Problem) -> dict[str, _Order]:
    """By size and by breadth: Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020.
    Breadth is what lives beside a block at the fullest moment of its life."""
    live = problem.live
    breadth = {b: max(live[b.storage.first : b.storage.last + 1]) for b in problem.blocks}
    return {
        "by-size": lambda block: (-block.size,),
        "by-breadth": lambda block: (-breadth[block], -block.size),
        "by-lifetime": lambda block: (-block.lifetime, -block.size),
        "by-breadth-and-lifetime": lambda block: (-breadth[block], -block.lifetime, -block.size),
    }


def _repairs(problem: _Problem, order: list[Block], offsets: dict[Storage, int]) -> Iterator[dict[Storage, int]]:
    """Better orders: what sticks out above the floor comes first."""
    for _ in range(_REPAIRS):
        outside = [block for block in order if offsets[block.storage] + block.size > problem.floor]
        if not outside:
            return
        moved = set(outside)
        order = outside + [block for block in order if block not in moved]
        offsets = place_in_order(order, problem.steps)
        yield offsets


def _effort(problem: _Problem) -> int:
    """How many blocks live together, summed over the blocks, and how long they live."""
    beside = _summed(problem.blocks, problem.steps, lambda block: 1)
    begun = list(accumulate((0, *_begins(problem))))
    return sum(
        beside[b.storage.first] + begun[b.storage.last + 1] - begun[b.storage.first] + b.lifetime
        for b in problem.blocks
    )


def _begins(problem: _Problem) -> list[int]:
    """How many blocks are first needed at each step."""
    count = [0] * problem.steps
    for block in problem.blocks:
        count[block.storage.first] += 1
    return count
