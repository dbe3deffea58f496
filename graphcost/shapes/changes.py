"""What differs between a graph and its copy with other input sizes, told value by value."""

from __future__ import annotations

from collections.abc import Sequence

from graphcost.ir import Graph, Node, Value
from graphcost.types import UNKNOWN, Constant, TensorType, Type

from .factors import Axis, Factor
from .facts import Facts


def dims_of(type: Type) -> tuple[int, ...] | None:
    """The dimensions of a tensor where all of them are known."""
    if not isinstance(type, TensorType) or type.dims is None:
        return None
    known = tuple(dim for dim in type.dims if isinstance(dim, int))
    return known if len(known) == len(type.dims) else None


def integers_of(facts: Facts, value: Value | None) -> list[int] | None:
    """The integers that a value holds, in a row; None when they are not all known."""
    array = facts.known(value)
    if array is None or array.dtype == object:
        return None
    return [int(item) for item in array.reshape(-1).tolist()]


class Changes:
    """Old and new sizes, which values are stored rather than computed from inputs, and where changes sit.

    `facts` are those of the copy as far as it has been inferred, `old_facts` those of the original.
    """

    def __init__(self, original: Graph, copy: Graph, old_facts: Facts, facts: Facts) -> None:
        self.old_facts = old_facts
        self.facts = facts
        self.twins: dict[Value, Value] = {}
        self.nodes: dict[Node, Node] = {}
        self.given: dict[Node, tuple[Value | None, ...]] = {}
        self.axes: dict[Value, tuple[Axis, ...]] = {}
        self.forced: set[Node] = set()
        """Nodes whose computed sizes do not follow by themselves: all entries are derived again."""
        self._stored: set[Value] = set()
        self._names: dict[Graph, set[str]] = {}
        self._pair(copy, original)
        leading = (self.of(value) for value in copy.inputs)
        self.batches = {sizes[0] for sizes in leading if sizes and sizes[0].changes}
        """The changes of the leading dimensions of inputs."""

    def _pair(self, copy: Graph, original: Graph) -> None:
        self.twins.update(zip(copy.values(), original.values()))
        for node, twin in zip(copy, original):
            self.nodes[node] = twin
            self.given[node] = node.operands
            for body, other in zip(node.bodies, twin.bodies):
                self._pair(body, other)

    def old_type(self, value: Value | None) -> Type:
        """The type that a value had; a value that was made for the copy counts as one that has not changed."""
        return UNKNOWN if value is None else self.twins.get(value, value).type

    def of(self, value: Value | None) -> tuple[Factor, ...] | None:
        """Old and new size of each dimension; None where one of them is not known."""
        old, new = dims_of(self.old_type(value)), dims_of(UNKNOWN if value is None else value.type)
        if old is None or new is None or len(old) != len(new):
            return None
        return tuple(map(Factor, old, new))

    def any(self, value: Value | None) -> bool:
        return value is not None and self.old_type(value) != value.type

    def factors(self, value: Value | None) -> tuple[Axis, ...] | None:
        """The factors of each dimension: as they were tracked, else each dimension as one factor."""
        if value is not None and value in self.axes:
            return self.axes[value]
        sizes = self.of(value)
        return None if sizes is None else tuple((size,) for size in sizes)

    def original_operand(self, node: Node, slot: int) -> Value | None:
        """The operand that a node of the copy had at first."""
        operands = self.given[node]
        return operands[slot] if slot < len(operands) else None

    def old_integers(self, node: Node, slot: int) -> list[int] | None:
        """What an operand of a node held in the original."""
        return integers_of(self.old_facts, self.nodes[node].operand(slot))

    def is_stored(self, value: Value | None) -> bool:
        """Whether a value follows from weights alone."""
        if value is None:
            return False
        if value in self._stored or value.is_weight:
            return True
        body = value.graph
        owner = None if body is None or value.producer is not None else body.owner
        if body is None or owner is None:
            return False
        slot = dict(zip(body.inputs, body.binds))[value]
        lasting = owner.op == "onnx.If" or self.facts.known(value) is not None  # what a loop carries may change
        return lasting and slot is not None and self.is_stored(owner.operand(slot))

    def note_stored(self, node: Node) -> None:
        """What a node gives that reads only what is stored is stored as well."""
        if not node.bodies and all(operand is None or self.is_stored(operand) for operand in node.operands):
            self._stored.update(node.results)

    def stored_entries(self, value: Value, count: int) -> list[bool]:
        """Which entries of a shape are stored, beside others that the graph computes."""
        if self.is_stored(value):
            return [True] * count
        maker = value.producer
        if maker is None or maker.op not in ("onnx.Concat", "onnx.Cast", "onnx.Identity"):
            return [False] * count
        entries: list[bool] = []
        for part in maker.operands[: None if maker.op == "onnx.Concat" else 1]:
            held = self.facts.known(part)
            if part is not None and held is not None:
                entries += self.stored_entries(part, held.size)
        return entries if len(entries) == count else [False] * count

    def unique_name(self, graph: Graph, wanted: str) -> str:
        """A name that no value of the graph has, taken from now on."""
        taken = self._names.setdefault(graph, set())
        if not taken:
            taken.update(value.name for value in graph.values())
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted}_{number}", number + 1
        taken.add(name)
        return name

    def store_resized(self, node: Node, slot: int, dims: Sequence[int]) -> None:
        """Let a stored operand be a new weight of other dimensions, whose numbers nobody knows."""
        graph, before = node.graph, node.operands[slot]
        if graph is None or before is None or not isinstance(before.type, TensorType) or before.type.dims == (*dims,):
            return
        name = self.unique_name(graph, f"{before.name}_resized")
        node.set_operand(slot, graph.add_weight(Value(name, before.type.with_dims(dims))))

    def store(self, node: Node, slot: int, values: Sequence[int]) -> None:
        """Let an operand be a new weight of these integers. The old one stays: others may read it."""
        graph, before = node.graph, node.operands[slot]
        if graph is None or before is None or integers_of(self.facts, before) == list(values):
            return
        dtype = before.type.dtype if isinstance(before.type, TensorType) else "i64"
        constant = Constant(dtype, (len(values),), tuple(values))
        name = self.unique_name(graph, f"{node.name}_size")
        node.set_operand(slot, graph.add_weight(Value(name, constant.type, constant)))
