"""All cells of a sweep, each exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from random import Random

from graphcost.shapes import Facts

from .axes import Axis, combinations
from .cells import Cell, Kernels, Sampler
from .frame import Mould, mould

_ALONG = 3
"""Points along an axis: a dimension is at most a product of two, as where an image becomes a sequence."""

_TRIALS = 6


def cells_of(sampler: Sampler, axes: Sequence[Axis]) -> tuple[Cell, ...]:
    """The cells over all combinations, the last axis fastest. A large table is not typed cell by cell where its graphs
    turn out to differ in numbers only."""
    wanted = combinations(axes)
    points = [_spread(axis.values) for axis in axes]
    sampled = [dict(zip((axis.name for axis in axes), point)) for point in product(*points)]
    if 2 * (len(sampled) + _TRIALS) > len(wanted):
        return tuple(map(sampler.at, wanted))
    kernels = [sampler.kernels(sizes) for sizes in sampled]
    first = kernels[0]
    done = {_key(sizes): sampler.totals(sizes, found) for sizes, found in zip(sampled, kernels)}
    made = mould([axis.name for axis in axes], points, [found.graph for found in kernels])
    if made is None or not all(_tried(sampler, made, sizes) for sizes in Random(0).sample(wanted, _TRIALS)):
        return tuple(map(sampler.at, wanted))
    return tuple(done.get(_key(sizes)) or _moulded(sampler, made, first, sizes) for sizes in wanted)


def _spread(values: Sequence[int]) -> list[int]:
    """The least, the largest and one between."""
    ordered = sorted(values)
    return sorted({ordered[i * (len(ordered) - 1) // (_ALONG - 1)] for i in range(_ALONG)})


def _key(sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(sizes.values())


def _tried(sampler: Sampler, made: Mould, sizes: Mapping[str, int]) -> bool:
    return made.fits(sizes, sampler.kernels(sizes).graph)


def _moulded(sampler: Sampler, made: Mould, first: Kernels, sizes: Mapping[str, int]) -> Cell:
    """The totals over the mould's graph with the numbers of these sizes."""
    if not made.set(sizes):
        return sampler.at(sizes)
    ctx = sampler.setup.context(made.graph, Facts())
    return sampler.totals(sizes, replace(first, ctx=ctx))
