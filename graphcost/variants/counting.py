"""What kernels work and what cost models are asked about them, each different kernel once.

Networks repeat their blocks: kernels that are alike but for their names, with equal types at their border, have the
same work and the same query.
"""

from __future__ import annotations

from collections.abc import Hashable

from graphcost.cost import KernelQuery
from graphcost.ir import Graph, Node
from graphcost.kernels import query_of
from graphcost.operators import Operators
from graphcost.sweep.frame import values_of
from graphcost.work.node import NodeWork, node_work


class Counter:
    """For graphs of one skeleton: a kernel's body is known by the kernel's name, and its numbers by its border."""

    def __init__(self, operators: Operators) -> None:
        self._operators = operators
        self._makes: dict[str, Hashable] = {}
        self._known: dict[Hashable, tuple[NodeWork, KernelQuery]] = {}

    def count(self, graph: Graph) -> list[tuple[NodeWork, KernelQuery]]:
        """Work and query of each node, in execution order."""
        return [self._of(node) for node in graph]

    def _of(self, node: Node) -> tuple[NodeWork, KernelQuery]:
        key = (
            self._make(node),
            tuple(value.type for value in node.inputs),
            tuple(value.type for value in node.results),
            tuple(node.attrs.items()),
        )
        if key not in self._known:
            work = node_work(node, self._operators)
            self._known[key] = work, query_of(node, work, self._operators)
        return self._known[key]

    def _make(self, node: Node) -> Hashable:
        """What tells kernels apart beside their border: how operands are bound, and the bodies."""
        if node.name not in self._makes:
            self._makes[node.name] = (node.op, _pattern(node), tuple(map(_inside, node.bodies)))
        return self._makes[node.name]


def _pattern(node: Node) -> Hashable:
    """Which operands are one value, which are weights and which hold known numbers."""
    first: dict[object, int] = {}
    places = tuple(None if v is None else first.setdefault(v, at) for at, v in enumerate(node.operands))
    return places, tuple(v is not None and (v.is_weight, v.constant is not None) for v in node.operands)


def _inside(body: Graph) -> Hashable:
    index = {value: number for number, value in enumerate(values_of(body))}
    nodes = tuple(
        (n.op, tuple(None if v is None else index.get(v) for v in n.operands), tuple(n.attrs.items()))
        for n in (*body.walk(), body.exit)
    )
    return body.binds, nodes, tuple((value.type, value.constant) for value in index)
