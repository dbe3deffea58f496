"""Control flow: how often bodies run. Unlike a kernel, each node of a body runs on its own, so its bytes count too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from graphcost.ir import Node
from graphcost.types import TensorType

from .sizes import integers

if TYPE_CHECKING:
    from .node import NodeWork

Combine: TypeAlias = "Callable[[Node, Sequence[NodeWork]], NodeWork]"
"""The work of a node from that of its bodies, each run once."""


def branch(node: Node, bodies: Sequence[NodeWork]) -> NodeWork:
    """The branch that the attribute `taken_branch` names, else the dearest one, by flops and then by bytes."""
    taken = [i for i, body in enumerate(node.bodies) if body.name == node.attrs.get("taken_branch")]
    if taken:
        return bodies[taken[0]]
    dearest = max(range(len(bodies)), key=lambda i: (bodies[i].work.flops, bodies[i].work.bytes))
    return bodies[dearest].noting(f"counted by its dearest branch, {node.bodies[dearest].name}")


def loop(node: Node, bodies: Sequence[NodeWork]) -> NodeWork:
    """The body as often as the attribute `trip_count` says."""
    trips = node.attrs.get("trip_count")
    if isinstance(trips, int):
        return bodies[0] * trips
    return bodies[0].noting("per iteration: trip count is not known")


def scan(node: Node, bodies: Sequence[NodeWork]) -> NodeWork:
    """The body for each slice of the sequence."""
    length = _scan_length(node)
    if length is None:
        return bodies[0].noting("per iteration: the length of the sequence is not known")
    return bodies[0] * length


def _scan_length(node: Node) -> int | None:
    """The first scanned operand is the first whose counterpart in the body lacks one of its dimensions."""
    body = node.bodies[0]
    axis = next(iter(integers(node, "scan_input_axes")), 0)
    for entry, slot in zip(body.inputs, body.binds):
        whole = None if slot is None else node.operand(slot)
        if whole is None or not isinstance(whole.type, TensorType) or not isinstance(entry.type, TensorType):
            continue
        if whole.type.dims and entry.type.rank == len(whole.type.dims) - 1:
            length = whole.type.dims[axis % len(whole.type.dims)]
            return length if isinstance(length, int) else length.max
    return None


def sequence_map(node: Node, bodies: Sequence[NodeWork]) -> NodeWork:
    """Once: a sequence does not say in its type how long it is."""
    return bodies[0].noting("per iteration: the length of the sequence is not known")


CONTROL: Mapping[str, Combine] = {
    "onnx.If": branch,
    "onnx.Loop": loop,
    "onnx.Scan": scan,
    "onnx.SequenceMap": sequence_map,
}
