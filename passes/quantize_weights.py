"""Weights that are quantized when the engine is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node
from graphcost.origin import Origin, merge_origins
from graphcost.pipeline import UNCHANGED, Change, Context, Pass

from .ledger import Ledger, executed_graphs
from .values import is_output


@dataclass(frozen=True)
class QuantizeWeights(Pass):
    """Compute QuantizeLinear over a weight once: what it gives becomes a weight of the narrow type under the name of
    the wide one, which is no longer stored. The readers, which dequantize it, stay and say in which precision it is
    used; they also stand for the node that is gone.

    A scale that is computed at run time, and what is an output of the network, stay.

    Evidence: ConstWeightsQuantizeFusion in TensorRT's build logs (8.5.10), and layers that are named
    `layer1.0.conv2.weight + QuantizeLinear_32 + Conv_34`.
    """

    name: ClassVar[str] = "quantize-weights"

    def run(self, graph: Graph, ctx: Context) -> Change:
        ledger = Ledger(self.name, graph, ctx)
        nodes = (node for part in executed_graphs(graph) for node in part)
        count = sum(_quantize(node, ledger) for node in nodes if node.op == "onnx.QuantizeLinear")
        ledger.close()
        return Change(count) if count else UNCHANGED


def _quantize(node: Node, ledger: Ledger) -> bool:
    result, graph = node.results[0], node.graph
    if graph is None or not result.use_count or is_output(result) or not all(v.is_weight for v in node.inputs):
        return False
    ledger.touch(node)
    ledger.touch_readers(node)
    _hand_down(node)
    graph.add_weight(result)
    wide = node.inputs[0]
    ledger.remove(node, "its weight is stored as it is used")
    if not wide.use_count:
        wide.name, result.name = result.name, wide.name
    return True


def _hand_down(node: Node) -> None:
    """The readers stand for the node from now on, each for the same share of it."""
    readers = node.results[0].readers
    part = [Origin(name, share / len(readers)) for name, share in node.own_origin]
    for reader in readers:
        reader.origin = merge_origins(reader.own_origin, part)
