"""The IR: a graph of nodes over typed values.

Nodes, values and graphs are *entities*: mutable, compared by identity. Types and attributes are *data*: frozen,
compared by content. Only the methods of this file touch use lists and the order of nodes, so they cannot lie; each
mutation moves `Graph.epoch` of the graph and of the graphs around it.

The order of the nodes is the order of execution. Inserting, removing and replacing a node cost O(1); while iterating,
nodes may be removed or inserted: removed ones are not visited, inserted ones are when they stand after the cursor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .origin import Origin, merge_origins
from .types import Attr, Constant, Type

if TYPE_CHECKING:
    import networkx


class InvalidIR(Exception):
    """The graph breaks a rule that every pass may rely on: always a bug in a pass or in the importer."""


class Use(NamedTuple):
    """One operand slot that reads a value. The outputs of a graph are operands of `Graph.exit`."""

    node: Node
    slot: int


class Value:
    """A tensor: the result of a node, an input of a graph, or a weight. Compared by identity.

    `constant` holds the data where they are small and known: those of shapes, scales and zero points.
    """

    __slots__ = ("name", "_type", "constant", "_producer", "_graph", "_uses")

    def __init__(self, name: str, type: Type, constant: Constant | None = None) -> None:
        self.name = name
        self.constant = constant
        self._type = type
        self._producer: Node | None = None
        self._graph: Graph | None = None
        self._uses: dict[Use, None] = {}

    @property
    def type(self) -> Type:
        return self._type

    @type.setter
    def type(self, type: Type) -> None:
        if type == self._type:
            return
        self._type = type
        if (graph := self.graph) is not None:
            graph.touch()

    @property
    def producer(self) -> Node | None:
        """The node whose result this is; None for an input or a weight."""
        return self._producer

    @property
    def graph(self) -> Graph | None:
        return self._producer.graph if self._producer is not None else self._graph

    @property
    def is_weight(self) -> bool:
        return self._graph is not None and self in self._graph._weights

    @property
    def uses(self) -> tuple[Use, ...]:
        """Every reader, in the order in which it began to read. A copy: the graph may change while you walk it."""
        return tuple(self._uses)

    @property
    def readers(self) -> tuple[Node, ...]:
        """The nodes that read this value, each once; `Graph.exit` is one of them where it is an output."""
        return tuple(dict.fromkeys(use.node for use in self._uses))

    @property
    def use_count(self) -> int:
        return len(self._uses)

    def replace_by(self, other: Value) -> None:
        """Make every reader of this value read `other`."""
        for node, slot in self.uses:
            node.set_operand(slot, other)

    def __repr__(self) -> str:
        return f"%{self.name}: {self._type}"


class Node:
    """One operation. A fused kernel is a node with bodies: graphs that say what it computes, and that see only their
    own inputs, each bound to an operand of the node (`Graph.binds`).

    A result may be taken over from a node that this one replaces: the value then keeps its name and its readers.
    `origin` names the ONNX nodes that this one stands for beside those in its bodies: by default itself when it has
    no body, and none when it has.
    """

    __slots__ = (
        "op", "name", "_slots", "_operands", "_inputs", "_results", "_attrs", "_bodies", "_origin", "_gathered",
        "_graph", "_before", "_after",
    )  # fmt: skip

    def __init__(
        self,
        op: str,
        operands: Sequence[Value | None],
        results: Sequence[Value],
        attrs: Mapping[str, Attr] | None = None,
        *,
        name: str = "",
        bodies: Sequence[Graph] = (),
        origin: Sequence[Origin] | None = None,
    ) -> None:
        self.op = op
        self.name = name or (results[0].name if results else op)
        self._attrs = dict(attrs) if attrs else {}
        self._origin = default_origin(self.name, bodies) if origin is None else tuple(origin)
        self._gathered: tuple[tuple[int, ...], tuple[Origin, ...]] | None = None
        self._graph: Graph | None = None
        self._before: Node | None = None
        self._after: Node | None = None
        self._slots: list[Value | None] = []
        self._operands: tuple[Value | None, ...] | None = None
        self._inputs: tuple[Value, ...] | None = None
        self._results = tuple(results)
        self._bodies = tuple(bodies)
        self._take_operands(operands)
        for result in self._results:
            result._producer, result._graph = self, None
        for body in self._bodies:
            body._owner = self

    @property
    def operands(self) -> tuple[Value | None, ...]:
        """What the node reads, by slot; None where an optional operand is absent."""
        if self._operands is None:
            self._operands = tuple(self._slots)
        return self._operands

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The operands that are there, each value once: what the node reads from memory."""
        if self._inputs is None:
            self._inputs = tuple(dict.fromkeys(v for v in self._slots if v is not None))
        return self._inputs

    @property
    def results(self) -> tuple[Value, ...]:
        return self._results

    @property
    def attrs(self) -> Mapping[str, Attr]:
        return self._attrs

    @property
    def bodies(self) -> tuple[Graph, ...]:
        return self._bodies

    @property
    def own_origin(self) -> tuple[Origin, ...]:
        """The origins that do not come from the bodies."""
        return self._origin

    @property
    def graph(self) -> Graph | None:
        """The graph in which the node stands; None when it was never inserted or has been removed."""
        return self._graph

    @property
    def origin(self) -> tuple[Origin, ...]:
        """The ONNX nodes that this one stands for: its own, and those of the nodes in its bodies. Gathered once for as
        long as no body changes."""
        if not self._bodies:
            return self._origin
        epochs = tuple(body.epoch for body in self._bodies)
        if self._gathered is None or self._gathered[0] != epochs:
            inside = (node.origin for body in self._bodies for node in body)
            self._gathered = epochs, merge_origins(self._origin, *inside)
        return self._gathered[1]

    @origin.setter
    def origin(self, origin: Sequence[Origin]) -> None:
        self._origin, self._gathered = tuple(origin), None
        self._touch()

    def operand(self, slot: int) -> Value | None:
        """The operand in a slot, None when it is absent or the node has fewer."""
        return self._slots[slot] if slot < len(self._slots) else None

    def set_operand(self, slot: int, value: Value | None) -> None:
        """Read another value in one slot. O(1), however many operands there are."""
        old = self._slots[slot]
        if old is value:
            return
        if old is not None:
            del old._uses[Use(self, slot)]
        if value is not None:
            value._uses[Use(self, slot)] = None
        self._slots[slot], self._operands, self._inputs = value, None, None
        self._touch()

    def set_operands(self, operands: Sequence[Value | None]) -> None:
        """Read other values, more or fewer."""
        self._drop_operands()
        self._take_operands(operands)
        self._touch()

    def set_attr(self, key: str, value: Attr | None) -> None:
        """Set an attribute, or remove it with None."""
        if value is None:
            self._attrs.pop(key, None)
        else:
            self._attrs[key] = value
        self._touch()

    def _take_operands(self, operands: Sequence[Value | None]) -> None:
        """The operands as a list to write, and as a tuple to hand out, made again after a change when asked for."""
        self._slots, self._operands, self._inputs = list(operands), None, None
        for slot, operand in enumerate(self._slots):
            if operand is not None:
                operand._uses[Use(self, slot)] = None

    def _drop_operands(self) -> None:
        for slot, operand in enumerate(self._slots):
            if operand is not None:
                del operand._uses[Use(self, slot)]
        self._slots, self._operands, self._inputs = [], (), ()

    def _touch(self) -> None:
        if self._graph is not None:
            self._graph.touch()

    def __repr__(self) -> str:
        return f"<{self.op} {self.name!r}>"


