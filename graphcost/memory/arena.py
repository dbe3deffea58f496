"""A static plan of memory: an offset in one arena for every storage, so that no two lie over each other while both are
needed.

The best of several strategies is taken. Finding the smallest arena is NP-hard (dynamic storage allocation, Garey and
Johnson SR2), but none can be smaller than the peak of liveness: a plan that reaches it is the best there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import TypeAlias

from .best_fit import best_fit
from .placement import Block, extent, place_in_order
from .shared_blocks import share_blocks
from .storage import Storage, Storages, occupancy

CUDA_ALIGNMENT_BYTES = 256
"""Source: CUDA C++ Programming Guide, Device Memory Accesses: the addresses that allocation routines return are aligned
to at least 256 bytes."""

_EFFORT = 5_000_000
"""So much work (storages that live together, and how long they live, summed over the strategies) is spent: less than a
second. Where one greedy strategy alone needs more, best fit over time plans, which takes n log n."""

_REPAIRS = 4
"""Real networks that a repair helps need one to three."""

_Order: TypeAlias = "Callable[[Block], tuple[int, ...]]"


@dataclass(frozen=True)
class ArenaPlan:
    """Offsets in bytes by storage, and the size of the arena that they need."""

    offsets: dict[Storage, int]
    size_bytes: int
    lower_bound_bytes: int
    """What no arena can be smaller than: the peak of liveness, which counts no padding."""
    is_smallest: bool
    """Proven: the peak of liveness of the padded sizes is as large."""
    strategy: str
    """How it was found: `by-size`, `best-fit`, ..."""


def plan_arena(plan: Storages, alignment_bytes: int = CUDA_ALIGNMENT_BYTES) -> ArenaPlan:
    """Place all activations by the strategy that needs least; the search ends where none can need less. A storage of
    unknown size is placed with the least it can be."""
    found = plans(plan, alignment_bytes)
    best = next(found)
    while not best.is_smallest and (other := next(found, None)) is not None:
        best = other if other.size_bytes < best.size_bytes else best
    return best


def plan_best_fit(plan: Storages, alignment_bytes: int = CUDA_ALIGNMENT_BYTES) -> ArenaPlan:
    """One plan, in n log n: where the arena is not what is asked about."""
    problem = _problem(plan, alignment_bytes)
    return _planned(problem, "best-fit", best_fit(problem.blocks, problem.steps))


def plans(plan: Storages, alignment_bytes: int = CUDA_ALIGNMENT_BYTES) -> Iterator[ArenaPlan]:
    """A plan by every strategy, at least one, the most promising first; each is made when it is asked for."""
    problem = _problem(plan, alignment_bytes)
    for strategy, offsets in _attempts(problem):
        yield _planned(problem, strategy, offsets)


def plan_shared_blocks(plan: Storages, alignment_bytes: int = CUDA_ALIGNMENT_BYTES) -> ArenaPlan:
    """The plan of a runtime whose tensors take turns in blocks, which is as near to TensorRT as its logs tell."""
    problem = _problem(plan, alignment_bytes)
    return _planned(problem, "shared-blocks", share_blocks(problem.blocks, problem.steps))


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


def _planned(problem: _Problem, strategy: str, offsets: dict[Storage, int]) -> ArenaPlan:
    size = extent(problem.blocks, offsets)
    return ArenaPlan(offsets, size, problem.lower_bound_bytes, size <= problem.floor, strategy)


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
    """Offsets with the names of their strategies, as many as can be afforded."""
    attempts = _EFFORT // max(_effort(problem), 1)
    if not attempts:
        return iter([("best-fit", best_fit(problem.blocks, problem.steps))])
    return islice(_greedy_attempts(problem), attempts)


def _greedy_attempts(problem: _Problem) -> Iterator[tuple[str, dict[Storage, int]]]:
    """Greedy plans are repaired after every strategy has had its turn."""
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
            yield f"{name}+repair", repaired


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
    """Placed again and again, each time beginning with what stuck out above the floor: it had come too late."""
    for _ in range(_REPAIRS):
        outside = [block for block in order if offsets[block.storage] + block.size > problem.floor]
        if not outside:
            return
        moved = set(outside)
        order = outside + [block for block in order if block not in moved]
        offsets = place_in_order(order, problem.steps)
        yield offsets


def _effort(problem: _Problem) -> int:
    """How many blocks are in the way of each, and how long it lives, summed up."""
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
