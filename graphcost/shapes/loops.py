"""Loop, Scan and SequenceMap: a body that runs many times, typed once for all its turns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from graphcost.ir import Graph, Node, Value
from graphcost.types import UNKNOWN, ContainerType, Dim, TensorType, Type, Unknown

from .bodies import Runner, enter
from .reading import axis_of, give, integer, integers
from .unify import unbounded, unify

ROUNDS = 4
"""Turns of a loop that are looked at: a dimension that changes is unknown after one, a rank that changes after two."""

DEEPEST = 3
"""Loops in loops whose turns are looked at one by one: each multiplies the turns of those inside."""


def loop(runner: Runner, node: Node) -> Sequence[Type]:
    """Final values of what is carried from turn to turn, then what each turn gives, stacked along a new first axis."""
    body = node.bodies[0]
    count = _carried(node, len(body.inputs) - 2)
    carried = [_type(node.operand(2 + i)) for i in range(count)]
    carried = _settle(runner, node, body.inputs[2 : 2 + count], body.outputs[1 : 1 + count], carried)
    trips = _trips(runner, node, body)
    node.set_attr("trip_count", trips)
    turns: Dim = Unknown(node.name, _limit(runner, node)) if trips is None else trips
    return give(node, *carried, *(_stacked(node, out.type, turns, 0) for out in body.outputs[1 + count :]))


def _carried(node: Node, default: int) -> int:
    """How many values are carried; behind them the inputs of the body are captures."""
    return min(integer(node, "carried", default), len(node.results))


def _settle(
    runner: Runner, node: Node, entries: Sequence[Value], leaves: Sequence[Value], carried: list[Type]
) -> list[Type]:
    """Run the body until what enters it and what leaves it have types in common."""
    body, (rounds, carried) = node.bodies[0], _start(node, carried)
    for turn in range(rounds):
        enter(runner, node, body)
        _supply(runner, node, body)
        for entry, leaf, type in zip(entries, leaves, carried):
            entry.type = type
            if entry is not leaf:
                runner.facts.learn(entry, None)
        runner.run(body)
        names = [f"{node.name}.{i}" for i in range(len(carried))]
        wider = [unify(now, leaf.type, name) for now, leaf, name in zip(carried, leaves, names)]
        wider = [unbounded(type) for type in wider] if turn else wider
        if wider == carried:
            break
        carried = wider
    return carried


def _start(node: Node, carried: list[Type]) -> tuple[int, list[Type]]:
    """How many turns to look at, and the types to begin with: deep inside other loops a single turn, with shapes that
    hold for all."""
    depth, graph = 0, node.graph
    while graph is not None and graph.owner is not None:
        depth += graph.owner.op in _LOOPS
        graph = graph.owner.graph
    if depth < DEEPEST:
        return ROUNDS, carried
    return 1, [type.with_dims(None) if isinstance(type, TensorType) else type for type in carried]


_LOOPS = frozenset({"onnx.Loop", "onnx.Scan"})


def _supply(runner: Runner, node: Node, body: Graph) -> None:
    """The iteration number, and the condition: whenever the body runs, it holds."""
    for entry, slot, dtype in zip(body.inputs, body.binds[:2], ("i64", "bool")):
        if slot is None:
            entry.type = TensorType(dtype, ())
    runner.facts.learn(body.inputs[0], None)
    runner.facts.learn(body.inputs[1], numpy.array(True))


def _trips(runner: Runner, node: Node, body: Graph) -> int | None:
    """The trip count of a loop whose condition never changes."""
    start = runner.facts.known(node.operand(1))
    if node.operand(1) is not None and (start is None or start.dtype == object):
        return None
    if start is not None and not start.any():
        return 0
    again = runner.facts.known(body.outputs[0])
    holds = again is not None and again.dtype != object and bool(again.all())
    return _limit(runner, node) if holds else None


def _limit(runner: Runner, node: Node) -> int | None:
    most = runner.facts.known(node.operand(0))
    if most is None or most.dtype == object or most.size != 1:
        return None
    return max(int(most.reshape(-1)[0]), 0)


def _stacked(node: Node, type: Type, length: Dim, axis: int) -> Type:
    if not isinstance(type, TensorType) or type.dims is None:
        return type
    axis = axis_of(node, axis, len(type.dims) + 1)
    return type.with_dims((*type.dims[:axis], length, *type.dims[axis:]))


def _type(value: Value | None) -> Type:
    return UNKNOWN if value is None else value.type


# Scan


def scan(runner: Runner, node: Node) -> Sequence[Type]:
    """States pass from slice to slice of the scanned operands; each slice gives one of each scanned result."""
    body, slices = node.bodies[0], min(integer(node, "num_scan_inputs"), len(node.operands))
    count = _carried(node, len(body.inputs) - slices)
    scanned = list(range(count, count + slices))
    length = _length(node, scanned, integers(node, "scan_input_axes") or (0,) * slices)
    states = [_type(node.operand(i)) for i in range(count)]
    states = _settle_scan(runner, node, states, scanned)
    axes = integers(node, "scan_output_axes") or (0,) * len(body.outputs)
    results = zip(body.outputs[count:], axes)
    return give(node, *states, *(_stacked(node, out.type, length, axis) for out, axis in results))


def _length(node: Node, scanned: Sequence[int], axes: Sequence[int]) -> Dim:
    for slot, axis in zip(scanned, axes):
        type = _type(node.operand(slot))
        if isinstance(type, TensorType) and type.dims is not None:
            return type.dims[axis_of(node, axis, len(type.dims))]
    return Unknown(node.name)


def _settle_scan(runner: Runner, node: Node, states: list[Type], scanned: Sequence[int]) -> list[Type]:
    body, (rounds, states) = node.bodies[0], _start(node, states)
    axes = integers(node, "scan_input_axes") or (0,) * len(scanned)
    for _ in range(rounds):
        enter(runner, node, body)
        for entry, type in zip(body.inputs, states):
            entry.type = type
            runner.facts.learn(entry, None)
        for entry, slot, axis in zip(body.inputs[len(states) :], scanned, axes):
            entry.type = _sliced(node, _type(node.operand(slot)), axis)
            runner.facts.learn(entry, None)
        runner.run(body)
        wider = [unify(s, leaf.type, f"{node.name}.{i}") for i, (s, leaf) in enumerate(zip(states, body.outputs))]
        if wider == states:
            break
        states = wider
    return states


def _sliced(node: Node, type: Type, axis: int) -> Type:
    if not isinstance(type, TensorType) or type.dims is None:
        return type
    axis = axis_of(node, axis, len(type.dims))
    return type.with_dims((*type.dims[:axis], *type.dims[axis + 1 :]))


def sequence_map(runner: Runner, node: Node) -> Sequence[Type]:
    """The body once for each element of a sequence; tensors beside it are the same for all."""
    body = node.bodies[0]
    enter(runner, node, body)
    own = integer(node, "carried", len(node.operands))
    for entry, slot in zip(body.inputs, body.binds):
        if isinstance(entry.type, ContainerType) and entry.type.kind == "seq" and slot is not None and slot < own:
            entry.type = entry.type.element
            runner.facts.learn(entry, None)
    runner.run(body)
    return [ContainerType("seq", out.type) for out in body.outputs]
