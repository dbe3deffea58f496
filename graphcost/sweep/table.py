"""All cells of a sweep, each exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from random import Random

from .axes import Axis, combinations
from .cells import Cell, Kernels, Sampler
from .frame import Mould, mould

_ALONG = 3
"""Points along an axis: a dimension is at most a product of two, as where an image becomes a sequence."""

_TRIALS = 6


def cells_of(sampler: Sampler, axes: Sequence[Axis]) -> tuple[Cell, ...]:
    """The cells over all combinations, the last axis fastest. A large table is not typed cell by cell where its graphs
    turn out to differ in numbers only; those at the least sizes often differ in more, since a dimension may be 1."""
    cast = _Cast.over(sampler, axes) or _Cast.over(sampler, list(map(_without_least, axes)))
    return tuple(sampler.at(sizes) if cast is None else cast.at(sizes) for sizes in combinations(axes))


class _Cast:
    """Cells from one graph that is given the numbers of each, where this was tried; else from the sampler.

    Where kernels are chosen by their time, they differ from size to size: then it is the graph before that choice, and
    each cell chooses for itself.
    """

    def __init__(self, sampler: Sampler, axes: Sequence[Axis], early: Kernels, made: Mould) -> None:
        self.sampler = sampler
        self._within = {axis.name: frozenset(axis.values) for axis in axes}
        self._early = early
        self._mould = made

    @classmethod
    def over(cls, sampler: Sampler, axes: Sequence[Axis]) -> _Cast | None:
        """None where the table is small, or its graphs differ in more than numbers."""
        points = [_spread(axis.values) for axis in axes]
        sampled = [dict(zip((axis.name for axis in axes), point)) for point in product(*points)]
        if 2 * (len(sampled) + _TRIALS) > prod(len(axis.values) for axis in axes):
            return None
        first, *others = (sampler.early(sizes) for sizes in sampled)
        made = mould([axis.name for axis in axes], points, [first.graph, *(other.graph for other in others)])
        if made is None or not all(_fits(sampler, made, sizes) for sizes in _trials(axes)):
            return None
        return cls(sampler, axes, first, made)

    def at(self, sizes: Mapping[str, int]) -> Cell:
        within = all(size in self._within[name] for name, size in sizes.items())
        if not within or not self._mould.set(sizes):
            return self.sampler.at(sizes)
        return self.sampler.totals(sizes, self.sampler.finished(self._early))


def _without_least(axis: Axis) -> Axis:
    """The axis from its second size on, if it is long."""
    return axis if len(axis.values) <= _ALONG else Axis(axis.name, tuple(sorted(axis.values)[1:]))


def _spread(values: Sequence[int]) -> list[int]:
    """The least, the largest and one between."""
    ordered = sorted(values)
    return sorted({ordered[i * (len(ordered) - 1) // (_ALONG - 1)] for i in range(_ALONG)})


def _trials(axes: Sequence[Axis]) -> list[dict[str, int]]:
    """Some cells; the same each time."""
    return Random(0).sample(combinations(axes), _TRIALS)


def _fits(sampler: Sampler, made: Mould, sizes: Mapping[str, int]) -> bool:
    return made.fits(sizes, sampler.early(sizes).graph)
