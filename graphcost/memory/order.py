"""Orders of execution: which nodes must wait for which, and what an order needs over time.

Nodes are numbers here: their positions in the order that the graph has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from graphcost.ir import Node
from graphcost.operators import Operators, Relation

from .aliases import aliases_of
from .storage import Storage, Storages


@dataclass(frozen=True, slots=True)
class Piece:
    """A storage, whatever the order: there from when the first of `makers` runs until the last of `users` has."""

    size_bytes: int
    makers: tuple[int, ...]
    users: tuple[int, ...]
    """Every node that makes or reads it."""
    from_start: bool
    to_end: bool


@dataclass(frozen=True)
class Program:
    """Nodes, each with those that must run before it, and the memory that they share."""

    before: Sequence[Sequence[int]]
    pieces: Sequence[Piece]
    touched: Sequence[Sequence[int]]
    """By node, the pieces (as positions in `pieces`) that it makes or reads."""

    def timeline(self, order: Sequence[int]) -> list[int]:
        """Bytes in use while each node runs, along an order; at one moment where there are no nodes."""
        at, steps = positions(order), max(len(order), 1)
        change = [0] * (steps + 1)
        for piece in self.pieces:
            first, last = _life(piece, at)
            change[first] += piece.size_bytes
            change[last + 1] -= piece.size_bytes
        return list(accumulate(change))[:steps]

    @property
    def floor(self) -> int:
        """What no order can do without: all that the greediest node touches."""
        return max((sum(self.pieces[p].size_bytes for p in pieces) for pieces in self.touched), default=0)


def positions(order: Sequence[int]) -> list[int]:
    """When each node runs."""
    at = [0] * len(order)
    for time, node in enumerate(order):
        at[node] = time
    return at


def program_of(plan: Storages, counted: Iterable[Storage], operators: Operators) -> Program:
    """What may be reordered. `counted` are the storages that matter; nodes keep to the flow of data, and what is
    overwritten is read before."""
    number = {node: i for i, node in enumerate(plan.nodes)}
    pieces = [_piece(storage, number) for storage in counted if storage.size_bytes]
    touched: list[list[int]] = [[] for _ in plan.nodes]
    for i, piece in enumerate(pieces):
        for user in piece.users:
            touched[user].append(i)
    before = [{number[v.producer] for v in node.inputs if v.producer is not None} for node in plan.nodes]
    for writer, readers in _overwritten(plan, number, operators):
        before[writer].update(readers)
    return Program([sorted(nodes) for nodes in before], pieces, touched)


def _life(piece: Piece, at: Sequence[int]) -> tuple[int, int]:
    first = 0 if piece.from_start else min(at[node] for node in piece.makers)
    return first, max(len(at) - 1, 0) if piece.to_end else max((at[node] for node in piece.users), default=first)


def _piece(storage: Storage, number: dict[Node, int]) -> Piece:
    """A weight that was copied into the storage does not make it: it is there from when something else is."""
    if not storage.values:  # what the bodies of one node need
        return Piece(storage.size_bytes, (storage.first,), (storage.first,), False, False)
    makers = {number[v.producer] for v in storage.values if v.producer is not None}
    readers = {number[reader] for v in storage.values for reader in v.readers if reader in number}
    enters = any(v.producer is None and not v.is_weight for v in storage.values)
    users = tuple(sorted(makers | readers))
    return Piece(storage.size_bytes, tuple(sorted(makers)), users, enters or not makers, storage.kind == "output")


def _overwritten(plan: Storages, number: dict[Node, int], operators: Operators) -> Iterable[tuple[int, set[int]]]:
    """Nodes that write in place, each with those that have used the storage before."""
    for time, node in enumerate(plan.nodes):
        for alias in aliases_of(node, operators):
            if alias.relation is Relation.IN_PLACE:
                storage = plan.storage_of[node.results[alias.result]]
                readers = {number[r] for value in storage.values for r in value.readers if r in number}
                makers = {number[v.producer] for v in storage.values if v.producer is not None}
                yield time, {user for user in readers | makers if user < time}
