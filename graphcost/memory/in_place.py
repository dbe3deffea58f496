"""Writing in place: no node may overwrite what is read later."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Graph, InvalidIR, Node, Value
from graphcost.operators import Alias, Operators, Relation

from .aliases import aliases_of
from .storage import Lives, Storage, Storages, storages


def verify_in_place(graph: Graph, operators: Operators) -> None:
    """Raise InvalidIR where a node overwrites a value, or a part of one, that is read later.

    Parts with strides are taken as ranges of bytes, so parts that interleave are refused too.
    """
    if not any(_overwrites(node, operators) for node in graph):
        return
    plan, lives = storages(graph, operators), Lives(graph, tuple(graph))
    last_read = {**lives.read, **dict.fromkeys(lives.outputs, len(plan.nodes))}
    needed: dict[Storage, list[Value]] = {}
    for value in (*graph.inputs, *graph.weights):
        needed.setdefault(plan.storage_of[value], []).append(value)
    for time, node in enumerate(plan.nodes):
        for alias in _overwrites(node, operators):
            _verify_write(node, node.results[alias.result], time, plan, last_read, needed)
        for result in node.results:
            if result in plan.storage_of:
                needed.setdefault(plan.storage_of[result], []).append(result)


def _overwrites(node: Node, operators: Operators) -> list[Alias]:
    return [a for a in aliases_of(node, operators) if a.relation is Relation.IN_PLACE]


def _verify_write(
    node: Node,
    result: Value,
    time: int,
    plan: Storages,
    last_read: Mapping[Value, int],
    needed: dict[Storage, list[Value]],
) -> None:
    """Refuse a write over a value that is read after `time`; forget the values that nobody needs any more."""
    storage = plan.storage_of[result]
    needed[storage] = [value for value in needed.get(storage, []) if last_read[value] > time]
    for value in needed[storage]:
        if _overlap(plan, value, result):
            raise InvalidIR(f"{node.name} overwrites %{value.name}, which is read later")


def _overlap(plan: Storages, a: Value, b: Value) -> bool:
    start_a, start_b = plan.offset_bytes(a), plan.offset_bytes(b)
    size_a, size_b = a.type.size_bytes, b.type.size_bytes
    if size_a is None or size_b is None:
        return True
    return start_a < start_b + size_b and start_b < start_a + size_a
