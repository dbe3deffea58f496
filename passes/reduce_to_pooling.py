"""Means over height and width."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import TensorType

from .ledger import PRESERVED, Ledger, executed_graphs
from .values import FreshNames
from .views import dims_of, reshape_to, target_of

_POOL = "onnx.GlobalAveragePool"


@dataclass(frozen=True)
class ReduceToPooling(Pass):
    """Turn a ReduceMean over all spatial axes of an image (axes 2 and up, rank 4 or 5) into GlobalAveragePool; where it
    drops these axes, a Reshape does that.

    Evidence: ReduceToPoolingFusion in TensorRT's build logs (8.5.10, 10.3); "Reduce(avg over HW, keepDims) -> Pooling"
    in its fusion catalogue. TensorRT 7 runs both as a reduction (`Mean` in a profile): the same work, one name.
    """

    name: ClassVar[str] = "reduce-to-pooling"

    def run(self, graph: Graph, ctx: Context) -> Change:
        pooling = _Pooling(Ledger(self.name, graph, ctx))
        nodes = (node for part in executed_graphs(graph) for node in part)
        count = sum(pooling.visit(node) for node in nodes if node.op == "onnx.ReduceMean")
        pooling.ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


@dataclass
class _Pooling:
    ledger: Ledger
    names: FreshNames = field(default_factory=FreshNames)

    def visit(self, node: Node) -> bool:
        news = self._nodes(node) if _is_spatial(node) else []
        if news:
            self.ledger.replace(node, news, "a mean over height and width is a pooling")
        return bool(news)

    def _nodes(self, node: Node) -> list[Node]:
        """The pooling, and the view that drops the axes; nothing where a Reshape cannot say the shape."""
        source, result, graph = node.operand(0), node.results[0], node.graph
        assert source is not None and graph is not None and isinstance(source.type, TensorType)
        dims = source.type.dims or ()
        if node.attrs.get("keepdims", 1):
            return [Node(_POOL, [source], [result], name=node.name, origin=node.own_origin)]
        if target_of(dims[:2]) is None:
            return []
        kind = source.type.with_dims((*dims[:2], *(1,) * (len(dims) - 2)))
        pooled = Value(self.names.unique(graph, f"{result.name}.pooled"), kind)
        pool = Node(_POOL, [source], [pooled], name=node.name, origin=node.own_origin)
        return [pool, reshape_to(graph, self.names, pooled, result, name=f"{node.name}.view")]


def _is_spatial(node: Node) -> bool:
    dims, axes = dims_of(node.operand(0)), node.operand(1)
    if dims is None or len(dims) not in (4, 5) or axes is None or axes.constant is None:
        return False
    over = {int(axis) % len(dims) for axis in axes.constant.values if not isinstance(axis, str)}
    return over == set(range(2, len(dims)))
