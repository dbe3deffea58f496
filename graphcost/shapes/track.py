"""Operators through which the factors of a changed dimension move into other dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from graphcost.ir import Node, Value

from .changes import Changes, integers_of
from .factors import Axis, Factor, new_size, old_size, regroup

Track: TypeAlias = Callable[[Changes, Node, Sequence[Factor]], "Sequence[Axis] | None"]
"""From the old and new sizes of the result to its factors; None where the operator cannot tell."""


def track(changes: Changes, node: Node) -> None:
    """Note the factors of a node's results where a dimension has several."""
    for result in node.results:
        axes = _axes(changes, node, result)
        if axes is not None and any(len(axis) > 1 for axis in axes):
            changes.axes[result] = tuple(axes)


def _axes(changes: Changes, node: Node, result: Value) -> Sequence[Axis] | None:
    sizes = changes.of(result)
    if sizes is None or not any(size.changes for size in sizes):
        return None
    axes = _TRACKS[node.op](changes, node, sizes) if node.op in _TRACKS else None
    if axes is not None and [(old_size(axis), new_size(axis)) for axis in axes] == list(sizes):
        return axes
    return _inherited(changes, node, sizes)


def _inherited(changes: Changes, node: Node, sizes: Sequence[Factor]) -> list[Axis] | None:
    """From an operand's dimension that changed alike: one in the same place, counted from the front or from the back,
    else any."""
    tracked = [changes.axes[v] for v in node.operands if v is not None and v in changes.axes]
    if not tracked:
        return None
    return [_like(tracked, i, size, len(sizes)) for i, size in enumerate(sizes)]


def _like(tracked: Sequence[Sequence[Axis]], index: int, size: Factor, rank: int) -> Axis:
    same_place = [axes[i] for axes in tracked for i in (index, len(axes) - rank + index) if 0 <= i < len(axes)]
    for axis in (*same_place, *(axis for axes in tracked for axis in axes)):
        if len(axis) > 1 and (old_size(axis), new_size(axis)) == size:
            return axis
    return (size,)


def _reshape(changes: Changes, node: Node, sizes: Sequence[Factor]) -> Sequence[Axis] | None:
    axes = changes.factors(node.operand(0))
    return None if axes is None else regroup(axes, [size.old for size in sizes])


def _transpose(changes: Changes, node: Node, sizes: Sequence[Factor]) -> Sequence[Axis] | None:
    axes, order = changes.factors(node.operand(0)), node.attrs.get("perm")
    if axes is None or not isinstance(order, tuple):
        return None if axes is None else axes[::-1]
    return [axes[axis] for axis in order if isinstance(axis, int)]


def _concat(changes: Changes, node: Node, sizes: Sequence[Factor]) -> Sequence[Axis] | None:
    """Equal parts that all changed alike: their number is the outer factor of the axis."""
    parts, axis = [changes.factors(operand) for operand in node.operands], node.attrs.get("axis")
    first = parts[0]
    if first is None or not isinstance(axis, int) or any(part != first for part in parts):
        return None
    return _repeated(first, axis % len(first), len(parts))


def _tile(changes: Changes, node: Node, sizes: Sequence[Factor]) -> Sequence[Axis] | None:
    axes, repeats = changes.factors(node.operand(0)), integers_of(changes.facts, node.operand(1))
    if axes is None or repeats is None:
        return None
    for axis, times in enumerate(repeats):
        axes = _repeated(axes, axis, times) if times > 1 else axes
    return axes


def _repeated(axes: tuple[Axis, ...], axis: int, times: int) -> tuple[Axis, ...]:
    return (*axes[:axis], (Factor(times, times), *axes[axis]), *axes[axis + 1 :])


_TRACKS: Mapping[str, Track] = {
    "onnx.Reshape": _reshape,
    "onnx.Flatten": _reshape,
    "onnx.Squeeze": _reshape,
    "onnx.Unsqueeze": _reshape,
    "onnx.Transpose": _transpose,
    "onnx.Concat": _concat,
    "onnx.Tile": _tile,
}
