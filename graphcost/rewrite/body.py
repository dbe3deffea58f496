"""Bodies: copies of nodes that see only their own inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from graphcost.ir import Graph, InvalidIR, Node, Value, copy_node
from graphcost.origin import Origin, merge_origins
from graphcost.types import TensorType, Type


@dataclass
class BodyMaker:
    """Makes the bodies of one kernel, whose operands they share: a value that several read is one operand.

    A fused kernel among the nodes gives the nodes of its body, so that bodies do not nest; only control flow keeps
    its own. `origin` gathers what such kernels stand for beside their bodies.
    """

    operands: dict[Value, int] = field(default_factory=dict)
    origin: tuple[Origin, ...] = ()
    inlines: bool = False
    """Whether known scalars and shapes are compiled into the kernel instead of being read from memory."""

    def make(self, nodes: Iterable[Node], outputs: Sequence[Value]) -> Graph:
        """A body that computes `outputs` with copies of `nodes`, which stand in the order of execution."""
        draft = _Draft(self)
        for node in nodes:
            draft.take(node)
        draft.body.outputs = [draft.copies[value] for value in outputs]
        draft.body.binds = tuple(draft.slots)
        return draft.body

    def slot(self, value: Value) -> int:
        return self.operands.setdefault(value, len(self.operands))


@dataclass
class _Draft:
    """A body being made: `copies` says what each value outside is called inside, `slots` where its inputs come from."""

    maker: BodyMaker
    body: Graph = field(default_factory=lambda: Graph(""))
    copies: dict[Value, Value] = field(default_factory=dict)
    slots: list[int] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def take(self, node: Node) -> None:
        if is_kernel(node):
            self.unpack(node)
            return
        operands = [None if value is None else self.enter(value, value) for value in node.operands]
        self.body.append(self.copy(node, operands, self.copies))

    def enter(self, value: Value, like: Value) -> Value:
        """The copy of a value; one that no node of the body makes becomes an input, of the type of `like`."""
        if value not in self.copies and self.maker.inlines and _is_immediate(value):
            self.copies[value] = self.body.add_weight(self.fresh(value))
        elif value not in self.copies:
            self.copies[value] = self.body.add_input(Value(self.unique(value.name), logical(like.type), like.constant))
            self.slots.append(self.maker.slot(value))
        return self.copies[value]

    def unpack(self, kernel: Node) -> None:
        """The nodes of a kernel's bodies instead of the kernel."""
        inner: dict[Value, Value] = {}
        for body in kernel.bodies:
            for value, slot in zip(body.inputs, body.binds):
                inner[value] = self.enter(bound_to(kernel, slot), value)
            inner.update((weight, self.body.add_weight(self.fresh(weight))) for weight in body.weights)
            for node in body:
                self.body.append(self.copy(node, [None if v is None else inner[v] for v in node.operands], inner))
        outputs = (value for body in kernel.bodies for value in body.outputs)
        self.copies.update((result, inner[output]) for result, output in zip(kernel.results, outputs))
        self.maker.origin = merge_origins(self.maker.origin, kernel.own_origin)

    def copy(self, node: Node, operands: Sequence[Value | None], copies: dict[Value, Value]) -> Node:
        copies.update((result, self.fresh(result)) for result in node.results)
        return copy_node(node, operands, [copies[result] for result in node.results])

    def fresh(self, value: Value) -> Value:
        return Value(self.unique(value.name), logical(value.type), value.constant)

    def unique(self, name: str) -> str:
        number, free = 1, name
        while free in self.names:
            number += 1
            free = f"{name}_{number}"
        self.names.add(free)
        return free


def _is_immediate(value: Value) -> bool:
    """A known number, as in 0.5 * x, or a shape, axes or bounds: at most eight integers, as many as a tensor of
    TensorRT has dimensions."""
    if not value.is_weight or value.constant is None:
        return False
    return len(value.constant.values) <= (8 if value.constant.dtype in ("i64", "i32") else 1)


def is_kernel(node: Node) -> bool:
    """Whether the bodies say what the node computes, so that they can stand for it: not so for control flow, whose
    bodies run as often as the operator says."""
    bodies = node.bodies
    if not bodies or node.op.startswith("onnx."):
        return False
    supplied = any(slot is None for body in bodies for slot in body.binds)
    return not supplied and sum(len(body.outputs) for body in bodies) == len(node.results)


def bound_to(kernel: Node, slot: int | None) -> Value:
    """The operand that an input of a body stands for."""
    value = None if slot is None else kernel.operand(slot)
    if value is None:
        raise InvalidIR(f"{kernel.name}: a body reads operand {slot}, which is absent")
    return value


def logical(kind: Type) -> Type:
    """The type without its layout in memory: inside a kernel only the meaning counts."""
    if not isinstance(kind, TensorType) or (kind.format == "linear" and kind.quantization is None):
        return kind
    return TensorType(kind.dtype, kind.dims)
