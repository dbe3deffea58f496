"""Reformats where a kernel wants a tensor in another type or format than it is written in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from graphcost.formats import is_relabeling
from graphcost.ir import Graph, Node, Value
from graphcost.kernels import precision_of
from graphcost.pipeline import Context
from graphcost.types import TensorType

from ..values import FreshNames
from .ports import NOOP, REFORMAT, activations, is_activation, is_residual, reads_dtype, stored, writes_dtype

ATTRIBUTE = "formats"
"""What a kernel reads and writes, as a node's attribute, until the types of values say it."""

Name = Callable[[str, int, str], str]


def name_of_8(side: str, number: int, layer: str) -> str:
    """As TensorRT 8 and later name a reformat."""
    return f"Reformatting CopyNode for {side.capitalize()} Tensor {number} to {layer}"


def name_of_7(side: str, number: int, layer: str) -> str:
    """As TensorRT 7 does: `conv2d/Conv2D + activation/Relu input reformatter 0` (a profile of GoogLeNet)."""
    return f"{layer} {side} reformatter {number}"


@dataclass(frozen=True)
class _Wish:
    """A slot and the type that it wants to read; `output` where it is one of the network."""

    node: Node
    slot: int
    kind: TensorType
    output: bool = False


@dataclass
class Reformatting:
    """Writes the formats chosen into the types of values, and inserts what is needed between them."""

    graph: Graph
    ctx: Context
    rule: str
    name: Name
    names: FreshNames = field(default_factory=FreshNames)

    def run(self) -> int:
        """How many places were changed: types set, nodes inserted."""
        own = {node: precision_of(node) for node in (*self.graph, self.graph.exit)}
        wishes = {value: self._wishes(value, own) for value in self.graph.values() if is_activation(value)}
        count = sum(self._settle(value, wished) for value, wished in wishes.items())
        for node in self.graph:
            if ATTRIBUTE in node.attrs:
                node.set_attr(ATTRIBUTE, None)
                count += 1
        return count

    def _wishes(self, value: Value, own: Mapping[Node, str]) -> list[_Wish]:
        """What the readers of a value want, by their own precisions; the network's caller wants outputs as they were
        declared."""
        wanted = ((node, slot, _wanted(node, slot, value, own[node])) for node, slot in value.uses)
        return [_Wish(node, slot, kind, node is self.graph.exit) for node, slot, kind in wanted]

    def _settle(self, value: Value, wishes: list[_Wish]) -> int:
        """Give a value the type that its producer writes, and each reader what it wants."""
        written = _written(value)
        count = int(written != value.type)
        groups: dict[TensorType, list[_Wish]] = {}
        for wish in wishes:
            if wish.kind != written:
                groups.setdefault(wish.kind, []).append(wish)
        value.type = written
        for kind, group in groups.items():
            self._bridge(value, kind, group)
        return count + len(groups)

    def _bridge(self, value: Value, kind: TensorType, group: list[_Wish]) -> None:
        """One reformat for all readers who want this type. TensorRT names it after the reader where there is one, after
        the producer where several share it or the network gives it out (layer lists: `… for Output Tensor 0 to
        MaxPool_2`, which two convolutions read)."""
        gives_out = any(wish.output for wish in group)
        new = Value("", kind)
        self._name(value, new, gives_out)
        op = NOOP if value.type == kind or is_relabeling(value.type, kind) else REFORMAT  # type: ignore[arg-type]
        producer, first = value.producer, group[0]
        by_reader = producer is None or (len(group) == 1 and not gives_out)
        layer = first.node if by_reader or producer is None else producer
        number = _input_number(first) if by_reader else _output_number(value)
        name = self.name("input" if by_reader else "output", number, layer.name)
        made = Node(op, [value], [new], name=name, origin=())
        self._insert(made, None if by_reader else producer, group)
        for wish in group:
            wish.node.set_operand(wish.slot, new)
        self.ctx.journal.did(self.rule, layer, f"{name}: {value.type} becomes {kind}")

    def _name(self, value: Value, new: Value, gives_out: bool) -> None:
        """An output of the network keeps its name."""
        twin = value if gives_out else new
        assert isinstance(twin.type, TensorType)
        spelled = self.names.unique(self.graph, f"{value.name}.{twin.type.dtype}_{twin.type.format}")
        new.name = value.name if gives_out else spelled
        twin.name = spelled

    def _insert(self, made: Node, producer: Node | None, group: list[_Wish]) -> None:
        """Behind the producer; else before the only reader, or first of all where several read an input."""
        if producer is not None:
            self.graph.insert_after(producer, made)
        elif len(group) == 1 and group[0].node is not self.graph.exit:
            self.graph.insert_before(group[0].node, made)
        elif (first := next(iter(self.graph), None)) is not None:
            self.graph.insert_before(first, made)
        else:
            self.graph.append(made)


def _chosen(node: Node) -> tuple[str, str] | None:
    formats = node.attrs.get(ATTRIBUTE)
    return (str(formats[0]), str(formats[1])) if isinstance(formats, tuple) and len(formats) == 2 else None


def _wanted(node: Node, slot: int, value: Value, own: str) -> TensorType:
    """What the attribute says, for a node of this precision; without it a node wants what it reads now."""
    chosen = _chosen(node)
    assert isinstance(value.type, TensorType)
    if chosen is None:
        return value.type
    return stored(value.type, reads_dtype(node, slot, value, own), chosen[is_residual(node, slot)])


def _written(value: Value) -> TensorType:
    kind, producer = value.type, value.producer
    assert isinstance(kind, TensorType)
    chosen = None if producer is None else _chosen(producer)
    return kind if chosen is None or producer is None else stored(kind, writes_dtype(producer, value), chosen[1])


def _input_number(wish: _Wish) -> int:
    """Which of the activations that its node reads."""
    return [slot for slot, _ in activations(wish.node)].index(wish.slot) if wish.node.op != "return" else 0


def _output_number(value: Value) -> int:
    assert value.producer is not None
    return value.producer.results.index(value)
