"""A graph of kernels as a frame and its numbers: what stays the same from size to size, and what does not.

At most sizes a model has the same kernels, in the same order, over the same values: only dimensions and stored sizes
differ, and these are polynomials of the sizes. Where that is so, one graph can be given other numbers, instead of going
through inference and all passes again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy

from graphcost.ir import Graph, Value
from graphcost.types import INTEGERS, Constant, TensorType

from .polynomial import Polynomial, interpolate

Numbers: TypeAlias = "tuple[int, ...]"


def values_of(graph: Graph) -> Iterator[Value]:
    """Every value, those of bodies behind the results of their node."""
    yield from graph.inputs
    yield from graph.weights
    for node in graph:
        yield from node.results
        for body in node.bodies:
            yield from values_of(body)


def frame_of(graph: Graph) -> Hashable:
    """All of a graph but its numbers: equal where two graphs differ in numbers only."""
    index = {value: number for number, value in enumerate(values_of(graph))}
    nodes = tuple(
        (n.op, n.name, tuple(None if v is None else index[v] for v in n.operands), tuple(n.attrs.items()))
        for n in (*graph.walk(), graph.exit)
    )
    return nodes, tuple(map(unnumbered, index))


def unnumbered(value: Value) -> Hashable:
    """All of a value but its numbers."""
    type, constant = value.type, value.constant
    if isinstance(type, TensorType) and type.dims is not None:
        open_dims = tuple(None if isinstance(dim, int) else dim for dim in type.dims)
        shown: Hashable = (type.dtype, open_dims, type.format, type.quantization)
    else:
        shown = type
    if constant is None or constant.dtype in INTEGERS:
        return shown, None if constant is None else len(constant.values)
    return shown, constant


def numbers_of(value: Value) -> Numbers:
    """The dimensions of a value, and the integers that it holds."""
    dims = value.type.dims or () if isinstance(value.type, TensorType) else ()
    return (*(dim for dim in dims if isinstance(dim, int)), *_held(value.constant))


def _held(constant: Constant | None) -> Numbers:
    if constant is None or constant.dtype not in INTEGERS:
        return ()
    return (*constant.dims, *(item for item in constant.values if isinstance(item, int)))


def renumber(value: Value, numbers: Sequence[int]) -> None:
    """Give a value other numbers, in the order of `numbers_of`."""
    rest, type = iter(numbers), value.type
    if isinstance(type, TensorType) and type.dims is not None:
        value.type = type.with_dims([next(rest) if isinstance(dim, int) else dim for dim in type.dims])
    if value.constant is not None and value.constant.dtype in INTEGERS:
        dims = tuple(next(rest) for _ in value.constant.dims)
        value.constant = replace(value.constant, dims=dims, values=tuple(rest))


class Mould:
    """A graph whose numbers are polynomials of the sizes."""

    def __init__(self, graph: Graph, parts: Sequence[tuple[Value, Sequence[Polynomial]]]) -> None:
        self.graph = graph
        self._parts = parts

    def fits(self, sizes: Mapping[str, int], other: Graph) -> bool:
        """Whether it says of a graph at these sizes what is so. Sets the numbers."""
        if not self.set(sizes) or frame_of(other) != frame_of(self.graph):
            return False
        return all(numbers_of(a) == numbers_of(b) for a, b in zip(values_of(self.graph), values_of(other)))

    def set(self, sizes: Mapping[str, int]) -> bool:
        """Give the graph its numbers at these sizes. False where they would not be whole numbers."""
        found: dict[int, int] = {}
        for _, polynomials in self._parts:
            for polynomial in polynomials:
                if id(polynomial) not in found:
                    number = polynomial.at(sizes)
                    if number.denominator != 1 or number < 0:
                        return False
                    found[id(polynomial)] = number.numerator
        for value, polynomials in self._parts:
            renumber(value, [found[id(polynomial)] for polynomial in polynomials])
        return True


def mould(symbols: Sequence[str], points: Sequence[Sequence[int]], graphs: Sequence[Graph]) -> Mould | None:
    """The mould of graphs over a grid, the last axis fastest; None where they differ in more than numbers."""
    first, *others = graphs
    frame = frame_of(first)
    if any(frame_of(other) != frame for other in others):
        return None
    rows = [[number for value in values_of(graph) for number in numbers_of(value)] for graph in graphs]
    if len(set(map(len, rows))) > 1:
        return None
    columns = list(zip(*rows))
    distinct = list(dict.fromkeys(columns))
    grid = numpy.array(list(zip(*distinct)), dtype=object).reshape(*map(len, points), len(distinct))
    by_column = dict(zip(distinct, interpolate(symbols, points, grid)))
    return Mould(first, list(_changing(first, columns, by_column)))


def _changing(
    graph: Graph, columns: Sequence[Numbers], by_column: Mapping[Numbers, Polynomial]
) -> Iterator[tuple[Value, list[Polynomial]]]:
    """The values with a number that is not the same everywhere."""
    at = 0
    for value in values_of(graph):
        count = len(numbers_of(value))
        own, at = columns[at : at + count], at + count
        if any(len(set(column)) > 1 for column in own):
            yield value, [by_column[column] for column in own]
