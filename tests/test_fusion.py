"""Fusion: layers of real TensorRT engines, layer counts of its build logs, and what fusing may not do."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from graphcost.passes import fuse_convolution, fuse_epilogue, fuse_pointwise
from harness import registry

import graphcost
from graphcost.api import Run
from graphcost.ir import Graph, Node, Value
from graphcost.kernels import kind_of, launches
from graphcost.rewrite import outline
from graphcost.target import make_target
from graphcost.text import parse_graph

SHARED = Path(__file__).parents[2] / "shared"
MODELS = Path(__file__).parents[1] / "examples" / "models"

UNNAMED = frozenset({"onnx.BatchNormalization", "onnx.Constant", "onnx.DequantizeLinear"})
"""Operators that the names of layers never spell."""


@dataclass(frozen=True)
class Layer:
    """The nodes that a layer's name spells, and those that it may hold beside."""

    named: frozenset[str]
    absorbed: frozenset[str]
    is_free: bool


@dataclass(frozen=True)
class Pair:
    """A real engine, and the file that it was built from."""

    engine: str
    onnx: str
    version: str
    device: str
    precision: str
    batch: int
    tail_from: str

    @property
    def asked(self) -> str:
        return "as-exported" if "qdq" in self.precision else "fp16" if "fp16" in self.precision else "fp32"

    @property
    def runtime(self) -> str:
        known = {"8.x": "8.5", "8.4-8.5": "8.5", "10.x": "10.3"}
        return f"tensorrt-{known.get(self.version, self.version)}"

    def run(self) -> Run:
        return graphcost.run(SHARED / self.onnx, self.device, runtime=self.runtime, precision=self.asked)

    def layers(self) -> list[Layer]:
        """What each layer is known to hold, layers that name no node aside."""
        data = json.loads((SHARED / "engines" / "groups" / f"{self.engine}.groups.json").read_text())
        named = [entry for entry in data["layers"] if entry["named"]]
        return [Layer(frozenset(e["named"]), frozenset(e["absorbed"]), e["kind"] == "noop") for e in named]


def pairs() -> list[Pair]:
    table = SHARED / "engines" / "pairs.csv"
    if not table.exists():
        return []
    with table.open(newline="") as lines:
        return [
            Pair(row["engine_file"].removesuffix(".tsv"), row["onnx_file"], row["tensorrt_version"], row["device"],
                 row["precision"], int(row["batch"]), row["tail_from"])
            for row in csv.DictReader(lines)
        ]  # fmt: skip


def compare(pair: Pair) -> tuple[int, list[str]]:
    """How many layers before the tail are right, and what is different about the others. A layer is right where one
    kernel of ours holds the nodes that its name spells, and no other node of the network."""
    run, before = pair.run(), graphcost.run(SHARED / pair.onnx, pipeline="").graph
    order = {node.name: time for time, node in enumerate(before)}
    tail = order.get(pair.tail_from, len(order))
    layers = [layer for layer in pair.layers() if max(order[name] for name in layer.named) < tail]
    kernels = [names for node in run.graph if (names := _names(node)) and max(map(order.__getitem__, names)) < tail]
    swap = _residual_swaps(before)
    wrong = [text for layer in layers if (text := _difference(layer, kernels, before, swap)) is not None]
    named = frozenset().union(*(layer.named for layer in layers))
    launched = [_names(node) for node in run.graph if launches(node, registry().operators)]
    extra = [names for names in launched if names in kernels and not names & named]
    return len(layers) - len(wrong), wrong + [f"no layer is {' + '.join(sorted(names))}" for names in extra]


def _names(node: Node) -> frozenset[str]:
    return frozenset(origin.name for origin in node.origin)


def _difference(layer: Layer, kernels: Sequence[frozenset[str]], graph: Graph, swap: Mapping[str, str]) -> str | None:
    """What our kernels have instead of a layer; None where one of them is that layer."""
    unnamed = frozenset(node.name for node in graph if node.op in UNNAMED) | layer.absorbed
    for rename in ({}, swap):
        wanted = frozenset(rename.get(name, name) for name in layer.named)
        beside = frozenset(rename.get(name, name) for name in unnamed) - wanted
        holding = [names - beside for names in kernels if names & wanted]
        if holding == [wanted] or (not holding and layer.is_free):
            return None
    found = [" + ".join(sorted(names - unnamed)) for names in kernels if names & layer.named]
    return f"{' + '.join(sorted(layer.named))} is {' and '.join(found) or 'nowhere'}"


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


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.engine)
def test_layers_hold_exactly_the_nodes_that_the_engine_names(pair: Pair) -> None:
    right, wrong = compare(pair)
    print(f"{pair.engine}: {right} of {len(pair.layers())} layers right", *wrong[:5], sep="\n  ")
    assert right
    assert not wrong


