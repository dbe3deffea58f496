"""Lines up the kernels of a report with the layers of an engine, by the ONNX nodes that both hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeAlias

from graphcost.disjoint_sets import DisjointSets
from graphcost.report import Kernel

from .comparison import Apart, Match
from .layer import EngineLayer
from .names import LayerName, Role, parse_name
from .resolve import Resolver

Side: TypeAlias = Literal["reformats", "no-ops", "shape computations"]
SIDES: tuple[Side, ...] = ("reformats", "no-ops", "shape computations")

_Key: TypeAlias = "tuple[str, int]"
"""A node by its place, a copy by the place of the node whose result it copies, or a name that both sides have."""


@dataclass(frozen=True)
class Alignment:
    """Every kernel and every layer is in exactly one match or apart."""

    matches: tuple[Match, ...]
    apart: tuple[Apart, ...]


def align(kernels: Sequence[Kernel], layers: Sequence[EngineLayer], resolver: Resolver) -> Alignment:
    """Groups of kernels and layers that share ONNX nodes, directly or through others. Layers that name no node, such
    as kernels that Myelin generates, are matched with what is predicted at their place and nowhere else."""
    named = [(layer, parse_name(layer.name)) for layer in layers]
    views = {place for kernel in kernels if kernel.bound == "none" for place in resolver.find_all(kernel.origin)}
    theirs = [_side_of_layer(layer, name) or _side_of_view(layer, name, views, resolver) for layer, name in named]
    apart = (
        Apart(
            side,
            tuple(kernel for kernel in kernels if _side_of_kernel(kernel) == side),
            tuple(layer for layer, found in zip(layers, theirs) if found == side),
        )
        for side in SIDES
    )
    matches = _matches(
        [kernel for kernel in kernels if _side_of_kernel(kernel) is None],
        [item for item, side in zip(named, theirs) if side is None],
        resolver,
    )
    return Alignment(tuple(matches), tuple(part for part in apart if part.predicted or part.measured))


# What stands apart


def _side_of_kernel(kernel: Kernel) -> Side | None:
    """A Q or DQ that became a reformat is a kernel like others: it stands for a node."""
    if kernel.bound == "none":
        return "no-ops"
    return "reformats" if kernel.op == "trt.reformat" and not kernel.origin else None


def _side_of_layer(layer: EngineLayer, name: LayerName) -> Side | None:
    if layer.layer_type == "NoOp":
        return "no-ops"
    if name.role is Role.REFORMAT:
        return "reformats"
    if layer.layer_type == "shape_call" or name.role is Role.SHAPE:
        return "shape computations" if layer.layer_type or "shape_call" in layer.name else "no-ops"
    return None


def _side_of_view(layer: EngineLayer, name: LayerName, views: Set[int], resolver: Resolver) -> Side | None:
    """A layer of unknown type whose nodes only give tensors another shape is taken for a no-op."""
    places = () if layer.layer_type else resolver.find_all(name.parts)
    return "no-ops" if places and views >= set(places) else None


# Groups by nodes


def _matches(
    kernels: Sequence[Kernel], layers: Sequence[tuple[EngineLayer, LayerName]], resolver: Resolver
) -> list[Match]:
    keys_of_kernels = [_kernel_keys(kernel, resolver) for kernel in kernels]
    keys_of_layers = _layer_keys(layers, keys_of_kernels, resolver)
    _match_names([k.name for k in kernels], keys_of_kernels, [layer.name for layer, _ in layers], keys_of_layers)
    groups = _united([*keys_of_layers, *keys_of_kernels])
    count = len(layers)
    found = [_Group([i for i in group if i < count], [i - count for i in group if i >= count]) for group in groups]
    named = [bool(keys) for keys in keys_of_layers]
    placed = _by_place(found, named) if any(named) else found
    return [
        Match(
            tuple(kernels[i] for i in group.kernels),
            tuple(layers[i][0] for i in group.layers),
            "place" if group.by_place else "nodes",
        )
        for group in placed
    ]


@dataclass
class _Group:
    """Numbers of layers and of kernels."""

    layers: list[int]
    kernels: list[int]
    by_place: bool = False


def _kernel_keys(kernel: Kernel, resolver: Resolver) -> list[_Key]:
    if kernel.name.endswith(" copy"):
        return [("copy", place) for place in resolver.find_all(parse_name(kernel.name).parts)]
    return [("node", place) for place in resolver.find_all(kernel.origin)]


def _layer_keys(
    layers: Sequence[tuple[EngineLayer, LayerName]], kernels: Sequence[Sequence[_Key]], resolver: Resolver
) -> list[list[_Key]]:
    """What each layer holds. Regions, which name only their ends, hold what lies between and is nobody else's."""
    keys = [_spelled_keys(layer, name, resolver) for layer, name in layers]
    claimed = {key for (layer, name), own in zip(layers, keys) if not _is_open(layer, name) for key in own}
    free = {key for own in kernels if claimed.isdisjoint(own) for key in own}
    for number, (layer, name) in enumerate(layers):
        if _is_open(layer, name):
            keys[number] = [*keys[number], *_between(name, free, claimed, resolver)]
    return keys


