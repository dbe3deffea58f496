"""Graphs that differ in numbers only, as one graph whose numbers are polynomials of what varies.

Dimensions of kernels are products and sums of batch, rows, columns and channels: linear in each alone. From a handful
of graphs, made in full, the polynomial of each number follows by least squares; it is believed where it gives whole
numbers, and the skeleton where it agrees with graphs that it was not made from.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeAlias

from graphcost.ir import Graph, Node, Value
from graphcost.shapes.width import refilled
from graphcost.sweep.frame import numbers_of, renumber, unnumbered, values_of
from graphcost.types import INTEGERS, TensorType

if TYPE_CHECKING:
    import numpy

    Array: TypeAlias = "numpy.ndarray[Any, numpy.dtype[Any]]"

Place: TypeAlias = "tuple[int, slice]"
"""An item of a graph by its number, and its part of a row of numbers."""

_GROUP = "group"
"""The attribute of a depthwise convolution that holds channels."""

_SIZES = ("batch", "rows", "columns")

_WHOLE = 1e-5


class Skeleton:
    """One graph for all variants. `set` gives it the numbers of one of them."""

    def __init__(self, graph: Graph, names: Sequence[str], places: Sequence[Place], fit: _Fit) -> None:
        self.graph = graph
        self.places = places
        self._names = names
        self._items = list(items_of(graph))
        self._fit = fit

    def numbers(self, points: Sequence[Mapping[str, int]]) -> tuple[Array, list[bool]]:
        """For each point the numbers of the graph, and whether they are whole and so to be believed."""
        import numpy

        raw = self._fit.at(_matrix(points, self._names))
        rounded = numpy.rint(raw)
        whole = (numpy.abs(raw - rounded) < _WHOLE * numpy.maximum(1, numpy.abs(raw))) & (rounded >= 0)
        return rounded.astype(numpy.int64), whole.all(axis=1).tolist()

    def set(self, row: Sequence[int]) -> None:
        """Give the graph a row of `numbers`."""
        for at, own in self.places:
            give(self._items[at], row[own])

    def agrees(self, point: Mapping[str, int], graph: Graph) -> bool:
        """Whether it says of a graph, made in full at this point, what is so."""
        numbers, (whole,) = self.numbers([point])
        if not whole or _frame(graph) != _frame(self.graph):
            return False
        self.set(numbers[0].tolist())
        return _row(graph) == _row(self.graph)


def skeleton(points: Sequence[Mapping[str, int]], graphs: Sequence[Graph]) -> Skeleton | None:
    """From graphs made in full at these points; None where they differ in more than numbers, or where their numbers
    are no such polynomials."""
    import numpy

    frames = {_frame(graph) for graph in graphs}
    rows = [_row(graph) for graph in graphs]
    if len(frames) > 1 or len(set(map(len, rows))) > 1:
        return None
    names = [name for name in points[0] if len({point[name] for point in points}) > 1]
    table = numpy.array(rows, dtype=float)
    changing = numpy.flatnonzero((table != table[0]).any(axis=0))
    fit = _Fit.of(_matrix(points, names), table, changing, names)
    if fit is None:
        return None
    return Skeleton(graphs[0], names, list(_places(graphs[0], set(changing.tolist()))), fit)


class _Fit:
    """Numbers as polynomials: the constant ones, and coefficients over products of what varies for the others."""

    def __init__(self, constant: Array, changing: Array, terms: Sequence[tuple[int, ...]], coefficients: Array) -> None:
        self.constant = constant
        self.changing = changing
        self.terms = terms
        self.coefficients = coefficients

    @classmethod
    def of(cls, points: Array, table: Array, changing: Array, names: Sequence[str]) -> _Fit | None:
        """Least squares for each distinct number by itself, over the products of what it hangs on; None where one does
        not come out whole."""
        import numpy

        terms = _terms(names)
        basis = _basis(points, terms)
        distinct, place = numpy.unique(table[:, changing], axis=1, return_inverse=True)
        solved = [_solve(basis, column, terms, points) for column in distinct.T]
        if any(found is None for found in solved):
            return None
        coefficients = numpy.array(solved, dtype=float).T.reshape(len(terms), -1)[:, place.reshape(-1)]
        return cls(table[0], changing, terms, coefficients)

    def at(self, points: Array) -> Array:
        import numpy

        rows = numpy.tile(self.constant, (len(points), 1))
        rows[:, self.changing] = _basis(points, self.terms) @ self.coefficients
        return rows


def _solve(basis: Array, column: Array, terms: Sequence[tuple[int, ...]], points: Array) -> Array | None:
    """The coefficients of one number over the fewest names that explain it: one, two, then those of an image's map."""
    import numpy

    for chosen in _subsets(terms):
        if len(chosen) > len(points) - 1:
            break
        found, *_ = numpy.linalg.lstsq(basis[:, chosen], column, rcond=None)
        if numpy.allclose(basis[:, chosen] @ found, column, rtol=1e-9, atol=1e-6):
            full = numpy.zeros(len(terms))
            full[chosen] = found
            return full
    return None


