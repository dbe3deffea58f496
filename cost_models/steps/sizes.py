"""How large kernels are, against the largest ones that the fit has seen: beyond them it is worth measuring.

Small kernels are bound by their launch and need no such limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from graphcost.cost import KernelQuery

FAR = 2.0
"""How many times the largest size is still near it: chosen, not measured."""

_NAMES = {"m": "rows of a product", "n": "columns of a product", "k": "the depth of a product", "bytes": "bytes"}


def largest_of(queries: Iterable[KernelQuery]) -> dict[str, float]:
    """The largest of each size over these kernels."""
    largest: dict[str, float] = {}
    for query in queries:
        for name, size in _sizes(query):
            largest[name] = max(largest.get(name, 0.0), size)
    return largest


def beyond(query: KernelQuery, largest: Mapping[str, float]) -> tuple[str, ...]:
    """What of a kernel is larger than all that was fitted, in words."""
    far: dict[str, float] = {}
    for name, size in _sizes(query):
        if name in largest and size > FAR * largest[name]:
            far[name] = max(far.get(name, 0.0), size)
    return tuple(f"{_NAMES[name]} {size:,.0f}, measured up to {largest[name]:,.0f}" for name, size in far.items())


def _sizes(query: KernelQuery) -> Iterator[tuple[str, float]]:
    for product in query.contractions:
        yield from (("m", product.m), ("n", product.n), ("k", product.k))
    yield "bytes", query.work.bytes


def beyond_each(queries: Sequence[KernelQuery], largest: Mapping[str, float]) -> list[tuple[str, ...]]:
    """For each kernel; nothing where no sizes are known."""
    return [beyond(query, largest) for query in queries] if largest else [()] * len(queries)
