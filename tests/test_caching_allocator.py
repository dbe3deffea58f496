"""The caching allocator against a slow, literal implementation of the documented rules: a list of segments, each a
list of blocks, searched from end to end."""

import random

import pytest

from graphcost.memory.caching_allocator import CachingAllocator, OutOfMemory, replay, rounded

KIB, MIB = 1 << 10, 1 << 20


class Literal:
    """c10/cuda/CUDACachingAllocator.cpp in words: no pools by size, no links, no bisection."""

    def __init__(self, capacity=None):
        self.segments, self.capacity, self.clock, self.peak = [], capacity, 0, 0

    def reserved(self):
        return sum(segment["bytes"] for segment in self.segments)

    def allocated(self):
        return sum(block["bytes"] for segment in self.segments for block in segment["blocks"] if block["taken"])

    def allocate(self, request):
        if request == 0:
            return None
        size = 512 * max(1, (request + 511) // 512)
        small = size <= MIB
        best = None
        for segment in self.segments:
            if segment["small"] != small:
                continue
            at = segment["at"]
            for number, block in enumerate(segment["blocks"]):
                if not block["taken"] and block["bytes"] >= size:
                    key = (block["bytes"], at)
                    if best is None or key < best[0]:
                        best = (key, segment, number)
                at += block["bytes"]
        if best is None:
            if small:
                length = 2 * MIB
            elif size < 10 * MIB:
                length = 20 * MIB
            else:
                length = 2 * MIB * ((size + 2 * MIB - 1) // (2 * MIB))
            if self.capacity is not None and self.reserved() + length > self.capacity:
                self.segments = [s for s in self.segments if any(b["taken"] for b in s["blocks"])]
            if self.capacity is not None and self.reserved() + length > self.capacity:
                raise OutOfMemory
            segment = {"small": small, "bytes": length, "at": self.clock, "blocks": [{"bytes": length, "taken": False}]}
            self.clock += length
            self.segments.append(segment)
            self.peak = max(self.peak, self.reserved())
            number = 0
        else:
            _, segment, number = best
        block = segment["blocks"][number]
        rest = block["bytes"] - size
        if (rest >= 512) if small else (rest > MIB):
            block["bytes"] = size
            segment["blocks"].insert(number + 1, {"bytes": rest, "taken": False})
        block["taken"] = True
        return block

    def free(self, block):
        if block is None:
            return
        block["taken"] = False
        for segment in self.segments:
            merged = []
            for part in segment["blocks"]:
                if merged and not part["taken"] and not merged[-1]["taken"]:
                    merged[-1]["bytes"] += part["bytes"]
                else:
                    merged.append(part)
            segment["blocks"] = merged


def sequence(seed, count=400):
    """Requests of all pools, freed in any order."""
    chance = random.Random(seed)
    sizes = [1, 512, 513, 40 * KIB, MIB, MIB + 1, 3 * MIB, 9 * MIB, 10 * MIB, 11 * MIB, 33 * MIB, 0]
    live, made, found = [], 0, []
    for _ in range(count):
        if live and chance.random() < 0.45:
            found.append(-live.pop(chance.randrange(len(live))))
        else:
            found.append(chance.choice(sizes) + chance.choice([0, 0, 7, 100 * KIB]))
            made += 1
            live.append(made)
    return found


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("capacity", [None, 600 * MIB])
def test_segments_and_reserved_bytes_are_those_of_the_literal_rules(seed, capacity):
    fast, slow, pairs = CachingAllocator(capacity), Literal(capacity), []
    for request in sequence(seed):
        if request < 0:
            mine, theirs = pairs[-request - 1]
            fast.free(mine)
            slow.free(theirs)
        else:
            try:
                theirs = slow.allocate(request)
            except OutOfMemory:
                with pytest.raises(OutOfMemory):
                    fast.allocate(request)
                return
            pairs.append((fast.allocate(request), theirs))
        assert (fast.allocated_bytes, fast.reserved_bytes) == (slow.allocated(), slow.reserved())
    assert fast.peak_reserved_bytes == slow.peak


def test_small_requests_share_a_segment_and_large_ones_get_their_own():
    assert replay([1, 1, MIB]).reserved_bytes == 2 * MIB
    assert replay([2 * MIB, 2 * MIB]).reserved_bytes == 20 * MIB
    assert replay([11 * MIB]).reserved_bytes == 12 * MIB


def test_a_freed_block_is_taken_again_and_joined_with_its_neighbours():
    assert replay([3 * MIB, 3 * MIB, -1, -2, 18 * MIB]).reserved_bytes == 20 * MIB


def test_a_large_block_keeps_a_rest_of_a_mebibyte():
    allocator = replay([12 * MIB, -1, 11 * MIB])
    assert allocator.allocated_bytes == 12 * MIB
    assert rounded(0) == 512


def test_what_does_not_fit_is_refused_after_the_cache_was_given_back():
    allocator = replay([30 * MIB, -1, 20 * MIB, -2], capacity_bytes=40 * MIB)
    assert allocator.reserved_bytes == 30 * MIB
    assert replay([30 * MIB, -1, 36 * MIB], capacity_bytes=40 * MIB).reserved_bytes == 36 * MIB
    with pytest.raises(OutOfMemory):
        replay([30 * MIB, 20 * MIB], capacity_bytes=40 * MIB)
