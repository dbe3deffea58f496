"""Shape inference: the types of all values, and the data of the small tensors that decide them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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
    engine.run(graph)
    return engine.facts


def retyped(graph: Graph, inputs: Mapping[str, Sequence[Dim]], operators: Operators) -> tuple[Graph, Facts]:
    """A copy of a graph with other dimensions of the named inputs, inferred anew.

    Sizes that the graph holds as constants stay as they are: see `resize` for those.
    """
    made = copy_with_inputs(graph, inputs)
    return made, infer(made, operators)


def known_values(graph: Graph, operators: Operators) -> dict[Value, Constant]:
    """The data of small tensors that are known before the network runs, weights among them; changes no type."""
    engine = Engine(operators, {})
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

    def run(self, graph: Graph) -> None:
        for node in graph:
            self.visit(node)

    def visit(self, node: Node) -> None:
        for result, type in zip(node.results, self.types(node)):
            result.type = self._settled(node, refine(type, result.type))
        self.evaluate(node)
        self.facts.note(node, untyped=any(_is_open(result.type) for result in node.results))

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
