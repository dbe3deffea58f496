"""Lines up the kernels of a report with the layers of an engine, by the ONNX nodes that both hold."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Literal, TypeAlias

from graphcost.report import Kernel

from .comparison import Apart, Match
from .groups import grouped
from .keys import Named, keys_of
from .layer import EngineLayer
from .names import LayerName, Role, parse_name
from .resolve import Resolver

Side: TypeAlias = Literal["reformats", "no-ops", "shape computations"]
_NO_WORK = frozenset({"noop", "constant", "trainstation", "signal", "wait"})
"""Types of layers that compute nothing. All but NoOp are taken from names of TensorRT's API, not from a layer list."""
_CONVOLUTIONS = frozenset({"conv", "group-conv", "depthwise", "deconv"})
SIDES: tuple[Side, ...] = ("reformats", "no-ops", "shape computations")


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
    if layer.layer_type.lower() in _NO_WORK or name.role is Role.CONSTANT:
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


def _matches(kernels: Sequence[Kernel], layers: Sequence[Named], resolver: Resolver) -> list[Match]:
    convolutions = {number for number, kernel in enumerate(kernels) if kernel.kind in _CONVOLUTIONS}
    return [
        Match(tuple(kernels[i] for i in group.kernels), tuple(layers[i][0] for i in group.layers), group.by)
        for group in grouped(*keys_of(kernels, layers, resolver), convolutions)
    ]
