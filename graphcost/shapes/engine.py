"""Shape inference: the types of all values, and the data of the small tensors that decide them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy

from graphcost.ir import Graph, Node, Value
from graphcost.operators import Operators
from graphcost.types import NONE, UNKNOWN, Constant, ContainerType, Dim, TensorType, Type, Unknown

from .control import CONTROL
from .errors import ShapeMismatch
from .facts import MOST_ELEMENTS, Facts
from .unify import refine

if TYPE_CHECKING:
    from .facts import Array

_MALFORMED = (ValueError, TypeError, IndexError, KeyError, AttributeError, ArithmeticError)
"""What a shape function raises over a node that breaks the rules of its operator."""


def infer(graph: Graph, operators: Operators, dims: Mapping[str, int] | None = None) -> Facts:
    """Set the type of every result of a graph and of its bodies, from those of its inputs and weights.

    For each node in turn: its shape function, else `operators.infer_unlisted`, completed from the type that the value
    had before (what the file declares), else UNKNOWN. `dims` gives numbers to dimensions that only the data decides,
    by the names that they have in the types (`NonZero_12`).

    Raises ShapeMismatch for a node whose operands contradict each other.
    """
    engine = Engine(operators, dims or {})
    engine.start(graph)
    told = _told(engine.declared, graph)
    return _again(graph, operators, {**told, **(dims or {})}, engine.facts) if told else engine.facts


def _told(declared: Mapping[str, set[int]], graph: Graph) -> dict[str, int]:
    """Dimensions to which the file gives a number somewhere. Only what nodes of the graph itself make has the same
    number everywhere, as the number of turns of a loop has: in a body it may change from turn to turn."""
    if not declared:
        return {}
    once = {value.name for value in graph.values()} | {node.name for node in graph}
    parts = {node.name for node in graph if not node.bodies}
    return {
        name: min(numbers)
        for name, numbers in declared.items()
        if len(numbers) == 1 and (name in once or name.rpartition(".")[0] in parts)
    }


def _again(graph: Graph, operators: Operators, dims: Mapping[str, int], facts: Facts) -> Facts:
    """A second run with numbers for dimensions that the file tells only later on; what was found before where they do
    not fit."""
    found = [(value, value.type) for inner in (graph, *_bodies(graph)) for value in inner.values()]
    engine = Engine(operators, dims)
    try:
        engine.start(graph)
    except ShapeMismatch:
        for value, type in found:
            value.type = type
        return facts
    return engine.facts


def _bodies(graph: Graph) -> Iterator[Graph]:
    return (body for node in graph.walk() for body in node.bodies)


def retyped(graph: Graph, inputs: Mapping[str, Sequence[Dim]], operators: Operators) -> tuple[Graph, Facts]:
    """A copy of a graph with other dimensions of the named inputs, inferred anew.

    Sizes that the graph holds as constants stay as they are: see `resize` for those.
    """
    made = copy_with_inputs(graph, inputs)
    return made, infer(made, operators)


def known_values(graph: Graph, operators: Operators) -> dict[Value, Constant]:
    """The data of small tensors that are known before the network runs, weights among them; changes no type."""
    engine = Engine(operators, {})
    with numpy.errstate(all="ignore"):
        for node in graph:
            engine.evaluate(node)
    arrays = ((value, engine.facts.known(value)) for value in graph.values())
    return {v: _constant(v, array) for v, array in arrays if array is not None and array.dtype != object}


def _constant(value: Value, array: Array) -> Constant:
    dtype = value.type.dtype if isinstance(value.type, TensorType) else "?"
    return value.constant or Constant(dtype, array.shape, tuple(array.reshape(-1).tolist()))


def copy_with_inputs(graph: Graph, inputs: Mapping[str, Sequence[Dim]]) -> Graph:
    """A copy with other dimensions of the named inputs, in which no result has a type yet."""
    made = graph.clone()
    for value in made.inputs:
        if value.name in inputs and isinstance(value.type, TensorType):
            value.type = value.type.with_dims(inputs[value.name])
    for node in made.walk():
        for result in node.results:
            if result.type != NONE:
                result.type = UNKNOWN
    return made


class Engine:
    """One run over a graph. Bodies are run by the control flow that they belong to (`control`)."""

    def __init__(self, operators: Operators, dims: Mapping[str, int]) -> None:
        self.operators = operators
        self.dims = dims
        self.facts = Facts()
        self.declared: dict[str, set[int]] = {}
        """Numbers that the file declares where inference found an unknown dimension, by its name."""

    def start(self, graph: Graph) -> None:
        """Run over the whole graph. Infinities and NaN come from the constants of the model and are no news."""
        with numpy.errstate(all="ignore"):
            self.run(graph)

    def run(self, graph: Graph) -> None:
        for node in graph:
            self.visit(node)

    def visit(self, node: Node) -> None:
        for result, type in zip(node.results, self.types(node)):
            settled = self._settled(node, refine(type, result.type))
            self._note_declared(type, settled)
            result.type = settled
        self.evaluate(node)
        self.facts.note(node, untyped=any(_is_open(result.type) for result in node.results))

    def _note_declared(self, found: Type, settled: Type) -> None:
        if found is settled or not isinstance(found, TensorType) or not isinstance(settled, TensorType):
            return
        for dim, number in zip(found.dims or (), settled.dims or ()):
            if isinstance(dim, Unknown) and isinstance(number, int) and dim.name not in self.dims:
                self.declared.setdefault(dim.name, set()).add(number)

    def types(self, node: Node) -> Sequence[Type]:
        try:
            return self._types(node)
        except _MALFORMED as error:
            raise ShapeMismatch(node, f"its operands and attributes do not fit the operator ({error})") from error

    def _types(self, node: Node) -> Sequence[Type]:
        control = CONTROL.get(node.op)
        if control is not None and node.bodies:
            return control(self, node)
        shape = self.operators.shapes.get(node.op) or self.operators.infer_unlisted
        return [UNKNOWN] * len(node.results) if shape is None else shape(node, self.facts.known)

    def evaluate(self, node: Node) -> None:
        """Follow the data through one node, where its results are small."""
        evaluate = self.operators.evaluators.get(node.op)
        if evaluate is None:
            return
        if not all(map(_is_small, node.results)):
            for result in node.results:
                self.facts.forget(result)
            return
        arrays = [self.facts.known(operand) for operand in node.operands]
        for result, array in zip(node.results, self._evaluated(node, arrays)):
            self.facts.learn(result, array)

    def _evaluated(self, node: Node, arrays: Sequence[Array | None]) -> Sequence[Array | None]:
        try:
            return self.operators.evaluators[node.op](node, arrays)
        except _MALFORMED:  # the data may be what no runtime accepts, while the types are fine
            return [None] * len(node.results)

    def _settled(self, node: Node, type: Type) -> Type:
        """The type with the numbers that the user gave for its unknown dimensions."""
        if isinstance(type, ContainerType):
            return ContainerType(type.kind, self._settled(node, type.element))
        if not isinstance(type, TensorType) or type.dims is None:
            return type
        if any(isinstance(dim, int) and dim < 0 for dim in type.dims):
            raise ShapeMismatch(node, f"a dimension of its result {type} would be negative")
        if type.is_static or not self.dims:
            return type
        return type.with_dims(self.dims.get(d.name, d) if isinstance(d, Unknown) else d for d in type.dims)


def _is_small(value: Value) -> bool:
    type = value.type
    if not isinstance(type, TensorType) or type.dims is None:
        return type == NONE
    count = 1
    for dim in type.dims:
        if not isinstance(dim, int):
            return False
        count *= dim
    return count <= MOST_ELEMENTS


def _is_open(type: Type) -> bool:
    return isinstance(type, TensorType) and (type.dims is None or type.dtype == "?")
