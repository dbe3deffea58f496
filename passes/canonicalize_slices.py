"""Slices, splits and lookups that only take a part, in one form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from graphcost.ir import Graph, Node, Value
from graphcost.origin import Origin
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import Constant, TensorType

from .ledger import PRESERVED, Ledger, executed_graphs
from .values import FreshNames
from .views import dims_of, reshape_to, target_of


@dataclass(frozen=True)
class CanonicalizeSlices(Pass):
    """Bring what takes parts of a tensor into one form:

    - a Split becomes one Slice for each result that is read;
    - a Slice names its axes, and its steps only where one of them is not one;
    - a Gather or GatherND whose constant indices count through all of the tensor in order takes it as it is: a Reshape.

    Evidence: TensorRT's ONNX parser imports Split as slice layers, and its build logs remove both by one rule
    ("Eliminating slice … by retargeting"). That a lookup of everything is left out is inferred: exporters write it for
    strided views and for attention masks, and no kernel would be needed.
    """

    name: ClassVar[str] = "canonicalize-slices"

    def run(self, graph: Graph, ctx: Context) -> Change:
        slicing = _Slicing(Ledger(self.name, graph, ctx))
        nodes = (node for part in executed_graphs(graph) for node in part)
        count = sum(slicing.visit(node) for node in nodes if node.op in _FORMS)
        slicing.ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


@dataclass
class _Slicing:
    ledger: Ledger
    names: FreshNames = field(default_factory=FreshNames)

    def visit(self, node: Node) -> bool:
        news, reason = _FORMS[node.op](self, node)
        if news:
            self.ledger.replace(node, news, reason)
        return bool(news)

    def constant(self, graph: Graph, name: str, numbers: Sequence[int]) -> Value:
        data = Constant("i64", (len(numbers),), tuple(numbers))
        return graph.add_weight(Value(self.names.unique(graph, name), data.type, data))


_News: TypeAlias = "tuple[list[Node], str]"
_AS_IT_IS: _News = ([], "")


def _split(slicing: _Slicing, node: Node) -> _News:
    source, graph, axis = node.operand(0), node.graph, node.attrs.get("axis", 0)
    dims, sizes = dims_of(source), _sizes(node)
    if source is None or graph is None or dims is None or sizes is None or not isinstance(axis, int):
        return _AS_IT_IS
    read = [place for place, result in enumerate(node.results) if result.use_count]
    share = 1 / len(read) if read else 1.0
    along = slicing.constant(graph, f"{node.name}.axis", [axis % len(dims)]) if read else None
    news = []
    for place in read:
        result, start = node.results[place], sum(sizes[:place])
        bounds = [slicing.constant(graph, f"{result.name}.{end}", [at])
                  for end, at in (("start", start), ("end", start + sizes[place]))]  # fmt: skip
        origin = [Origin(name, part * share) for name, part in node.own_origin]
        name = node.name if len(read) == 1 else f"{node.name}.{place}"
        news.append(Node("onnx.Slice", [source, *bounds, along], [result], name=name, origin=origin))
    return news, "each part is a slice"


def _sizes(node: Node) -> list[int] | None:
    """How long each result of a Split is along its axis; None where that is not known, or where there is one part."""
    axis, sizes = node.attrs.get("axis", 0), []
    for result in node.results:
        dims = dims_of(result)
        if dims is None or not isinstance(axis, int) or not -len(dims) <= axis < len(dims):
            return None
        size = dims[axis]
        if not isinstance(size, int):
            return None
        sizes.append(size)
    return sizes if len(sizes) > 1 else None


def _slice(slicing: _Slicing, node: Node) -> _News:
    data, starts, ends, axes, steps = (node.operand(slot) for slot in range(5))
    graph, count = node.graph, _length(starts)
    if graph is None or count is None:
        return _AS_IT_IS
    plain = steps is None or _numbers(steps) == (1,) * count
    if axes is not None and (steps is None or not plain):
        return _AS_IT_IS
    axes = axes or slicing.constant(graph, f"{node.name}.axes", range(count))
    operands = [data, starts, ends, axes] if plain else [data, starts, ends, axes, steps]
    return [_like(node, "onnx.Slice", operands)], "its axes are named, steps of one are not"


def _gather(slicing: _Slicing, node: Node) -> _News:
    dims, axis, indices = dims_of(node.operand(0)), node.attrs.get("axis", 0), _numbers(node.operand(1))
    if dims is None or indices is None or not isinstance(axis, int) or indices != tuple(range(len(indices))):
        return _AS_IT_IS
    return _whole(slicing, node) if dims[axis] == len(indices) else _AS_IT_IS


def _gather_nd(slicing: _Slicing, node: Node) -> _News:
    """Each index is a row of the indices; the rows must count through the first dimensions in order."""
    dims, indices, index_dims = dims_of(node.operand(0)), _numbers(node.operand(1)), dims_of(node.operand(1))
    if dims is None or indices is None or not index_dims or node.attrs.get("batch_dims", 0):
        return _AS_IT_IS
    depth = index_dims[-1]
    if not isinstance(depth, int) or not 0 < depth <= len(dims):
        return _AS_IT_IS
    rows = [indices[at : at + depth] for at in range(0, len(indices), depth)]
    counted = _count_through([dim if isinstance(dim, int) else 0 for dim in dims[:depth]], len(rows))
    return _whole(slicing, node) if rows == counted else _AS_IT_IS


def _count_through(dims: Sequence[int], most: int) -> list[tuple[int, ...]] | None:
    """Every index into these dimensions in order; None where there are not `most` of them."""
    from itertools import product
    from math import prod

    return list(product(*map(range, dims))) if prod(dims) == most else None


def _whole(slicing: _Slicing, node: Node) -> _News:
    source, result, graph = node.operand(0), node.results[0], node.graph
    if source is None or graph is None or target_of(dims_of(result) or (0,)) is None:
        return _AS_IT_IS
    view = reshape_to(graph, slicing.names, source, result, name=node.name, origin=node.own_origin)
    return [view], "it takes everything, in order"


def _like(node: Node, op: str, operands: Sequence[Value | None]) -> Node:
    return Node(op, operands, node.results, node.attrs, name=node.name, origin=node.own_origin)


def _length(value: Value | None) -> int | None:
    """How many numbers a list of them holds."""
    count = value.type.elements if value is not None and isinstance(value.type, TensorType) else None
    return count if isinstance(count, int) else None


def _numbers(value: Value | None) -> tuple[int, ...] | None:
    if value is None or value.constant is None:
        return None
    return tuple(int(number) for number in value.constant.values if not isinstance(number, str))


_FORMS: Mapping[str, Callable[[_Slicing, Node], _News]] = {
    "onnx.Split": _split,
    "onnx.Slice": _slice,
    "onnx.Gather": _gather,
    "onnx.GatherND": _gather_nd,
}