VIEWS = ("trt.slice_view", "trt.concat_view")
YOLOV8N = {"fp32": (176, 158, 168), "fp16": (126, 112, 125), "int8": (124, 109, 122)}
"""Layers of YOLOv8n after merging, slice removal and concat removal: build logs of TensorRT 10.3 on Orin Nano."""
APART = 0.01
"""How far ours may be from these, relatively. Only to be lowered. Two of the constants that ours counts are equal;
TensorRT removes one of them, which nobody can who does not read weights."""


@pytest.mark.parametrize("precision", YOLOV8N)
def test_yolov8n_has_as_many_layers_as_in_the_build_logs(precision: str, shared: Path) -> None:
    model = shared / "models" / "jetson" / "yolov8n_640.ts17.onnx"
    target = {"runtime": "tensorrt-10.3", "precision": precision}
    merging, slices, concats = (
        graphcost.run(model, "orin-nano", **target, pipeline=_pipeline_through(step, **target)).graph
        for step in ("merge-siblings", "retarget-slices", "retarget-concats")
    )
    ours = tuple(map(_layers, (merging, slices, concats)))
    print(f"YOLOv8n {precision}: {ours}, TensorRT: {YOLOV8N[precision]}")
    assert all(abs(a / b - 1) <= APART for a, b in zip(ours, YOLOV8N[precision]))


def _pipeline_through(step: str, *, runtime: str, precision: str) -> str:
    """TensorRT's pipeline up to and with a step of its fusion."""
    before, found, _ = make_target("orin-nano", runtime, precision).runtime.pipeline().partition(f",{step}")
    assert found
    return f"{before},{step}]"


def _layers(graph: Graph) -> int:
    """Layers as TensorRT counts them: nodes, views aside, and the constant tensors that pointwise layers read."""
    constants = {v for node in graph if kind_of(node) == "pointwise" for v in node.inputs if _is_constant_layer(v)}
    return sum(node.op not in VIEWS for node in graph) + len(constants)


def _is_constant_layer(value: Value) -> bool:
    return value.is_weight and (value.type.elements or 0) > 1


FUSED = [*sorted((SHARED / "models" / "jetson").glob("*.ts17.onnx")), *sorted(MODELS.glob("*.onnx"))]


@pytest.mark.parametrize("path", FUSED, ids=lambda path: path.name)
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_fusion_conserves_work_and_never_adds_traffic(path: Path, precision: str) -> None:
    asked = {"runtime": "tensorrt-10.3", "precision": precision}
    whole = make_target("orin-nano", **asked).runtime.pipeline()
    before = graphcost.analyze(path, "orin-nano", **asked, pipeline=whole.partition(",fusion[")[0]).totals
    after = graphcost.analyze(path, "orin-nano", **asked).totals
    assert (before.macs, before.elementwise_ops) == (after.macs, after.elementwise_ops)
    assert after.bytes_read + after.bytes_written <= before.bytes_read + before.bytes_written


def test_every_rule_names_its_evidence() -> None:
    rules = (*fuse_convolution.rules_of(Graph("")), *fuse_pointwise.RULES, *fuse_epilogue.rules_of(Graph("")))
    assert all(len(rule.evidence) > 40 and rule.runtimes for rule in rules)


@pytest.mark.parametrize(("op", "kind"), [("conv", "conv"), ("pointwise", "pointwise")])
def test_a_kernel_is_of_the_family_that_it_is_built_around(op: str, kind: str) -> None:
    first = "onnx.Conv(%x, %w)" if op == "conv" else "onnx.Sigmoid(%x)"
    graph = parse_graph(f"""graph g(%x: f32[1,4,8,8]) {{
  weight %w: f32[4,4,1,1]
  %a: f32[1,4,8,8] = {first}
  %y: f32[1,4,8,8] = onnx.Relu(%a)
  return %y
}}""")
    kernel = outline(graph, list(graph), "trt.conv_act")
    assert kind_of(kernel) == kind
