"""The work of one node, whatever it is: an operator with a formula, a fused kernel with a body, control flow, or
something that nobody described.

What is not known is said (`NodeWork.unknown`); what is known of it is still counted, so the sums are then the least
that it can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from graphcost.ir import Graph, Node, Value
from graphcost.operators import Operators, Relation, UnknownWork

from .control import CONTROL


@dataclass(frozen=True, slots=True)
class Work:
    """What is computed and what crosses the border to memory. Adds up."""

    macs: int = 0
    elementwise_ops: int = 0
    bytes_read: int = 0
    bytes_written: int = 0

    @property
    def flops(self) -> int:
        return 2 * self.macs + self.elementwise_ops

    @property
    def bytes(self) -> int:
        return self.bytes_read + self.bytes_written

    def __add__(self, other: Work) -> Work:
        return Work(
            self.macs + other.macs,
            self.elementwise_ops + other.elementwise_ops,
            self.bytes_read + other.bytes_read,
            self.bytes_written + other.bytes_written,
        )

    def __mul__(self, times: int) -> Work:
        return Work(
            self.macs * times, self.elementwise_ops * times, self.bytes_read * times, self.bytes_written * times
        )


@dataclass(frozen=True, slots=True)
class NodeWork:
    """The work of a node and what is to be said about it.

    `unknown` is the reason why something of it could not be counted: `work` is then what could, and `bytes_known`
    says whether its bytes are whole. `notes` are assumptions that were made, for the report's warnings.
    """

    work: Work
    unknown: str | None = None
    notes: tuple[str, ...] = ()
    bytes_known: bool = True

    def __mul__(self, times: int) -> NodeWork:
        return replace(self, work=self.work * times)

    def noting(self, note: str) -> NodeWork:
        return replace(self, notes=(*self.notes, note))


def node_work(node: Node, operators: Operators) -> NodeWork:
    """By formula if there is one; a kernel by its bodies and its border; else by its border alone, and unknown."""
    if (formula := operators.work.get(node.op)) is not None:
        try:
            effort = formula(node)
        except UnknownWork as reason:
            return _bordered(Work(), _border(node, operators), str(reason))
        return _with_bytes(node, operators, Work(effort.macs, effort.elementwise_ops), effort.bytes_read, effort.bytes_written)
    if (combine := CONTROL.get(node.op)) is not None:
        return combine(node, [graph_work(body, operators) for body in node.bodies])
    if node.bodies:
        return _kernel(node, operators)
    return _bordered(Work(), _border(node, operators), f"no work formula for {node.op}")


def work_table(graph: Graph, operators: Operators) -> dict[Node, NodeWork]:
    """The work of every node of the graph; what is in bodies is in the node that holds them."""
    return {node: node_work(node, operators) for node in graph}


def graph_work(graph: Graph, operators: Operators) -> NodeWork:
    """The nodes of a graph together, each run once and on its own."""
    return _together(work_table(graph, operators))


def _together(table: Mapping[Node, NodeWork]) -> NodeWork:
    total = Work()
    for part in table.values():
        total += part.work
    reasons = [f"{node.name}: {part.unknown}" for node, part in table.items() if part.unknown]
    notes = tuple(f"{node.name}: {note}" for node, part in table.items() for note in part.notes)
    return NodeWork(total, _first(reasons), notes, all(part.bytes_known for part in table.values()))


def _first(reasons: Sequence[str]) -> str | None:
    if len(reasons) < 2:
        return reasons[0] if reasons else None
    return f"{reasons[0]} (and {len(reasons) - 1} more)"


# The border: what a node reads and writes


@dataclass(frozen=True, slots=True)
class _Border:
    read: int
    written: int
    unsized: tuple[Value, ...]


def _with_bytes(node: Node, operators: Operators, computed: Work, read: int | None, written: int | None) -> NodeWork:
    """Computed work with the bytes that the formula gives, those of the border where it gives none."""
    if read is not None and written is not None:
        return NodeWork(replace(computed, bytes_read=read, bytes_written=written))
    border = _border(node, operators, reads=read is None, writes=written is None)
    return _bordered(computed, replace(border, read=border.read + (read or 0), written=border.written + (written or 0)))


def _bordered(computed: Work, border: _Border, unknown: str | None = None) -> NodeWork:
    if border.unsized:
        unknown = unknown or f"the size of {', '.join(map(repr, border.unsized[:3]))} is not known"
    work = replace(computed, bytes_read=border.read, bytes_written=border.written)
    return NodeWork(work, unknown, bytes_known=not border.unsized)


def _border(node: Node, operators: Operators, *, reads: bool = True, writes: bool = True) -> _Border:
    """Every operand once and every result, but those that only share the storage of the other side."""
    views, parts = _shared(node, operators)
    sources = [v for v in node.inputs if v not in parts] if reads else []
    targets = [v for v in node.results if v not in views] if writes else []
    return _Border(_sum(sources), _sum(targets), _unsized((*sources, *targets)))


def _shared(node: Node, operators: Operators) -> tuple[set[Value], set[Value]]:
    """Results that are views of an operand; and operands that need no reading, because they are parts of a result or
    because all that the node gives are views of them."""
    aliases = operators.aliases.get(node.op, _no_aliases)(node)
    views = {node.results[a.result] for a in aliases if a.relation in (Relation.SAME, Relation.INSIDE)}
    only_views = len(views) == len(node.results)
    unread = {
        node.operands[a.operand]
        for a in aliases
        if a.relation is Relation.HOLDS or (only_views and a.relation is not Relation.IN_PLACE)
    }
    return views, {value for value in unread if value is not None}


def _no_aliases(node: Node) -> tuple[()]:
    return ()


def _sum(values: Iterable[Value]) -> int:
    return sum(value.type.size_bytes or 0 for value in values)


def _unsized(values: Iterable[Value]) -> tuple[Value, ...]:
    return tuple(value for value in values if value.type.size_bytes is None)


# A fused kernel


def _kernel(node: Node, operators: Operators) -> NodeWork:
    """Computes what its bodies compute; moves what crosses its border, of an operand only what its readers touch."""
    tables = [work_table(body, operators) for body in node.bodies]
    inside = _together({inner: part for table in tables for inner, part in table.items()})
    border = _border(node, operators)
    read = border.read - sum(_untouched(node, value, tables, operators) for value in node.inputs)
    work = replace(inside.work, bytes_read=read, bytes_written=border.written)
    return replace(_bordered(work, replace(border, read=read), inside.unknown), notes=inside.notes)


def _untouched(node: Node, value: Value, tables: Sequence[Mapping[Node, NodeWork]], operators: Operators) -> int:
    """Bytes of an operand that no reader in the bodies touches: the rows of a table that a Gather leaves alone."""
    size = value.type.size_bytes
    if not size:
        return 0
    touched = 0
    for body, table in zip(node.bodies, tables):
        for entry, slot in zip(body.inputs, body.binds):
            if slot is not None and node.operand(slot) is value:
                logical = entry.type.size_bytes or size  # the type inside may be wider than the one at the border
                touched += _touched(entry, table, operators) * size // logical
    bound = any(slot is not None and node.operand(slot) is value for body in node.bodies for slot in body.binds)
    return max(size - touched, 0) if bound else 0


def _touched(value: Value, table: Mapping[Node, NodeWork], operators: Operators) -> int:
    """Bytes of a value inside a body that its readers read, views followed; at most all of it."""
    size = value.type.size_bytes or 0
    touched = 0
    for reader in value.readers:
        if reader not in table:
            return size  # the body returns it
        views, _ = _shared(reader, operators)
        others = _sum(other for other in reader.inputs if other is not value)
        touched += max(table[reader].work.bytes_read - others, 0)
        touched += sum(_touched(view, table, operators) for view in views)
        if touched >= size:
            return size
    return touched
