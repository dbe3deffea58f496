"""The work of one node, whatever it is: an operator with a formula, a fused kernel with a body, control flow, or
something that nobody described.

What is not known is said (`NodeWork.unknown`); what is known of it is still counted, so the sums are then the least
that it can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from graphcost.ir import Graph, Node, Value
from graphcost.memory.aliases import aliases_of
from graphcost.operators import CountWork, Effort, Operators, Relation, UnknownWork
from graphcost.types import TensorType

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

    `unknown` is the reason why something of it could not be counted: `work` is then what could; `ops_known` and
    `bytes_known` say whether its operations and its bytes are whole. `notes` are assumptions that were made, for the
    report's warnings.
    """

    work: Work
    unknown: str | None = None
    notes: tuple[str, ...] = ()
    bytes_known: bool = True
    ops_known: bool = True

    def __mul__(self, times: int) -> NodeWork:
        return replace(self, work=self.work * times)

    def noting(self, note: str) -> NodeWork:
        return replace(self, notes=(*self.notes, note))


def node_work(node: Node, operators: Operators) -> NodeWork:
    """By formula if there is one; a kernel by its bodies and its border; else by its border alone, and unknown."""
    if (formula := operators.work.get(node.op)) is not None:
        found = _by_formula(node, formula, operators)
        return _with_bodies(found, node, operators) if node.bodies else found
    if (combine := CONTROL.get(node.op)) is not None and node.bodies:
        return combine(node, [graph_work(body, operators) for body in node.bodies])
    if node.bodies:
        return _kernel(node, operators)
    return _bordered(Work(), _border(node, operators), f"no work formula for {node.op}")


def _by_formula(node: Node, formula: CountWork, operators: Operators) -> NodeWork:
    """What the formula says; the bytes of the border where it says nothing of them."""
    try:
        effort = _effort(node, formula)
    except UnknownWork as reason:
        return _bordered(Work(), _border(node, operators), str(reason))
    read, written = effort.bytes_read, effort.bytes_written
    computed = Work(effort.macs, effort.elementwise_ops, read or 0, written or 0)
    if read is not None and written is not None:
        return NodeWork(computed)
    return _bordered(computed, _border(node, operators, reads=read is None, writes=written is None))


def _with_bodies(found: NodeWork, node: Node, operators: Operators) -> NodeWork:
    """And what its bodies compute inside its kernel: what is done to the scores of an attention."""
    inside = _together({inner: part for body in node.bodies for inner, part in work_table(body, operators).items()})
    work = found.work + Work(inside.work.macs, inside.work.elementwise_ops)
    unknown = found.unknown or (None if inside.ops_known else inside.unknown)
    return replace(found, work=work, unknown=unknown, ops_known=found.ops_known and inside.ops_known)


def _effort(node: Node, formula: CountWork) -> Effort:
    """The effort of a node. One that has other ranks or attributes than its operator should is unknown: a damaged file
    does not stop the run."""
    try:
        effort = formula(node)
    except (ArithmeticError, LookupError, ValueError) as error:
        raise UnknownWork(f"its operands or attributes are not those of {node.op} ({error})") from error
    if min(effort.macs, effort.elementwise_ops, effort.bytes_read or 0, effort.bytes_written or 0) < 0:
        raise UnknownWork(f"its operands or attributes are not those of {node.op} (less than nothing to do)")
    return effort


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
    bytes_known = all(part.bytes_known for part in table.values())
    ops_known = all(part.ops_known for part in table.values())
    return NodeWork(total, _first(reasons), notes, bytes_known, ops_known)


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


def _bordered(computed: Work, border: _Border, unknown: str | None = None) -> NodeWork:
    """Work and the bytes of the border. A size that is not known makes the node unknown, and is left out."""
    ops_known = unknown is None
    if border.unsized and unknown is None:
        unknown = _unsized_reason(border.unsized)
    read, written = computed.bytes_read + border.read, computed.bytes_written + border.written
    work = Work(computed.macs, computed.elementwise_ops, read, written)
    return NodeWork(work, unknown, bytes_known=not border.unsized, ops_known=ops_known)


def _unsized_reason(values: Sequence[Value]) -> str:
    reason = f"the size of {', '.join(map(repr, values[:3]))} is not known"
    texts = all(isinstance(v.type, TensorType) and v.type.dtype == "str" for v in values)
    return f"{reason}: a string has no fixed size" if texts else reason


def _border(node: Node, operators: Operators, *, reads: bool = True, writes: bool = True) -> _Border:
    sources, targets = _crossing(node, operators)
    read, unread = _measure(sources if reads else ())
    written, unwritten = _measure(targets if writes else ())
    return _Border(read, written, (*unread, *unwritten))