def default_origin(name: str, bodies: Sequence[Graph]) -> tuple[Origin, ...]:
    """What a node stands for when nothing else is said."""
    return () if bodies else (Origin(name),)


class Graph:
    """Nodes in the order of execution, the values that enter (inputs, weights) and those that leave.

    The body of a node is a graph whose `binds` says for each input which operand slot of the node it stands for, or
    None where the operator itself supplies it (the iteration number of a Loop).
    """

    __slots__ = (
        "name", "epoch", "verified_epoch", "exit", "binds", "_inputs", "_weights", "_first", "_last", "_count",
        "_owner",
    )  # fmt: skip

    def __init__(self, name: str = "graph", inputs: Iterable[Value] = (), binds: Sequence[int | None] = ()) -> None:
        self.name = name
        self.epoch = 0
        self.verified_epoch: int | None = None
        self.binds = tuple(binds)
        self.exit = Node("return", (), (), name="return")
        self.exit._graph = self
        self._inputs: dict[Value, None] = {}
        self._weights: dict[Value, None] = {}
        self._first: Node | None = None
        self._last: Node | None = None
        self._count = 0
        self._owner: Node | None = None
        for value in inputs:
            self.add_input(value)

    # What enters and leaves

    @property
    def inputs(self) -> tuple[Value, ...]:
        return tuple(self._inputs)

    @property
    def weights(self) -> tuple[Value, ...]:
        return tuple(self._weights)

    @property
    def outputs(self) -> tuple[Value, ...]:
        return tuple(v for v in self.exit.operands if v is not None)

    @outputs.setter
    def outputs(self, values: Sequence[Value]) -> None:
        self.exit.set_operands(values)

    @property
    def owner(self) -> Node | None:
        """The node whose body this is; None at the top."""
        return self._owner

    def add_input(self, value: Value) -> Value:
        return self._own(value, self._inputs)

    def add_weight(self, value: Value) -> Value:
        return self._own(value, self._weights)

    def _own(self, value: Value, where: dict[Value, None]) -> Value:
        value._producer, value._graph = None, self
        where[value] = None
        self.touch()
        return value

    def remove_weight(self, value: Value) -> None:
        self._refuse_read(value)
        del self._weights[value]
        value._graph = None
        self.touch()

    # Order

    def __iter__(self) -> Iterator[Node]:
        node = self._first
        while node is not None:
            if node._graph is self:
                yield node
            node = node._after

    def __reversed__(self) -> Iterator[Node]:
        return self._back_from(self._last)

    def before(self, node: Node) -> Iterator[Node]:
        """The nodes that run before `node`, the latest first."""
        return self._back_from(node._before)

    def _back_from(self, node: Node | None) -> Iterator[Node]:
        while node is not None:
            if node._graph is self:
                yield node
            node = node._before

    def __len__(self) -> int:
        return self._count

    def append(self, node: Node) -> Node:
        return self._link(node, self._last, None)

    def insert_before(self, anchor: Node, node: Node) -> Node:
        return self._link(node, anchor._before, anchor)

    def insert_after(self, anchor: Node, node: Node) -> Node:
        return self._link(node, anchor, anchor._after)

    def move_before(self, anchor: Node, node: Node) -> None:
        """Run `node` just before `anchor`."""
        if node is not anchor:
            self._unlink(node)
            self._link(node, anchor._before, anchor)

    def move_after(self, anchor: Node, node: Node) -> None:
        """Run `node` just after `anchor`."""
        if node is not anchor:
            self._unlink(node)
            self._link(node, anchor, anchor._after)

    def remove(self, node: Node) -> None:
        """Take a node out; what it gives must have no reader left (a result that another node took over may have)."""
        for result in node._results:
            if result._producer is node:
                self._refuse_read(result)
        node._drop_operands()
        self._unlink(node)

    def replace(self, olds: Sequence[Node], new: Node) -> Node:
        """Put `new` where the last of `olds` stands, and remove `olds`. `olds` must be given in execution order, and
        each of their results that is still read must have been taken over by `new` or be read inside `olds` only."""
        self.insert_after(olds[-1], new)
        for old in reversed(olds):
            self.remove(old)
        return new

    def _link(self, node: Node, before: Node | None, after: Node | None) -> Node:
        if node._graph is not None:
            raise InvalidIR(f"{node.name} already stands in a graph")
        node._graph, node._before, node._after = self, before, after
        if before is None:
            self._first = node
        else:
            before._after = node
        if after is None:
            self._last = node
        else:
            after._before = node
        self._count += 1
        self.touch()
        return node

    def _unlink(self, node: Node) -> None:
        """The removed node keeps its own links, so that a walk that stands on it finds its way on."""
        if node._graph is not self:
            raise InvalidIR(f"{node.name} does not stand in graph {self.name}")
        if node._before is None:
            self._first = node._after
        else:
            node._before._after = node._after
        if node._after is None:
            self._last = node._before
        else:
            node._after._before = node._before
        node._graph = None
        self._count -= 1
        self.touch()

    def _refuse_read(self, value: Value) -> None:
        if value._uses:
            reader = next(iter(value._uses)).node
            raise InvalidIR(f"%{value.name} cannot be removed: {reader.name} still reads it")

    # The whole

    def touch(self) -> None:
        """Say that something changed, here and in every graph around."""
        graph: Graph | None = self
        while graph is not None:
            graph.epoch += 1
            graph = graph._owner._graph if graph._owner is not None else None

    def values(self) -> Iterator[Value]:
        """Every value of this graph (not of its bodies): inputs, weights, results in execution order."""
        yield from self._inputs
        yield from self._weights
        for node in self:
            yield from node.results

    def walk(self) -> Iterator[Node]:
        """Every node, each followed by those of its bodies."""
        for node in self:
            yield node
            for body in node.bodies:
                yield from body.walk()

    def clone(self) -> Graph:
        return clone(self)

    def retyped(self, inputs: Mapping[str, Sequence[int]]) -> Graph:
        """A copy for other dimensions of the named inputs, every type inferred anew; sizes that constants hold are
        derived again. ResizeError names the node that fits the old sizes only."""
        from .plugin import builtin_operators
        from .shapes import resize

        return resize(self, inputs, builtin_operators())[0]

    def verify(self) -> None:
        """Raise InvalidIR unless every rule of the IR holds (`graphcost.verify` lists them)."""
        from .verify import verify

        verify(self)

    def to_networkx(self) -> networkx.MultiDiGraph[Node]:
        """Nodes as vertices (attributes `op`, `name`), an edge for each operand that another node makes
        (attributes `value`, `slot`)."""
        import networkx

        made: networkx.MultiDiGraph[Node] = networkx.MultiDiGraph(name=self.name)
        for node in self:
            made.add_node(node, op=node.op, name=node.name)
            for slot, value in enumerate(node.operands):
                if value is not None and value.producer is not None:
                    made.add_edge(value.producer, node, value=value, slot=slot)
        return made


def clone(graph: Graph) -> Graph:
    """A copy that shares nothing mutable with the original; names, order and origins are kept."""
    copies: dict[Value, Value] = {}

    def copy(value: Value) -> Value:
        return copies.setdefault(value, Value(value.name, value.type, value.constant))

    made = Graph(graph.name, (copy(v) for v in graph.inputs), graph.binds)
    for weight in graph.weights:
        made.add_weight(copy(weight))
    for node in graph:
        operands = [None if v is None else copies[v] for v in node.operands]
        made.append(copy_node(node, operands, [copy(r) for r in node.results]))
    made.outputs = [copies[v] for v in graph.outputs]
    return made


def copy_node(node: Node, operands: Sequence[Value | None], results: Sequence[Value]) -> Node:
    """A node like this one, bodies copied, over other values."""
    bodies = [clone(body) for body in node.bodies]
    return Node(node.op, operands, results, node.attrs, name=node.name, bodies=bodies, origin=node._origin)
