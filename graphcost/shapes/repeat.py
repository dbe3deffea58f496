"""Stored tensors that meet others with a larger batch now: they are repeated, as the exporter would have done.

A class token `[1, 1, 768]` that is joined to patches, the first state of a recurrent layer: with a batch of one they
were stored as they are. Repeating along a dimension of 1 changes no number that they hold. A dimension that held
another batch is changed where the tensor is a weight, and any dimension where the tensor was made to a stored size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from graphcost.ir import Node, Value
from graphcost.types import UNKNOWN, Constant

from .changes import Changes, dims_of
from .factors import Axis, new_size, old_size
from .reading import integer

Visit: TypeAlias = Callable[[Node], None]
"""Infers the types of one node."""

Sizes: TypeAlias = "list[int]"


def repeat_operands(changes: Changes, node: Node, visit: Visit) -> bool:
    """Repeat each stored operand of a node whose operands do not fit together; whether there was any."""
    found = False
    for slot in range(len(node.operands)):
        wanted = _wanted(changes, node, slot)
        if wanted is not None and _repeat(changes, node, slot, wanted, visit):
            found = True
    return found


def repeat_companions(changes: Changes, node: Node, visit: Visit) -> None:
    """Repeat operands that must have the batch of the first one, but whose types nobody compares."""
    for slot, axis in _COMPANIONS.get(node.op, {}).items():
        lead = changes.of(node.operand(0))
        index = integer(node, "axis") if node.op in _ELEMENTS else None
        sizes = changes.of(node.operand(slot))
        if lead is None or sizes is None or not changes.is_stored(node.operand(slot)):
            continue
        places = [axis] if index is None else [i for i in range(len(sizes)) if i != index % len(sizes)]
        wanted = [size.new for size in sizes]
        for place in places:
            if place < min(len(lead), len(sizes)) and sizes[place].new == lead[place].old:
                wanted[place] = lead[place].new
        if wanted != [size.new for size in sizes]:
            _repeat(changes, node, slot, wanted, visit)


_ELEMENTS = frozenset({"onnx.GatherElements", "onnx.ScatterElements"})
_COMPANIONS: Mapping[str, Mapping[int, int]] = {
    "onnx.GatherElements": {1: 0},
    "onnx.ScatterElements": {1: 0, 2: 0},
    "onnx.RNN": {5: 1},
    "onnx.GRU": {5: 1},
    "onnx.LSTM": {5: 1, 6: 1},
}


def _wanted(changes: Changes, node: Node, slot: int) -> Sizes | None:
    """The dimensions that an operand of stored size needs beside the others; None when it can stay."""
    value = node.operand(slot)
    mine = None if value is None else dims_of(value.type)
    if value is None or mine is None or changes.any(value):
        return None
    asked, stored = _stored_target(changes, value, len(mine)), changes.is_stored(value)
    wanted = list(mine)
    for other in node.operands:
        for axis, factors in _beside(node, changes.factors(other), len(mine)):
            if wanted[axis] == old_size(factors) and (asked[axis] or (stored and _may_repeat(changes, factors))):
                wanted[axis] = new_size(factors)
    return None if wanted == list(mine) else wanted


def _may_repeat(changes: Changes, factors: Axis) -> bool:
    """Whether what stands beside a changed dimension may be repeated, or be another batch."""
    return all(factor.old == 1 for factor in factors if factor.changes) or factors[0] in changes.batches


def _beside(node: Node, axes: tuple[Axis, ...] | None, rank: int) -> list[tuple[int, Axis]]:
    """Which dimension of a tensor of `rank` each dimension of another operand stands beside."""
    if axes is None:
        return []
    if node.op == "onnx.Concat":
        joined = integer(node, "axis") % max(len(axes), 1)
        return [(i, axis) for i, axis in enumerate(axes) if i != joined and i < rank]
    offset = rank - len(axes)
    return [(i + offset, axis) for i, axis in enumerate(axes) if i + offset >= 0]


def _repeat(changes: Changes, node: Node, slot: int, wanted: Sizes, visit: Visit) -> bool:
    value = node.operand(slot)
    mine = None if value is None else dims_of(value.type)
    if value is None or mine is None:
        return False
    if _retarget(changes, value, wanted, visit):
        return True
    if not changes.is_stored(value):
        return False
    if not any(want % now for now, want in zip(mine, wanted) if now):
        times = [want // now if now else 1 for now, want in zip(mine, wanted)]
        only_ones = all(now == 1 for now, count in zip(mine, times) if count > 1)
        _insert(changes, node, slot, *(("onnx.Expand", wanted) if only_ones else ("onnx.Tile", times)), visit)
        return True
    if value.is_weight:
        changes.store_resized(node, slot, wanted)
    return value.is_weight


def _retarget(changes: Changes, value: Value, wanted: Sizes, visit: Visit) -> bool:
    """Give another target to the node that made the value by one, where nobody else reads it."""
    maker = value.producer
    if maker is None or not any(_stored_target(changes, value, len(wanted))):
        return False
    changes.store(maker, _TARGETS[maker.op], wanted)
    visit(maker)
    return True


def _stored_target(changes: Changes, value: Value, rank: int) -> list[bool]:
    """Which dimensions of a value its maker was told in so many words, where nobody else reads it."""
    maker = value.producer
    slot = _TARGETS.get(maker.op) if maker is not None else None
    target = None if maker is None or slot is None else maker.operand(slot)
    held = changes.facts.known(target)
    if target is None or held is None or held.size != rank or value.use_count != 1:
        return [False] * rank
    return changes.stored_entries(target, rank)


_TARGETS = {"onnx.Expand": 1, "onnx.ConstantOfShape": 0, "onnx.Resize": 3}
"""Operators whose result is as large as an operand says, by the slot of that operand."""


def _insert(changes: Changes, node: Node, slot: int, op: str, sizes: Sizes, visit: Visit) -> None:
    """Put an Expand or a Tile before an operand. The new node stands for no node of the file."""
    graph, value = node.graph, node.operand(slot)
    if graph is None or value is None:
        return
    data = Constant("i64", (len(sizes),), tuple(sizes))
    weight = graph.add_weight(Value(changes.unique_name(graph, f"{value.name}_size"), data.type, data))
    repeated = Value(changes.unique_name(graph, f"{value.name}_repeated"), UNKNOWN)
    made = Node(op, [value, weight], [repeated], name=f"{node.name}_repeat_{slot}", origin=())
    graph.insert_before(node, made)
    visit(made)
    changes.note_stored(made)
    node.set_operand(slot, repeated)
