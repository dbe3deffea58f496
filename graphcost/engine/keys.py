"""What kernels and layers are matched by: the ONNX nodes that they hold, else a name that both sides have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from graphcost.report import Kernel

from .layer import EngineLayer
from .names import LayerName, Role, parse_name
from .resolve import Resolver

Key: TypeAlias = "tuple[str, int]"
"""A node by its place, a copy by the place of the node whose result it copies, or a name that both sides have."""

Named: TypeAlias = "tuple[EngineLayer, LayerName]"


def keys_of(
    kernels: Sequence[Kernel], layers: Sequence[Named], resolver: Resolver
) -> tuple[list[list[Key]], list[list[Key]]]:
    """The keys of each kernel and of each layer; none where nothing is known of what it holds."""
    of_kernels = [_kernel_keys(kernel, resolver) for kernel in kernels]
    of_layers = _layer_keys(layers, of_kernels, resolver)
    _match_names([k.name for k in kernels], of_kernels, [layer.name for layer, _ in layers], of_layers)
    return of_kernels, of_layers


def _kernel_keys(kernel: Kernel, resolver: Resolver) -> list[Key]:
    if kernel.name.endswith(" copy"):
        return [("copy", place) for place in resolver.find_all(parse_name(kernel.name).parts)]
    return [("node", place) for place in resolver.find_all(kernel.origin)]


def _layer_keys(
    layers: Sequence[Named], kernels: Sequence[Sequence[Key]], resolver: Resolver
) -> list[list[Key]]:
    """What each layer holds. Regions, which name only their ends, hold what lies between and is nobody else's."""
    keys = [_spelled_keys(layer, name, resolver) for layer, name in layers]
    claimed = {key for (layer, name), own in zip(layers, keys) if not _is_open(layer, name) for key in own}
    free = {key for own in kernels if claimed.isdisjoint(own) for key in own}
    for number, (layer, name) in enumerate(layers):
        if _is_open(layer, name):
            keys[number] = [*keys[number], *_between(name, free, claimed, resolver)]
    return keys


def _match_names(
    kernels: Sequence[str], keys_of_kernels: list[list[Key]], layers: Sequence[str], keys_of_layers: list[list[Key]]
) -> None:
    """Give those that hold no node of their own and have one name on both sides a key in common."""
    shared = {name: number for number, name in enumerate(set(kernels) & set(layers))}
    for names, all_keys in ((kernels, keys_of_kernels), (layers, keys_of_layers)):
        for name, keys in zip(names, all_keys):
            if name in shared and all(kind == "copy" for kind, _ in keys):
                keys[:] = [("name", shared[name])]


def _spelled_keys(layer: EngineLayer, name: LayerName, resolver: Resolver) -> list[Key]:
    if name.role is Role.COPY:
        return [("copy", place) for place in resolver.find_all(name.parts)]
    by_metadata = resolver.find_all(layer.onnx)
    return [("node", place) for place in by_metadata or resolver.find_all(name.parts)]


def _is_open(layer: EngineLayer, name: LayerName) -> bool:
    return name.role is Role.REGION and not layer.onnx


def _between(name: LayerName, free: set[Key], claimed: set[Key], resolver: Resolver) -> list[Key]:
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
