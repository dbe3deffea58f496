"""Formats and kernels decided once for many variants.

What a runtime decides by sizes (formats, reformats, tactics) it mostly decides by how channels are aligned. So variants
whose channels are aligned alike take over the formats of one of them, and their kernels are priced anew; some of them
are decided by themselves, and where latencies differ each variant is.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from math import gcd

from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import Context
from graphcost.shapes import Facts
from graphcost.types import TensorType, Type

from .network import Network
from .skeleton import Place, give, items_of

LANES = 32
"""The widest group of channels that a format stores together (CHW32)."""

_TACTIC = "tactic"


def alignment(numbers: Mapping[str, int]) -> Hashable:
    """How the channels of a variant are aligned."""
    return tuple(gcd(number, LANES) for name, number in numbers.items() if name.endswith("channels"))


class Decided:
    """A graph of kernels after all stages, to be given the numbers of other variants."""

    def __init__(self, graph: Graph, items: Sequence[Value | Node], reformats: Sequence[Node]) -> None:
        self.graph = graph
        self._items = items
        self._reformats = reformats

    @classmethod
    def of(cls, network: Network, early: Graph) -> Decided | None:
        """None where a late stage adds more than reformats and views, whose results are as large as what they read:
        what that would be at other sizes is not known."""
        graph = early.clone()
        items, known = list(items_of(graph)), set(graph)
        network.finish(graph)
        added = [node for node in graph if node not in known]
        if not all(map(_keeps_size, added)):
            return None
        for node in graph:
            node.set_attr(_TACTIC, None)
        return cls(graph, items, added)

    def set(self, row: Sequence[int], places: Sequence[Place]) -> None:
        """Give the graph the numbers of a variant; formats stay."""
        for at, own in places:
            give(self._items[at], row[own])
        for node in self._reformats:
            for result in node.results:
                result.type = _sized_as(result, node.inputs[0])

    def context(self, network: Network) -> Context:
        return network.setup.context(self.graph, Facts())


def _keeps_size(node: Node) -> bool:
    if len(node.inputs) != 1 or node.bodies:
        return False
    return all(_sized_as(result, node.inputs[0]) == result.type for result in node.results)


def _sized_as(result: Value, source: Value) -> Type:
    if isinstance(result.type, TensorType) and isinstance(source.type, TensorType):
        return result.type.with_dims(source.type.dims)
    return result.type
