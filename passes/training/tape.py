"""Gradients on their way back through the graph: who waits for which, and who may be added to in place.

PyTorch's engine keeps the gradients that have arrived at a node in a buffer. A further one is added in place where the
buffer holds the last reference to a dense tensor, else into a new tensor (torch/csrc/autograd/input_buffer.cpp).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphcost.ir import Graph, Node, Value
from graphcost.types import Attr, Type

BACKWARD = "backward"


@dataclass
class Tape:
    """The backward part of a graph while it grows.

    A gradient of a broadcast tensor may be held small: its value is then smaller than the tensor that it belongs to,
    and `_sparse` (views of a part, expanded ones) says that nothing can be added to it in place.
    """

    graph: Graph
    pending: dict[Value, Value] = field(default_factory=dict)
    _arrived: list[tuple[Value, Value]] = field(default_factory=list)
    _storage: dict[Value, Value] = field(default_factory=dict)
    _holders: Counter[Value] = field(default_factory=Counter)
    _not_dense: set[Value] = field(default_factory=set)
    _names: Counter[str] = field(default_factory=Counter)

    def take(self, value: Value) -> Value | None:
        """The gradient of a tensor, if any has come; it then belongs to the caller."""
        gradient = self.pending.pop(value, None)
        if gradient is not None:
            self._holders[self._root(gradient)] -= 1
        return gradient

    def give(self, value: Value, gradient: Value) -> None:
        """One more gradient of a tensor: it is added when the autograd node that made it has run."""
        self._arrived.append((value, gradient))

    def settle(self) -> None:
        """The autograd node has run: add what it made to what had come before."""
        for value, gradient in self._arrived:
            self._add(value, gradient)
        self._arrived.clear()

    def _add(self, value: Value, gradient: Value) -> None:
        there = self.pending.get(value)
        total = gradient if there is None else self._sum(value, there, gradient)
        if there is not None:
            self._holders[self._root(there)] -= 1
        self.pending[value] = total
        self._holders[self._root(total)] += 1

    def emit(
        self,
        op: str,
        name: str,
        operands: Sequence[Value | None],
        results: Sequence[tuple[str, Type]],
        attrs: Mapping[str, Attr],
    ) -> tuple[Value, ...]:
        """Append a node of the backward part; results are names (made unique) with types."""
        values = [Value(self._unique(result), kind) for result, kind in results]
        attrs = {**attrs, "phase": BACKWARD}
        self.graph.append(Node(op, operands, values, attrs, name=self._unique(name), origin=()))
        return tuple(values)

    def view(self, name: str, gradient: Value, kind: Type, attrs: Mapping[str, Attr], *, dense: bool = True) -> Value:
        """The gradient under another shape, or a part of it: nothing is allocated."""
        op = "grad.view" if dense else "grad.part"
        (made,) = self.emit(op, f"{name}.grad_view", (gradient,), ((f"{gradient.name}.view", kind),), attrs)
        self._storage[made] = self._root(gradient)
        if not dense or gradient in self._not_dense:
            self._not_dense.add(made)
        return made

    def _sum(self, value: Value, there: Value, gradient: Value) -> Value:
        """Both gradients added up."""
        in_place = self._may_be_written(value, there)
        attrs: dict[str, Attr] = {"of": value.name, **({"in_place": 1} if in_place else {})}
        name = f"{value.name}.grad"
        (total,) = self.emit("grad.accumulate", name, (there, gradient), ((name, value.type),), attrs)
        if in_place:
            self._storage[total] = self._root(there)
        return total

    def _may_be_written(self, value: Value, gradient: Value) -> bool:
        if gradient in self._not_dense or gradient.type.size_bytes != value.type.size_bytes:
            return False
        return self._holders[self._root(gradient)] == 1

    def _root(self, gradient: Value) -> Value:
        """The tensor whose storage a gradient lies in."""
        return self._storage.get(gradient, gradient)

    def _unique(self, name: str) -> str:
        self._names[name] += 1
        return name if self._names[name] == 1 else f"{name}_{self._names[name]}"


@dataclass(frozen=True)
class Step:
    """One autograd node: a forward node, the gradients of its results, and what it kept. All kernels of it hold all
    that the node holds, until the last has run."""

    tape: Tape
    node: Node
    gradients: tuple[Value | None, ...]
    saved: tuple[Value, ...]
    needs: tuple[bool, ...]

    @property
    def gradient(self) -> Value:
        """The gradient of the first result that has one."""
        return next(value for value in self.gradients if value is not None)

    @property
    def held(self) -> tuple[Value, ...]:
        """What every kernel of this step reads or keeps alive: the gradients, then what was saved."""
        return tuple(dict.fromkeys((*(g for g in self.gradients if g is not None), *self.saved)))

    def needed(self) -> list[int]:
        """Slots whose operand needs a gradient."""
        return [slot for slot, needed in enumerate(self.needs) if needed]

    def operand(self, slot: int) -> Value:
        """An operand that is known to be there."""
        value = self.node.operand(slot)
        assert value is not None
        return value

    def new(
        self, slot: int, *also: Value, kind: Type | None = None, temporaries: int = 0, give: bool = True, op: str = ""
    ) -> Value:
        """A kernel that makes the gradient of an operand, in a tensor of its own; `also` is read beside, and so many
        `temporaries` of the same size live while it runs."""
        operand = self.operand(slot)
        made = kind or operand.type
        results = [(f"{operand.name}.grad", made)]
        results += [(f"{operand.name}.grad.temporary", made)] * temporaries
        attrs: dict[str, Attr] = {**self.node.attrs, "of": self.node.name, "wrt": slot}
        name = f"{self.node.name}.grad{slot}"
        op = op or f"grad.{self.node.op.rpartition('.')[2]}"
        gradient = self.tape.emit(op, name, (*self.held, *also), results, attrs)[0]
        if give:
            self.tape.give(operand, gradient)
        return gradient

    def all_at_once(self, slots: Sequence[int]) -> None:
        """One kernel that makes the gradients of several operands."""
        if not slots:
            return
        operands = [self.operand(slot) for slot in slots]
        attrs: dict[str, Attr] = {**self.node.attrs, "of": self.node.name, "wrt": tuple(slots)}
        results = [(f"{operand.name}.grad", operand.type) for operand in operands]
        op = f"grad.{self.node.op.rpartition('.')[2]}"
        made = self.tape.emit(op, f"{self.node.name}.grad", self.held, results, attrs)
        for operand, gradient in zip(operands, made):
            self.tape.give(operand, gradient)

    def pass_on(self, slot: int, gradient: Value | None = None) -> None:
        """The gradient of the result is that of an operand: reduced where the operand was broadcast, else itself."""
        operand, gradient = self.operand(slot), gradient or self.gradient
        if self._was_broadcast(slot) and gradient.type.elements != operand.type.elements:
            gradient = self.reduced(slot, gradient)
        elif gradient.type != operand.type and gradient.type.elements == operand.type.elements:
            gradient = self.tape.view(self.node.name, gradient, operand.type, {"of": self.node.name})
        self.tape.give(operand, gradient)

    def reduced(self, slot: int, gradient: Value) -> Value:
        """The gradient summed over the axes along which an operand was broadcast."""
        operand = self.operand(slot)
        attrs: dict[str, Attr] = {"of": self.node.name, "wrt": slot}
        name = f"{self.node.name}.grad{slot}.sum"
        held = tuple(dict.fromkeys((gradient, *self.held)))
        return self.tape.emit("grad.sum", name, held, ((f"{operand.name}.grad", operand.type),), attrs)[0]

    def part(self, slot: int) -> None:
        """The gradient of an operand is a part of that of the result, looked at."""
        operand = self.operand(slot)
        attrs: dict[str, Attr] = {"of": self.node.name, "wrt": slot}
        self.tape.give(operand, self.tape.view(self.node.name, self.gradient, operand.type, attrs, dense=False))

    def reshaped(self) -> None:
        """The gradient of operand 0 is that of the result under another shape."""
        operand = self.operand(0)
        self.tape.give(operand, self.tape.view(self.node.name, self.gradient, operand.type, {"of": self.node.name}))

    def _was_broadcast(self, slot: int) -> bool:
        return self.operand(slot).type.elements != self.node.results[0].type.elements