def _match_names(
    kernels: Sequence[str], keys_of_kernels: list[list[_Key]], layers: Sequence[str], keys_of_layers: list[list[_Key]]
) -> None:
    """Give those that hold no node of their own and have one name on both sides a key in common."""
    shared = {name: number for number, name in enumerate(set(kernels) & set(layers))}
    for names, all_keys in ((kernels, keys_of_kernels), (layers, keys_of_layers)):
        for name, keys in zip(names, all_keys):
            if name in shared and all(kind == "copy" for kind, _ in keys):
                keys[:] = [("name", shared[name])]


def _spelled_keys(layer: EngineLayer, name: LayerName, resolver: Resolver) -> list[_Key]:
    if name.role is Role.COPY:
        return [("copy", place) for place in resolver.find_all(name.parts)]
    by_metadata = resolver.find_all(layer.onnx)
    return [("node", place) for place in by_metadata or resolver.find_all(name.parts)]


def _is_open(layer: EngineLayer, name: LayerName) -> bool:
    return name.role is Role.REGION and not layer.onnx


def _between(name: LayerName, free: set[_Key], claimed: set[_Key], resolver: Resolver) -> list[_Key]:
    """Free nodes from the first to the last of a region. A first that is a weight, or made by the parser, is no node:
    the region then reaches back to the nearest node of another layer."""
    first, last = (resolver.find(part) for part in name.parts)
    if last is None:
        last = first
    if last is None:
        return []
    if first is None:
        first = max((place + 1 for kind, place in claimed if kind == "node" and place < last), default=0)
    return [("node", place) for place in range(first, last + 1) if ("node", place) in free]


def _united(items: Sequence[Sequence[_Key]]) -> list[list[int]]:
    """Numbers of items that share a key, directly or through others; an item without a key is alone."""
    numbers: dict[_Key, int] = {}
    members = [[numbers.setdefault(key, len(numbers)) for key in keys] for keys in items]
    sets = DisjointSets(len(numbers))
    for own in members:
        sets.unite(own)
    groups: dict[object, list[int]] = {}
    for item, own in enumerate(members):
        groups.setdefault(sets.find(own[0]) if own else ("alone", item), []).append(item)
    return list(groups.values())


# Groups by place


def _by_place(groups: Sequence[_Group], named: Sequence[bool]) -> list[_Group]:
    """Join each run of layers that name no node with the kernels that are predicted between their neighbours and that
    no layer has: one by one where there are as many of both, else as a whole."""
    group_of = {layer: group for group in groups for layer in group.layers}
    lonely = [group.kernels[0] for group in groups if not group.layers and len(group.kernels) == 1]
    joined: list[_Group] = []
    for is_named, run in groupby(range(len(named)), key=lambda layer: named[layer]):
        listed = list(run)
        found = [] if is_named else _kernels_between(listed, group_of, lonely)
        if len(found) == len(listed):
            joined += [_Group([layer], [kernel], by_place=True) for layer, kernel in zip(listed, found)]
        elif found:
            joined.append(_Group(listed, found, by_place=True))
    taken_layers = {layer for group in joined for layer in group.layers}
    taken_kernels = {kernel for group in joined for kernel in group.kernels}
    kept = [g for g in groups if taken_layers.isdisjoint(g.layers) and taken_kernels.isdisjoint(g.kernels)]
    return sorted([*kept, *joined], key=lambda group: (not group.layers, group.layers or group.kernels))


def _kernels_between(run: Sequence[int], group_of: dict[int, _Group], lonely: Iterable[int]) -> list[int]:
    """Unmatched kernels behind those of the layer before the run, and before those of the layer behind it."""
    before, behind = group_of.get(run[0] - 1), group_of.get(run[-1] + 1)
    first = max(before.kernels, default=None) if before else -1
    last = min(behind.kernels, default=None) if behind else max(lonely, default=-1) + 1
    if first is None or last is None:
        return []
    return [kernel for kernel in lonely if first < kernel < last]
