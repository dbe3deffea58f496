"""One model at many sizes: read and built once, then typed anew for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from graphcost.importer.build import build_graph
from graphcost.importer.declared import declared_dims, input_types, refuse_unused
from graphcost.importer.records import ModelRecord
from graphcost.importer.sizes import Chosen, Sizes, choose
from graphcost.ir import Graph
from graphcost.operators import Operators
from graphcost.shapes import Facts, infer, resize, widen
from graphcost.types import ContainerType, TensorType, Type, Unknown

_Key: TypeAlias = "tuple[dict[str, Type], dict[str, int]]"


class Template:
    """A model whose graph is copied and typed for any sizes, as `load` would have made it for them."""

    def __init__(self, record: ModelRecord, operators: Operators) -> None:
        self.operators = operators
        self._record = record
        self._declared = declared_dims(record)
        self._built = build_graph(record, input_types(record, choose(self._declared, Sizes())), {}).graph
        self._own: tuple[_Key, Graph, Facts] | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols in the dimensions that the file declares of its inputs."""
        return choose(self._declared, Sizes()).declared_symbols

    def loose_symbols(self, sizes: Sizes) -> tuple[str, ...]:
        """The symbols to which these sizes give no number."""
        return choose(self._declared, sizes).loose

    def has_node(self, name: str) -> bool:
        return any(node.name == name for node in self._built.walk())

    def typed(self, sizes: Sizes) -> tuple[Graph, Facts, tuple[str, ...]]:
        """A graph at these sizes, what is known about it, and what had to be assumed. Raises as `load` does."""
        chosen = choose(self._declared, sizes)
        graph, facts = self._sized(chosen, sizes.dims)
        refuse_unused(sizes, chosen, graph)
        return graph, facts, chosen.warnings

    def widened(self, sizes: Sizes, scale: Callable[[int], int]) -> tuple[Graph, Facts, tuple[str, ...]]:
        """As `typed`, with `scale` applied to the output channels of every contraction but the last ones."""
        chosen = choose(self._declared, sizes)
        graph, facts = self._at_own_sizes(chosen, sizes.dims)
        made, found = widen(graph, chosen.known_inputs, self.operators, scale, sizes.dims, facts)
        refuse_unused(sizes, chosen, made)
        return made, found, chosen.warnings

    def _sized(self, chosen: Chosen, dims: Mapping[str, int]) -> tuple[Graph, Facts]:
        if chosen.overridden:
            graph, facts = self._at_own_sizes(chosen, dims)
            return resize(graph, chosen.known_inputs, self.operators, dims, facts)
        graph = self._bound(chosen)
        return graph, infer(graph, self.operators, dims)

    def _at_own_sizes(self, chosen: Chosen, dims: Mapping[str, int]) -> tuple[Graph, Facts]:
        """The graph at the numbers of the file, which its constants hold; the same one as long as the symbols stay."""
        key = (input_types(self._record, chosen), {**dims, **chosen.symbols})
        if self._own is None or self._own[0] != key:
            graph = self._bound(chosen)
            self._own = (key, graph, infer(graph, self.operators, dims))
        return self._own[1:]

    def _bound(self, chosen: Chosen) -> Graph:
        """A copy in which the types that the file declares hold the numbers of their symbols."""
        graph = self._built.clone()
        for value, type in zip(graph.inputs, input_types(self._record, chosen).values()):
            value.type = type
        _bind(graph, chosen.symbols)
        return graph


def _bind(graph: Graph, symbols: Mapping[str, int]) -> None:
    for node in graph.walk():
        for value in (*node.results, *(value for body in node.bodies for value in body.inputs)):
            value.type = _bound_type(value.type, symbols)


def _bound_type(type: Type, symbols: Mapping[str, int]) -> Type:
    if isinstance(type, ContainerType):
        return ContainerType(type.kind, _bound_type(type.element, symbols))
    if not isinstance(type, TensorType) or type.dims is None or type.is_static:
        return type
    return type.with_dims(symbols.get(d.name, d) if isinstance(d, Unknown) else d for d in type.dims)
