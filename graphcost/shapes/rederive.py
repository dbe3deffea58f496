"""Sizes that are stored in a graph, derived again from how the operand that they speak of has changed.

Each rule looks at the data as they were before and writes a new weight where an entry has to change. Entries that the
graph computes from shapes follow by themselves and are left alone, as are 0 and -1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from graphcost.ir import Node

from .changes import Changes, dims_of, integers_of
from .errors import ShapeMismatch
from .factors import Axis, Factor, new_size, old_size, regroup
from .reading import integer, integers

Rule: TypeAlias = Callable[[Changes, Node], None]


def _rewrite(changes: Changes, node: Node, slot: int, wanted: Sequence[int]) -> None:
    """Let the entries of an operand that are stored be those of `wanted`."""
    given = changes.original_operand(node, slot)
    now = integers_of(changes.facts, given)
    if given is None or now is None or len(now) != len(wanted):
        return
    stored = [True] * len(now) if node in changes.forced else changes.stored_entries(given, len(now))
    values = [want if mine else entry for want, entry, mine in zip(wanted, now, stored)]
    if values == now:
        node.set_operand(slot, given)
    else:
        changes.store(node, slot, values)


def _followed(entry: int, size: Factor) -> int:
    """An entry that names the old size names the new one."""
    return size.new if entry == size.old else entry


def reshape(changes: Changes, node: Node) -> None:
    """The target takes each change to the dimension in which it comes to lie."""
    target, sizes = changes.old_integers(node, 1), changes.of(node.operand(0))
    was = dims_of(changes.nodes[node].results[0].type)
    if target is None or sizes is None or was is None or not any(size.changes for size in sizes):
        return
    axes = changes.factors(node.operand(0))
    moved = None if axes is None else regroup(axes, was)
    if moved is not None and len(target) == len(moved):
        wanted = [entry if entry in (0, -1) else new_size(axis) for entry, axis in zip(target, moved)]
        _rewrite(changes, node, 1, wanted)
    elif 0 not in was and changes.is_stored(changes.original_operand(node, 1)) and any(entry > 0 for entry in target):
        old, new = [size.old for size in sizes], [size.new for size in sizes]
        raise ShapeMismatch(node, f"its operand {old} becomes {new}, which its target {target} cannot follow")


def expand(changes: Changes, node: Node) -> None:
    """Entries that repeated the size of the operand; counted from the back, as broadcasting does."""
    target, sizes = changes.old_integers(node, 1), changes.of(node.operand(0))
    if target is None or not sizes:
        return
    padded = (*[Factor(-1, -1)] * (len(target) - len(sizes)), *sizes[-len(target) :])
    _rewrite(changes, node, 1, [e if s.old == 1 else _followed(e, s) for e, s in zip(target, padded)])


def asked_sizes(slot: int) -> Rule:
    """Sizes of a result that keeps to its operand: those that were in proportion stay so."""

    def rule(changes: Changes, node: Node) -> None:
        target, sizes = changes.old_integers(node, slot), changes.of(node.operand(0))
        if target is None or sizes is None:
            return
        axes = integers(node, "axes") or range(len(sizes))
        if len(axes) == len(target):
            _rewrite(changes, node, slot, [_in_proportion(entry, sizes[axis]) for entry, axis in zip(target, axes)])

    return rule


def _in_proportion(entry: int, size: Factor) -> int:
    if not size.changes or size.old == 0 or entry * size.new % size.old:
        return entry
    return entry * size.new // size.old


def batch_of_grid(changes: Changes, node: Node) -> None:
    """AffineGrid: operand 1 begins with the batch of the matrices."""
    target, sizes = changes.old_integers(node, 1), changes.of(node.operand(0))
    if target and sizes:
        _rewrite(changes, node, 1, [_followed(target[0], sizes[0]), *target[1:]])


def slice_(changes: Changes, node: Node) -> None:
    """An end that was the size of the axis; both positions where the axis is so many times the size that changed."""
    starts, ends = changes.old_integers(node, 1), changes.old_integers(node, 2)
    data = changes.factors(node.operand(0))
    if starts is None or ends is None or data is None or len(starts) != len(ends):
        return
    along = changes.old_integers(node, 3) if node.operand(3) is not None else list(range(len(starts)))
    if along is None or len(along) != len(starts):
        return
    axes = [data[axis] for axis in along]
    _rewrite(changes, node, 1, [_position(start, axis) for start, axis in zip(starts, axes)])
    _rewrite(changes, node, 2, [_position(end, axis) for end, axis in zip(ends, axes)])


def _position(position: int, axis: Axis) -> int:
    """A position along an axis: 0 and negative ones stay, the end stays the end, a border between repetitions stays
    such a border."""
    if position <= 0:
        return position
    if position == old_size(axis):
        return new_size(axis)
    step = _repetition(axis)
    return position // step.old * step.new if position % step.old == 0 else position


def _repetition(axis: Axis) -> Factor:
    """What an axis repeats: the part of it that changed, behind the outer factors that did not. A whole axis that
    changed repeats nothing."""
    first = next((i for i, factor in enumerate(axis) if factor.changes), 0)
    return Factor(old_size(axis[first:]), new_size(axis[first:])) if first else Factor(1, 1)


def split(changes: Changes, node: Node) -> None:
    """Parts of a changed axis: so many repetitions each, else in proportion where all of them can be."""
    parts, data = changes.old_integers(node, 1), changes.factors(node.operand(0))
    if not parts or not data:
        return
    axis = data[integer(node, "axis") % len(data)]
    step = _repetition(axis)
    if step.changes and not any(part % step.old for part in parts):
        wanted = [part // step.old * step.new for part in parts]
    else:
        size = Factor(old_size(axis), new_size(axis))
        wanted = [_in_proportion(part, size) for part in parts]
    if sum(wanted) == new_size(axis):
        _rewrite(changes, node, 1, wanted)


def gather(changes: Changes, node: Node) -> None:
    """A table that reads every element along a changed axis once (a strided view, an attention mask)."""
    data = changes.factors(node.operand(0))
    if data:
        _tabulate(changes, node, data[integer(node, "axis") % len(data)], 0)


def gather_nd(changes: Changes, node: Node) -> None:
    data, table = changes.factors(node.operand(0)), changes.of(changes.original_operand(node, 1))
    if data and table and not integer(node, "batch_dims"):
        _tabulate(changes, node, tuple(factor for axis in data[: table[-1].old] for factor in axis), 1)


def _tabulate(changes: Changes, node: Node, read: Axis, behind: int) -> None:
    """Let a known table of indices, but for the `behind` last of its dimensions, be as large as what it reads."""
    table = changes.original_operand(node, 1)
    sizes = changes.of(table)
    known = changes.is_stored(table) or changes.facts.known(table) is not None
    if not known or not sizes or any(size.changes for size in sizes) or old_size(read) == new_size(read):
        return
    count = len(sizes) - behind
    moved = regroup([read], [size.old for size in sizes[:count]])
    if moved is not None:
        changes.store_resized(node, 1, [*map(new_size, moved), *(size.old for size in sizes[count:])])


REDERIVE: Mapping[str, Rule] = {
    "onnx.Reshape": reshape,
    "onnx.Expand": expand,
    "onnx.Resize": asked_sizes(3),
    "onnx.CenterCropPad": asked_sizes(1),
    "onnx.AffineGrid": batch_of_grid,
    "onnx.Gather": gather,
    "onnx.GatherND": gather_nd,
    "onnx.Slice": slice_,
    "onnx.Split": split,
}
