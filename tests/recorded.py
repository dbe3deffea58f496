"""Recorded TensorRT engines (tests/evidence) and what our kernels have in common with their layers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness import make_context, registry

from graphcost.importer import load
from graphcost.ir import Graph, Node, Value
from graphcost.kernels import launches
from graphcost.pipeline import Pipeline
from graphcost.spec import parse_stages
from graphcost.target import Target, parse_target_header
from graphcost.text import parse_graph

EVIDENCE = Path(__file__).parent / "evidence"

UNNAMED = frozenset({"onnx.BatchNormalization", "onnx.Constant", "onnx.DequantizeLinear"})
"""Operators that the names of layers never spell, but for a dequantizer that is a layer by itself."""


@dataclass(frozen=True)
class Layer:
    """A layer of an engine: the ONNX nodes that its name spells, those that it may hold beside, and the element types
    and formats that it reads and writes (`Int8:CHW32`)."""

    name: str
    type: str
    nodes: frozenset[str]
    beside: frozenset[str]
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@dataclass(frozen=True)
class Engine:
    """A recorded engine and the network that it was built from."""

    name: str
    model: Path
    target: Target
    tail_from: str
    layers: tuple[Layer, ...]

    @staticmethod
    def read(path: Path) -> Engine:
        data = json.loads(path.read_text(encoding="utf-8"))
        layers = tuple(
            Layer(
                e["name"],
                e["type"],
                frozenset(e["nodes"]),
                frozenset(e["beside"]),
                tuple(e["reads"]),
                tuple(e["writes"]),
            )
            for e in data["layers"]
        )
        target = parse_target_header(data["target"])
        return Engine(data["engine"], EVIDENCE / data["model"], target, data["tail_from"], layers)

    def network(self) -> Graph:
        """The graph as it was exported."""
        if self.model.suffix == ".gcir":
            return parse_graph(self.model.read_text(encoding="utf-8"))
        return load(self.model, registry().operators).graph

    @cached_property
    def kernels(self) -> Graph:
        """What our pipeline makes of the network."""
        graph = self.network()
        stages = parse_stages(self.target.runtime.pipeline(), registry().passes)
        Pipeline(stages).run(graph, make_context(graph, self.target))
        return graph


def _layer(entry: dict[str, Any]) -> Layer:
    nodes, beside = frozenset(entry["nodes"]), frozenset(entry["beside"])
    return Layer(entry["name"], entry["type"], nodes, beside, tuple(entry["reads"]), tuple(entry["writes"]))


def engines() -> list[Engine]:
    return [Engine.read(path) for path in sorted(EVIDENCE.glob("*.json"))]


@dataclass(frozen=True)
class Comparison:
    """Layers before the tail: how many there are, what is different about those that are not as ours, and kernels of
    ours that no layer stands for."""

    count: int
    different: tuple[str, ...]
    extra: tuple[str, ...]


def compare(engine: Engine) -> Comparison:
    """A layer is right where one kernel of ours holds the nodes that its name spells, and no other node of the
    network but those that names never spell."""
    before = engine.network()
    order = {node.name: time for time, node in enumerate(before)}
    tail = order.get(engine.tail_from, len(order))
    layers = [layer for layer in engine.layers if layer.nodes and max(map(order.__getitem__, layer.nodes)) < tail]
    ours = [node for node in engine.kernels if (held := names_of(node)) and max(map(order.__getitem__, held)) < tail]
    kernels, swap = list(map(names_of, ours)), _residual_swaps(before)
    different = [text for layer in layers if (text := _difference(layer, kernels, before, swap)) is not None]
    named = frozenset().union(*(layer.nodes for layer in layers))
    launched = [names_of(node) for node in ours if launches(node, registry().operators)]
    extra = [" + ".join(sorted(held)) for held in launched if not held & named]
    return Comparison(len(layers), tuple(different), tuple(extra))


def names_of(node: Node) -> frozenset[str]:
    return frozenset(origin.name for origin in node.origin)


def _difference(layer: Layer, kernels: Sequence[frozenset[str]], graph: Graph, swap: Mapping[str, str]) -> str | None:
    """What our kernels have instead of a layer; None where one of them is that layer."""
    unnamed = frozenset(node.name for node in graph if node.op in UNNAMED) | layer.beside
    for rename in ({}, swap):
        wanted = frozenset(rename.get(name, name) for name in layer.nodes)
        beside = frozenset(rename.get(name, name) for name in unnamed) - wanted
        holding = [names - beside for names in kernels if names & wanted]
        if holding == [wanted] or (not holding and layer.type == "NoOp"):
            return None
    found = [" + ".join(sorted(names - unnamed)) for names in kernels if names & layer.nodes]
    return f"{' + '.join(sorted(layer.nodes))} is {' and '.join(found) or 'nowhere'}"


def _residual_swaps(graph: Graph) -> dict[str, str]:
    """Of each Add of two convolutions (batch norms between do not count): either may take the sum, so each may be
    called by the other's name, and what quantizes its weight by that of the other's."""
    swaps = {}
    for node in graph:
        feeding = [_convolution(value) for value in node.inputs] if node.op == "onnx.Add" else []
        if len(feeding) == 2 and feeding[0] and feeding[1]:
            for one, other in zip(*map(_with_quantizer, filter(None, feeding))):
                swaps |= {one.name: other.name, other.name: one.name}
    return swaps


def _convolution(value: Value) -> Node | None:
    node = value.producer
    if node is not None and node.op == "onnx.BatchNormalization":
        node = node.inputs[0].producer
    return node if node is not None and node.op == "onnx.Conv" else None


def _with_quantizer(conv: Node) -> list[Node]:
    """A convolution, and the Q/DQ of its weight."""
    chain, value = [conv], conv.operand(1)
    while value is not None and value.producer is not None:
        chain.append(value.producer)
        value = value.producer.operand(0)
    return chain