def _measure(values: Iterable[Value]) -> tuple[int, list[Value]]:
    """Bytes of the values together, and those whose size is not known."""
    total, unsized = 0, []
    for value in values:
        size = value.type.size_bytes
        if size is None:
            unsized.append(value)
        else:
            total += size
    return total, unsized


def _crossing(node: Node, operators: Operators) -> tuple[list[Value], list[Value]]:
    """Every operand once and every result, but those that only share the storage of the other side."""
    if node.op not in operators.aliases:
        return list(node.inputs), list(node.results)
    views, parts = _shared(node, operators)
    return [v for v in node.inputs if v not in parts], [v for v in node.results if v not in views]


def _shared(node: Node, operators: Operators) -> tuple[set[Value], set[Value]]:
    """Results that are views of an operand; and operands that need no reading, because they are parts of a result or
    because all that the node gives are views of them."""
    aliases = aliases_of(node, operators)
    views = {node.results[a.result] for a in aliases if a.relation in (Relation.SAME, Relation.INSIDE)}
    only_views = len(views) == len(node.results)
    unread = {
        node.operands[a.operand]
        for a in aliases
        if a.relation is Relation.HOLDS or (only_views and a.relation is not Relation.IN_PLACE)
    }
    return views, {value for value in unread if value is not None}


def _sum(values: Iterable[Value]) -> int:
    return sum(value.type.size_bytes or 0 for value in values)


def _unsized(values: Iterable[Value]) -> tuple[Value, ...]:
    return tuple(value for value in values if value.type.size_bytes is None)


# A fused kernel


def _kernel(node: Node, operators: Operators) -> NodeWork:
    """Computes what its bodies compute; moves what crosses its border, of an operand only what its readers touch."""
    tables = [work_table(body, operators) for body in node.bodies]
    inside = _together({inner: part for table in tables for inner, part in table.items()})
    sources, targets = _crossing(node, operators)
    whole = all(_reads_all(body, table, operators) for body, table in zip(node.bodies, tables))
    read = _sum(sources) if whole else sum(_read_inside(node, value, tables, operators) for value in sources)
    border = _Border(read, _sum(targets), _unsized((*sources, *targets)))
    computed = Work(inside.work.macs, inside.work.elementwise_ops)
    return replace(_bordered(computed, border, inside.unknown), notes=inside.notes, ops_known=inside.ops_known)


def _reads_all(body: Graph, table: Mapping[Node, NodeWork], operators: Operators) -> bool:
    """Whether a body reads all of what it is given: so it is in nearly every kernel, and soon seen."""
    if not all(entry.use_count for entry in body.inputs):
        return False
    nodes = ((inner, part.work.bytes_read) for inner, part in table.items())
    return all(inner.op not in operators.aliases and read == _sum(inner.inputs) for inner, read in nodes)


def _read_inside(node: Node, value: Value, tables: Sequence[Mapping[Node, NodeWork]], operators: Operators) -> int:
    """Bytes of an operand that the bodies read, at most all of it; all of it where no body names it."""
    size = value.type.size_bytes or 0
    shares = [
        _touched(entry, table, operators) * size // (entry.type.size_bytes or size or 1)
        for body, table in zip(node.bodies, tables)
        for entry, slot in zip(body.inputs, body.binds)
        if slot is not None and node.operand(slot) is value
    ]  # a type inside may be wider than the one at the border, so bytes are taken in proportion
    return min(sum(shares), size) if shares else size


def _touched(value: Value, table: Mapping[Node, NodeWork], operators: Operators) -> int:
    """Bytes of a value inside a body that its readers read, views followed; at most all of it."""
    size = value.type.size_bytes or 0
    touched = 0
    for reader in value.readers:
        if reader not in table or not table[reader].bytes_known:
            return size  # the body returns it, or its reader may read all
        touched += size - _spared(reader, value, table[reader].work.bytes_read)
        if reader.op in operators.aliases:
            touched += sum(_touched(view, table, operators) for view in _shared(reader, operators)[0])
    return min(touched, size)


def _spared(reader: Node, value: Value, bytes_read: int) -> int:
    """Bytes of a value that its reader leaves alone. What a node reads less than its operands hold is spared at the
    largest of them first: the table of a Gather, not the indices."""
    sizes = {v: v.type.size_bytes or 0 for v in reader.inputs}
    spared = sum(sizes.values()) - bytes_read
    if not spared:
        return 0
    for operand in sorted(sizes, key=lambda v: -sizes[v]):
        if operand is value:
            break
        spared -= min(spared, sizes[operand])
    return min(spared, sizes[value])
