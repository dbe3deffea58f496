"""PyTorch's caching allocator, simulated: what it reserves of the device's memory for a sequence of requests.

Rules: c10/cuda/CUDACachingAllocator.cpp. Sizes are rounded up to 512 bytes. Requests up to 1 MiB are packed into
segments of 2 MiB, those up to 10 MiB into segments of 20 MiB, larger ones get a segment of their size, rounded up to
2 MiB. The smallest free block of the pool that holds a request is taken, the lowest address first; what is left over
is split off where it is large enough, and joined again with its free neighbours when the block is freed. When the
device has no room, segments that are wholly free are given back and the request is tried again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field

MIN_BLOCK = 512
SMALL_REQUEST = 1 << 20
SMALL_SEGMENT = 2 << 20
MEDIUM_REQUEST = 10 << 20
MEDIUM_SEGMENT = 20 << 20
ROUND_LARGE = 2 << 20


class OutOfMemory(Exception):
    """The request does not fit, even after all cached segments were given back."""


@dataclass(eq=False, slots=True)
class Block:
    """A part of a segment, at an address; the parts beside it in the same segment are its neighbours."""

    address: int
    size: int
    is_small: bool
    is_free: bool = False
    before: Block | None = None
    after: Block | None = None


@dataclass
class CachingAllocator:
    """The state of one device's allocator; sizes in bytes. `capacity_bytes` is what the device gives at most."""

    capacity_bytes: int | None = None
    allocated_bytes: int = 0
    reserved_bytes: int = 0
    peak_allocated_bytes: int = 0
    peak_reserved_bytes: int = 0
    _next_address: int = 0
    _free: dict[bool, list[tuple[int, int]]] = field(default_factory=lambda: {True: [], False: []})
    _at: dict[int, Block] = field(default_factory=dict)

    def allocate(self, size_bytes: int) -> Block | None:
        """A block for a request; None for one of no bytes."""
        if size_bytes == 0:
            return None
        size = rounded(size_bytes)
        block = self._take(size) or self._reserve(size)
        self._split(block, size)
        self.allocated_bytes += block.size
        self.peak_allocated_bytes = max(self.peak_allocated_bytes, self.allocated_bytes)
        return block

    def free(self, block: Block | None) -> None:
        """Give a block back to its pool, joined with its free neighbours."""
        if block is None:
            return
        self.allocated_bytes -= block.size
        block.is_free = True
        before, after = block.before, block.after
        if before is not None and before.is_free:
            self._forget(before)
            block = _joined(before, block)
        if after is not None and after.is_free:
            self._forget(after)
            block = _joined(block, after)
        self._at[block.address] = block
        insort(self._free[block.is_small], (block.size, block.address))

    def empty_cache(self) -> None:
        """Give back every segment that is wholly free."""
        for pool in self._free.values():
            for _, address in list(pool):
                block = self._at[address]
                if block.before is None and block.after is None:
                    self._forget(block)
                    self.reserved_bytes -= block.size

    def _take(self, size: int) -> Block | None:
        """The smallest free block that holds the request."""
        is_small = size <= SMALL_REQUEST
        pool = self._free[is_small]
        found = bisect_left(pool, (size, -1))
        if found == len(pool):
            return None
        block = self._at.pop(pool.pop(found)[1])
        block.is_free = False
        return block

    def _reserve(self, size: int) -> Block:
        """A new segment."""
        segment = segment_bytes(size)
        if self._is_full(segment):
            self.empty_cache()
        if self._is_full(segment):
            raise OutOfMemory(f"{size} bytes do not fit beside {self.reserved_bytes} that are reserved")
        self.reserved_bytes += segment
        self.peak_reserved_bytes = max(self.peak_reserved_bytes, self.reserved_bytes)
        block = Block(self._next_address, segment, size <= SMALL_REQUEST)
        self._next_address += segment
        return block

    def _is_full(self, segment: int) -> bool:
        return self.capacity_bytes is not None and self.reserved_bytes + segment > self.capacity_bytes

    def _split(self, block: Block, size: int) -> None:
        """Keep what is asked for; the rest becomes a free block where it is worth it."""
        rest = block.size - size
        if rest < MIN_BLOCK if block.is_small else rest <= SMALL_REQUEST:
            return
        other = Block(block.address + size, rest, block.is_small, True, block, block.after)
        if block.after is not None:
            block.after.before = other
        block.after, block.size = other, size
        self._at[other.address] = other
        insort(self._free[block.is_small], (rest, other.address))

    def _forget(self, block: Block) -> None:
        pool = self._free[block.is_small]
        del pool[bisect_left(pool, (block.size, block.address))]
        del self._at[block.address]


def rounded(size_bytes: int) -> int:
    """A request as the allocator counts it."""
    return max(-(-size_bytes // MIN_BLOCK) * MIN_BLOCK, MIN_BLOCK)


def segment_bytes(size: int) -> int:
    """The segment that is reserved for a request that no free block holds."""
    if size <= SMALL_REQUEST:
        return SMALL_SEGMENT
    if size < MEDIUM_REQUEST:
        return MEDIUM_SEGMENT
    return -(-size // ROUND_LARGE) * ROUND_LARGE


def replay(requests: Sequence[int], capacity_bytes: int | None = None) -> CachingAllocator:
    """The allocator after a recorded sequence: a positive number asks for so many bytes, -n frees the n-th request
    (counted from 1)."""
    allocator = CachingAllocator(capacity_bytes)
    blocks: list[Block | None] = []
    for request in requests:
        if request >= 0:
            blocks.append(allocator.allocate(request))
        else:
            allocator.free(blocks[-request - 1])
    return allocator


def _joined(first: Block, second: Block) -> Block:
    first.size += second.size
    first.after = second.after
    if second.after is not None:
        second.after.before = first
    first.is_free = True
    return first
