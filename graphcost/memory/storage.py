"""Storage: which values share memory, how large each piece is, and from when to when it is needed.

Time is the position of a node in the order of execution, from 0. Everything that plans memory (liveness, the arena,
in-place writes, views instead of copies) uses only what this file says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, TypeAlias

from graphcost.ir import Graph, InvalidIR, Node, Value
from graphcost.operators import Alias, Operators, Relation
from graphcost.types import NoneType

from .aliases import aliases_of

__all__ = ["CONTROL_FLOW", "Kind", "Lives", "Storage", "Storages", "occupancy", "own_storages", "storages"]

CONTROL_FLOW = frozenset({"onnx.If", "onnx.Loop", "onnx.Scan", "onnx.SequenceMap"})
"""Operators whose bodies run node by node, through memory; any other body is the inside of one kernel."""


Kind: TypeAlias = Literal["input", "weight", "activation", "output", "transient"]


@dataclass(frozen=True, eq=False, slots=True)
class Storage:
    """A piece of memory, needed from node `first` to node `last`, both included. Compared by identity.

    A weight, a network output and a network input are named as such (an output that is also an input is an output);
    `transient` is what the bodies of one control-flow node need while it runs, and has no values of this graph.
    """

    name: str
    kind: Kind
    values: tuple[Value, ...]
    first: int
    last: int
    size_bytes: int
    """Where it is not known (`is_sized` is False), the least it can be."""
    is_sized: bool = True


@dataclass(frozen=True)
class Storages:
    """The storages of a graph in the order in which they are first needed, and where each value lies."""

    nodes: tuple[Node, ...]
    pieces: tuple[Storage, ...]
    storage_of: Mapping[Value, Storage]
    _offsets: Mapping[Value, int]

    def offset_bytes(self, value: Value) -> int:
        """Where a value begins in its storage."""
        return self._offsets.get(value, 0)

    @property
    def weights(self) -> tuple[Storage, ...]:
        """Those of weights that some node reads."""
        return tuple(p for p in self.pieces if p.kind == "weight" and any(v.use_count for v in p.values))

    @property
    def activations(self) -> tuple[Storage, ...]:
        """All that is not weights: inputs, outputs, what lies between, what bodies need."""
        return tuple(p for p in self.pieces if p.kind != "weight")


def storages(graph: Graph, operators: Operators) -> Storages:
    """Group the values of a graph by the storage they share.

    An input is there from the first node to its last reader, an output from its producer to the last node, any other
    value from its producer to its last reader.
    """
    nodes, groups = tuple(graph), _Groups()
    for node in nodes:
        for alias in aliases_of(node, operators):
            groups.join(node, alias)
    lives = Lives(graph, nodes)
    pieces = [_alone(v, lives) for v in graph.values() if v not in groups and not isinstance(v.type, NoneType)]
    storage_of = {piece.values[0]: piece for piece in pieces}
    offsets: dict[Value, int] = {}
    for members in groups.members():
        piece, begin = _shared(members, groups.holders, lives)
        pieces.append(piece)
        storage_of.update(dict.fromkeys(piece.values, piece))
        offsets.update((value, offset - begin) for value, offset in members)
    pieces += [p for time, node in enumerate(nodes) if (p := _transient(time, node, operators)) is not None]
    pieces.sort(key=lambda piece: piece.first)
    return Storages(nodes, tuple(pieces), storage_of, offsets)


def occupancy(pieces: Iterable[Storage], steps: int) -> list[int]:
    """Bytes in use while each node runs."""
    change = [0] * (steps + 1)
    for piece in pieces:
        change[piece.first] += piece.size_bytes
        change[piece.last + 1] -= piece.size_bytes
    return list(accumulate(change))[:steps]


class _Groups:
    """Values that share storage, each at an offset from the others: a union-find with distances."""

    def __init__(self) -> None:
        self._parent: dict[Value, Value] = {}
        self._shift: dict[Value, int] = {}  # from the start of the parent, in bytes
        self.holders: set[Value] = set()
        """Values of which others are parts: their size is the size of the storage."""

    def __contains__(self, value: Value) -> bool:
        return value in self._parent

    def join(self, node: Node, alias: Alias) -> None:
        operand, result = node.operands[alias.operand], node.results[alias.result]
        if operand is None or isinstance(result.type, NoneType):
            return
        whole, part = (result, operand) if alias.relation is Relation.HOLDS else (operand, result)
        if alias.relation in (Relation.HOLDS, Relation.INSIDE):
            self.holders.add(whole)
        into, base = self._find(whole)
        root, offset = self._find(part)
        distance = base + alias.offset_bytes - offset
        if root is not into:
            self._parent[root], self._shift[root] = into, distance
        elif distance != 0 and whole.type.size_bytes is not None:
            raise InvalidIR(f"{node.name}: %{part.name} cannot lie at two places of the storage of %{whole.name}")

    def _find(self, value: Value) -> tuple[Value, int]:
        """The root, and the offset from its start; the paths walked become short."""
        path = []
        while (parent := self._parent.setdefault(value, value)) is not value:
            path.append(value)
            value = parent
        offset = 0
        for step in reversed(path):
            offset += self._shift[step]
            self._parent[step], self._shift[step] = value, offset
        return value, offset

    def members(self) -> Iterable[list[tuple[Value, int]]]:
        """The groups, each a list of values with their offsets."""
        groups: dict[Value, list[tuple[Value, int]]] = {}
        for value in self._parent:
            root, offset = self._find(value)
            groups.setdefault(root, []).append((value, offset))
        return groups.values()


class Lives:
    """When each value is made and when it is read last."""

    def __init__(self, graph: Graph, nodes: Sequence[Node]) -> None:
        self.inputs, self.weights = set(graph.inputs), set(graph.weights)
        self.outputs = set(graph.outputs)
        self.made: dict[Value, int] = dict.fromkeys((*graph.inputs, *graph.weights), 0)
        self.read = dict(self.made)
        for time, node in enumerate(nodes):
            self.read.update((value, time) for value in node.inputs)
            for result in node.results:
                self.made[result] = self.read[result] = time
        self.read.update(dict.fromkeys(self.outputs, max(len(nodes) - 1, 0)))


def _alone(value: Value, lives: Lives) -> Storage:
    """The storage of a value that shares with no other."""
    size = value.type.size_bytes
    kind = _kind((value,), lives)
    return Storage(value.name, kind, (value,), lives.made[value], lives.read[value], size or 0, size is not None)


def _shared(members: Sequence[tuple[Value, int]], holders: set[Value], lives: Lives) -> tuple[Storage, int]:
    """The storage of values that share one, and the offset at which it begins. A weight that was copied into something
    larger is no weight any more, and is there from when the copy is."""
    values = tuple(value for value, _ in members)
    sizes = [value.type.size_bytes for value in values]
    begin = min(offset for _, offset in members)
    size = max((offset - begin + size for (_, offset), size in zip(members, sizes) if size is not None), default=0)
    is_sized = any(s is not None for s in sizes) and all(
        s is not None or v not in holders for v, s in zip(values, sizes)
    )
    largest = max(zip(values, sizes), key=lambda pair: pair[1] or 0)[0]
    made = [v for v in values if v not in lives.weights or (v.type.size_bytes or 0) >= size]
    kind, first = _kind(made, lives), min(lives.made[v] for v in made or values)
    return Storage(largest.name, kind, values, first, max(lives.read[v] for v in values), size, is_sized), begin


def _kind(values: Sequence[Value], lives: Lives) -> Kind:
    if not lives.weights.isdisjoint(values):
        return "weight"
    if not lives.outputs.isdisjoint(values):
        return "output"
    return "activation" if lives.inputs.isdisjoint(values) else "input"


def _transient(time: int, node: Node, operators: Operators) -> Storage | None:
    """What the bodies of a control-flow node need beside the node's own operands and results: the largest of them."""
    if node.op not in CONTROL_FLOW or not node.bodies:
        return None
    needs = [_body_peak(node, body, operators) for body in node.bodies]
    peak, is_sized = max(peak for peak, _ in needs), all(sized for _, sized in needs)
    return Storage(f"inside {node.name}", "transient", (), time, time, peak, is_sized) if peak or not is_sized else None


def _body_peak(node: Node, body: Graph, operators: Operators) -> tuple[int, bool]:
    """Peak of one run of the body."""
    inside = storages(body, operators)
    pieces = own_storages(node, body, inside)
    return max(occupancy(pieces, max(len(inside.nodes), 1))), all(p.is_sized for p in pieces)


def own_storages(node: Node, body: Graph, inside: Storages) -> list[Storage]:
    """What a body needs beside the operands and results of the node that it belongs to. A branch of an If writes its
    outputs into the results; an iteration of a loop needs both the old and the new state, so there outputs count."""
    bound_inputs = {value for value, slot in zip(body.inputs, body.binds) if slot is not None}
    outside = bound_inputs | (set(body.outputs) if node.op == "onnx.If" else set())
    return [p for p in inside.activations if outside.isdisjoint(p.values)]