def _subsets(terms: Sequence[tuple[int, ...]]) -> Iterator[list[int]]:
    """Sets of terms, the smallest first: all products of one name, of two, of three and four; then all linear ones."""
    names = sorted({name for term in terms for name in term})
    for count in (1, 2):
        for some in combinations(names, count):
            yield [i for i, term in enumerate(terms) if set(term) <= set(some)]
    yield [i for i, term in enumerate(terms) if len(term) <= 1]
    yield list(range(len(terms)))


def _terms(names: Sequence[str]) -> list[tuple[int, ...]]:
    """Products of sizes, with at most one number of channels: (), batch, rows, batch·rows, …, c, batch·c, …"""
    sizes = [i for i, name in enumerate(names) if name in _SIZES]
    channels = [i for i, name in enumerate(names) if name not in _SIZES]
    of_sizes = [some for count in range(len(sizes) + 1) for some in combinations(sizes, count)]
    return [*of_sizes, *((*some, channel) for channel in channels for some in of_sizes)]


def _basis(points: Array, terms: Sequence[tuple[int, ...]]) -> Array:
    import numpy

    return numpy.stack([points[:, list(term)].prod(axis=1) for term in terms], axis=1)


def _matrix(points: Sequence[Mapping[str, int]], names: Sequence[str]) -> Array:
    import numpy

    return numpy.array([[point[name] for name in names] for point in points], dtype=float).reshape(len(points), -1)


# What of a graph is numbers


def items_of(graph: Graph) -> Iterator[Value | Node]:
    """Every value, and every node with a number among its attributes; a copy of a graph has them in the same order."""
    yield from values_of(graph)
    yield from (node for node in graph.walk() if _GROUP in node.attrs)


def give(item: Value | Node, numbers: Sequence[int]) -> None:
    """Give a value or a node other numbers, in the order of its own."""
    if isinstance(item, Node):
        item.set_attr(_GROUP, numbers[0])
        return
    renumber(item, numbers)
    if _holds_reals(item):
        _refill(item)


def _numbers(item: Value | Node) -> tuple[int, ...]:
    if isinstance(item, Value):
        return numbers_of(item)
    group = item.attrs[_GROUP]
    return (group,) if isinstance(group, int) else ()


def _row(graph: Graph) -> list[int]:
    return [number for item in items_of(graph) for number in _numbers(item)]


def _places(graph: Graph, changing: set[int]) -> Iterator[Place]:
    """The items that change, by their place, and where their numbers stand in a row."""
    begin = 0
    for at, item in enumerate(items_of(graph)):
        end = begin + len(_numbers(item))
        if any(place in changing for place in range(begin, end)):
            yield at, slice(begin, end)
        begin = end


def _frame(graph: Graph) -> Hashable:
    """All of a graph but its numbers."""
    index = {value: number for number, value in enumerate(values_of(graph))}
    nodes = tuple(
        (n.op, n.name, tuple(None if v is None else index[v] for v in n.operands), _unnumbered_attrs(n))
        for n in (*graph.walk(), graph.exit)
    )
    return nodes, tuple(map(_kind, index))


def _kind(value: Value) -> Hashable:
    """All of a value but its numbers; of the reals in a larger weight only that they are known."""
    constant = value.constant
    if constant is None or not _holds_reals(value):
        return unnumbered(value)
    without = Value(value.name, value.type)
    return unnumbered(without), constant.dtype, constant.values[:1]


def _holds_reals(value: Value) -> bool:
    constant = value.constant
    return constant is not None and constant.dtype not in INTEGERS and len(constant.values) > 1


def _refill(value: Value) -> None:
    if value.constant is not None and isinstance(value.type, TensorType):
        dims = tuple(dim for dim in value.type.dims or () if isinstance(dim, int))
        value.constant = refilled(value.constant, dims)


def _unnumbered_attrs(node: Node) -> Hashable:
    return tuple((key, None if key == _GROUP else value) for key, value in node.attrs.items())
