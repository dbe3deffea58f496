"""The memory of a training step at any batch, from two analyses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphcost.device import DeviceProfile
from graphcost.memory.caching_allocator import CachingAllocator

from .allocation import Piece, Reservation, pieces_of, replay, requests_of
from .categories import STATIC, categories
from .system import needed_bytes, uses_blas

if TYPE_CHECKING:
    from graphcost.api import Run

Whole: TypeAlias = NDArray[np.int64]

PROBES = (2, 4)
"""Between these the sizes of all tensors are taken as straight lines of the batch, which they are."""


@dataclass(frozen=True)
class BatchMemory:
    """Two analyses of one schedule, and what they give at other batches."""

    low: tuple[Piece, ...]
    high: tuple[Piece, ...]
    steps: int
    device: DeviceProfile | None
    blas: bool

    def sizes(self, batch: int) -> Whole:
        """Bytes of all pieces, between and beyond the probes on straight lines."""
        low, high = self._sizes
        share = (batch - PROBES[0]) / (PROBES[1] - PROBES[0])
        found: Whole = np.maximum(np.rint(low + (high - low) * share), 0).astype(np.int64)
        return found

    def peak_allocated_bytes(self, batch: int) -> int:
        """What is always there, and the most that comes and goes; tensors alone, nothing rounded."""
        sizes, (first, last, comes_and_goes) = self.sizes(batch), self._lives
        change = np.zeros(self.steps + 1, np.int64)
        np.add.at(change, first, sizes[comes_and_goes])
        np.add.at(change, last + 1, -sizes[comes_and_goes])
        return int(sizes[~comes_and_goes].sum() + change.cumsum().max(initial=0))

    def reserved(self, batch: int) -> Reservation:
        """What the caching allocator counts."""
        allocator = CachingAllocator()
        replay(allocator, self._requests, self.sizes(batch).tolist())
        return Reservation(allocator.peak_allocated_bytes, allocator.peak_reserved_bytes)

    def needed_bytes(self, batch: int) -> int:
        """System-level bytes where the device's context is known, else what the allocator reserves."""
        reserved = self.reserved(batch)
        return needed_bytes(reserved, self.device, self.blas) or reserved.peak_reserved_bytes

    @cached_property
    def _sizes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        low, high = (np.array([size for _, _, size, _ in pieces], float) for pieces in (self.low, self.high))
        return low, high

    @cached_property
    def _requests(self) -> list[int]:
        return requests_of(self.low, self.steps)

    @cached_property
    def _lives(self) -> tuple[Whole, Whole, NDArray[np.bool_]]:
        """First and last node of what comes and goes, and which pieces those are."""
        comes_and_goes = np.array([kind not in STATIC for _, _, _, kind in self.low], bool)
        lives = np.array([(first, last) for first, last, _, _ in self.low], np.int64).reshape(-1, 2)[comes_and_goes]
        return lives[:, 0], lives[:, 1], comes_and_goes


def batch_memory(runs: Sequence[Run]) -> BatchMemory:
    """From analyses at the two probes, which have the same schedule."""
    found = [_pieces(run) for run in runs]
    graph = runs[0].graph
    return BatchMemory(found[0], found[1], len(graph), runs[0].target.device, uses_blas(graph))


def _pieces(run: Run) -> tuple[Piece, ...]:
    from graphcost.memory import storages

    plan = storages(run.graph, run.setup.registry.operators)
    return tuple(pieces_of(plan, categories(run.graph, plan)))
