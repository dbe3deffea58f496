"""Kernels and layers, as numbers, in groups that share keys; and what can be told of those that share none."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from math import inf
from typing import Literal, TypeAlias

from graphcost.disjoint_sets import DisjointSets

from .keys import Key

By: TypeAlias = Literal["nodes", "swap", "place"]
"""Whether layers and kernels hold the same nodes, do so but for a sum that the other of two convolutions takes in, or
only stand at the same place."""


@dataclass(frozen=True)
class Group:
    """Numbers of layers and of kernels that belong together."""

    layers: tuple[int, ...]
    kernels: tuple[int, ...]
    by: By = "nodes"


def grouped(
    of_kernels: Sequence[Sequence[Key]], of_layers: Sequence[Sequence[Key]], convolutions: Set[int]
) -> list[Group]:
    """Groups in the order of the layers, then those of kernels alone. `convolutions` are numbers of kernels."""
    count = len(of_layers)
    groups = [
        part
        for group in _united([*of_layers, *of_kernels])
        for part in _parted(_group(group, count), of_kernels, of_layers, convolutions)
    ]
    named = [bool(keys) for keys in of_layers]
    return _by_place(groups, named) if any(named) else groups


def _group(members: Sequence[int], layers: int) -> Group:
    return Group(tuple(i for i in members if i < layers), tuple(i - layers for i in members if i >= layers))


def _united(items: Sequence[Sequence[Key]]) -> list[list[int]]:
    """Numbers of items that share a key, directly or through others; an item without a key is alone."""
    numbers: dict[Key, int] = {}
    members = [[numbers.setdefault(key, len(numbers)) for key in keys] for keys in items]
    sets = DisjointSets(len(numbers))
    for own in members:
        sets.unite(own)
    groups: dict[object, list[int]] = {}
    for item, own in enumerate(members):
        groups.setdefault(sets.find(own[0]) if own else ("alone", item), []).append(item)
    return list(groups.values())


def _parted(
    group: Group, of_kernels: Sequence[Sequence[Key]], of_layers: Sequence[Sequence[Key]], convolutions: Set[int]
) -> list[Group]:
    """Two pairs where two convolutions share the sum of both, which either may take in: one of the layers shares nodes
    with only one of the kernels, so the others are a pair as well."""
    if (len(group.layers), len(group.kernels)) != (2, 2) or not convolutions >= set(group.kernels):
        return [group]
    for layer in group.layers:
        sharing = tuple(k for k in group.kernels if not set(of_layers[layer]).isdisjoint(of_kernels[k]))
        if len(sharing) == 1:
            left = Group(_without(group.layers, layer), _without(group.kernels, sharing[0]), "swap")
            return sorted([Group((layer,), sharing, "swap"), left], key=lambda pair: pair.layers)
    return [group]


def _without(numbers: Sequence[int], one: int) -> tuple[int, ...]:
    return tuple(number for number in numbers if number != one)


def _by_place(groups: Sequence[Group], named: Sequence[bool]) -> list[Group]:
    """Join each run of layers that name no node with the kernels that are predicted between their neighbours and that
    no layer has: one by one where there are as many of both, else as a whole."""
    group_of = {layer: group for group in groups for layer in group.layers}
    lonely = sorted(group.kernels[0] for group in groups if not group.layers and len(group.kernels) == 1)
    joined: list[Group] = []
    for is_named, run in groupby(range(len(named)), key=lambda layer: named[layer]):
        listed = list(run)
        found = () if is_named else _kernels_between(listed, group_of, lonely)
        if len(found) == len(listed):
            joined += [Group((layer,), (kernel,), "place") for layer, kernel in zip(listed, found)]
        elif found:
            joined.append(Group(tuple(listed), tuple(found), "place"))
    taken_layers = {layer for group in joined for layer in group.layers}
    taken_kernels = {kernel for group in joined for kernel in group.kernels}
    kept = [g for g in groups if taken_layers.isdisjoint(g.layers) and taken_kernels.isdisjoint(g.kernels)]
    return sorted([*kept, *joined], key=lambda group: (not group.layers, group.layers or group.kernels))


def _kernels_between(run: Sequence[int], group_of: Mapping[int, Group], lonely: Sequence[int]) -> Sequence[int]:
    """Unmatched kernels (`lonely`, in order) behind those of the layer before the run, and before those of the layer
    behind it."""
    before, behind = group_of.get(run[0] - 1), group_of.get(run[-1] + 1)
    first = max(before.kernels, default=None) if before else -1
    last = min(behind.kernels, default=None) if behind else inf
    if first is None or last is None:
        return []
    return lonely[bisect_right(lonely, first) : bisect_left(lonely, last)]
