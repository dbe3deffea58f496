"""Parameters as the network has them, where an exporter stored them otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass

from ..ledger import Ledger
from .parameters import is_learnt


@dataclass(frozen=True)
class SeparateParameters(Pass):
    """Give each Identity over a weight a weight of its own, and let a weight that is only read transposed be stored
    transposed, under its name.

    PyTorch's exporter stores tensors of equal content once, with an Identity for each further parameter (`torch.onnx`,
    deduplicate_initializers): training makes them differ. The weight of a Linear layer is exported with a Transpose,
    which PyTorch does by a view.
    """

    name: ClassVar[str] = "separate-parameters"

    def run(self, graph: Graph, ctx: Context) -> Change:
        merged = [node for node in graph if node.op == "onnx.Identity" and _reads_weight(node)]
        turned = [node for node in graph if node.op == "onnx.Transpose" and _alone_reads_parameter(node)]
        ledger = Ledger(self.name, graph, ctx)
        for node in merged:
            _separate(graph, node, ledger)
        for node in turned:
            _turn(graph, node, ledger)
        ledger.close()
        count = len(merged) + len(turned)
        return Change(count) if count else UNCHANGED


def _reads_weight(node: Node) -> bool:
    return node.inputs[0].is_weight and not _is_output(node)


def _alone_reads_parameter(node: Node) -> bool:
    source = node.inputs[0]
    return source.is_weight and source.use_count == 1 and is_learnt(source) and not _is_output(node)


def _is_output(node: Node) -> bool:
    """Whether a result of the node leaves the graph."""
    graph = node.graph
    return graph is not None and any(graph.exit in result.readers for result in node.results)


def _separate(graph: Graph, node: Node, ledger: Ledger) -> None:
    old, source = node.results[0], node.inputs[0]
    _stand_in(graph, node, Value(f"{old.name}.parameter", old.type, source.constant), ledger, "a parameter of its own")


def _turn(graph: Graph, node: Node, ledger: Ledger) -> None:
    old, source = node.results[0], node.inputs[0]
    weight = Value(f"{source.name}.transposed", old.type)
    _stand_in(graph, node, weight, ledger, "the parameter is stored transposed")
    graph.remove_weight(source)
    weight.name = source.name


def _stand_in(graph: Graph, node: Node, weight: Value, ledger: Ledger, reason: str) -> None:
    """Read a weight in place of the node's result."""
    old = node.results[0]
    ledger.touch(node)
    ledger.touch_readers(node)
    old.replace_by(graph.add_weight(weight))
    ledger.remove(node, reason)
    weight.name = old.name
