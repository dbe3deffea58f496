"""Chains of transposes and reshapes, in one form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import TensorType

from .eliminate_noops import leave_out
from .ledger import PRESERVED, Ledger, executed_graphs
from .permutation import before_reshape, compose, moves_data, permutation_of
from .values import FreshNames
from .views import VIEWS, dims_of, reshape_to, target_of

_TRANSPOSE = "onnx.Transpose"
_MERGED = VIEWS | {_TRANSPOSE}


@dataclass(frozen=True)
class CanonicalizeLayout(Pass):
    """Bring chains of Transpose, Reshape, Flatten, Squeeze and Unsqueeze into one form: transposes first, merged into
    as few as possible, then one Reshape.

    - a view of a view is one Reshape; a Transpose of a Transpose is one Transpose;
    - a Transpose that only moves dimensions of length one is a Reshape, which costs nothing;
    - a Transpose that reads a view is done before it where both orders give the same (the view splits or joins
      dimensions that stay neighbours), so that transposes with views between them meet;
    - what cancels out is removed.

    Others that read a value between keep it. Evidence: ShuffleShuffleFusion, ConstShuffleFusion and ShuffleErasure in
    TensorRT's build logs; "Shuffle and Shuffle" in its fusion catalogue, which asks that transposes be inverse where
    both layers reshape (that others commute too is inferred).
    """

    name: ClassVar[str] = "canonicalize-layout"

    def run(self, graph: Graph, ctx: Context) -> Change:
        layout = _Layout(Ledger(self.name, graph, ctx))
        count = sum(layout.settle(node) for part in executed_graphs(graph) for node in part)
        layout.ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


class _Plan(NamedTuple):
    """The same result as a Transpose of `source` by `perm` (None: as it is) and a Reshape after it."""

    source: Value
    perm: tuple[int, ...] | None
    reason: str


@dataclass
class _Layout:
    ledger: Ledger
    names: FreshNames = field(default_factory=FreshNames)

    def settle(self, node: Node) -> int:
        """Rewrite a node until no rule holds; how often one did."""
        count, waiting = 0, [node]
        while waiting:
            node = waiting.pop()
            plan = _plan(node)
            if plan is not None and (news := self._follow(node, plan)) is not None:
                count += 1
                waiting += news[:1]
        return count

    def _follow(self, node: Node, plan: _Plan) -> list[Node] | None:
        """The nodes that stand in its place now; None where it must stay."""
        via, result = node.operands[0], node.results[0]
        if plan.perm is None and plan.source.type == result.type:
            done = leave_out(node, plan.source, plan.reason, self.ledger)
            self._drop(via, "what follows undoes it")
            return [] if done else None
        news = self._nodes(node, plan)
        if not news:
            return None
        self.ledger.replace(node, news, plan.reason)
        self._drop(via, f"merged into {news[0].name}")
        return news

    def _nodes(self, node: Node, plan: _Plan) -> list[Node]:
        """What computes the result as planned; nothing where a Reshape cannot say the shape."""
        graph, result = node.graph, node.results[0]
        assert graph is not None
        if plan.perm is None:
            return self._view(graph, node, plan.source, node)
        kind = _permuted(plan.source, plan.perm)
        if kind == result.type:
            return [_transpose(node, plan, result)]
        middle = Value(self.names.unique(graph, f"{result.name}.transposed"), kind)
        view = self._view(graph, node, middle, None)
        return [_transpose(node, plan, middle), *view] if view else []

    def _view(self, graph: Graph, node: Node, source: Value, origin: Node | None) -> list[Node]:
        result = node.results[0]
        if target_of(dims_of(result) or (0,)) is None:
            return []
        name, origins = (node.name, node.own_origin) if origin else (f"{node.name}.view", ())
        return [reshape_to(graph, self.names, source, result, name=name, origin=origins)]

    def _drop(self, via: Value | None, reason: str) -> None:
        """Remove the node that was read before, if nobody reads it any more."""
        maker = None if via is None else via.producer
        if maker is None or maker.op not in _MERGED:
            return
        if not any(result.use_count for result in maker.results):
            self.ledger.remove(maker, reason)


def _transpose(node: Node, plan: _Plan, result: Value) -> Node:
    assert plan.perm is not None
    return Node(_TRANSPOSE, [plan.source], [result], {"perm": plan.perm}, name=node.name, origin=node.own_origin)


def _permuted(source: Value, perm: tuple[int, ...]) -> TensorType:
    assert isinstance(source.type, TensorType) and source.type.dims is not None
    return source.type.with_dims(source.type.dims[axis] for axis in perm)


# The rules


def _plan(node: Node) -> _Plan | None:
    dims = dims_of(node.operand(0))
    if dims is None or 0 in dims or dims_of(node.results[0]) is None:
        return None
    if node.op == _TRANSPOSE:
        return _plan_transpose(node)
    return _plan_view(node) if node.op in VIEWS else None


def _plan_view(node: Node) -> _Plan | None:
    """A view of a view."""
    source = node.operands[0]
    assert source is not None
    if source.type == node.results[0].type:
        return _Plan(source, None, "the shape stays the same")
    maker, base = _maker(source)
    if maker is None or maker.op not in VIEWS:
        return None
    return _Plan(base, None, f"with {maker.name} it is one view")


def _plan_transpose(node: Node) -> _Plan | None:
    source, perm = node.operands[0], permutation_of(node)
    dims = dims_of(source)
    assert source is not None and perm is not None and dims is not None
    if not moves_data(dims, perm):
        moves = "no dimension" if list(perm) == sorted(perm) else "only dimensions of length one"
        return _Plan(source, None, f"it moves {moves}")
    maker, base = _maker(source)
    if maker is None:
        return None
    if maker.op == _TRANSPOSE:
        inner = permutation_of(maker)
        return None if inner is None else _Plan(base, compose(inner, perm), f"with {maker.name} it is one transpose")
    return _past_view(maker, base, perm) if maker.op in VIEWS else None


def _past_view(maker: Node, base: Value, perm: tuple[int, ...]) -> _Plan | None:
    """A transpose that may as well be done before the view that it reads."""
    before, after = dims_of(base), dims_of(maker.results[0])
    if before is None or after is None:
        return None
    earlier = before_reshape(before, after, perm)
    return None if earlier is None else _Plan(base, earlier, f"it is done before {maker.name}, a view")


def _maker(value: Value) -> tuple[Node | None, Value]:
    """The node that makes a value, and what that one reads first (the value itself where it reads nothing)."""
    maker = value.producer
    base = None if maker is None else maker.operand(0)
    return (None, value) if maker is None or base is None else (maker, base)
