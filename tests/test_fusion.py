"""Fusion: layers of real TensorRT engines, layer counts of its build logs, and what fusing may not do."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from graphcost.passes import fuse_convolution, fuse_epilogue, fuse_pointwise

import graphcost
from graphcost.api import Run
from graphcost.ir import Graph, Node, Value
from graphcost.kernels import kind_of
from graphcost.rewrite import outline
from graphcost.target import make_target
from graphcost.text import parse_graph

SHARED = Path(__file__).parents[2] / "shared"
MODELS = Path(__file__).parents[1] / "examples" / "models"

# Convolutions do not take in the Q/DQ around them yet.
RIGHT = {
    "trex_tv-resnet18_A100_b32_qat": 12 / 33,
    "trex_tv-resnet18_A100_b32_qat-residual": 3 / 25,
    "trex_mobilenet_TITANRTX_qat": 18 / 71,
}
"""Share of an engine's layers that hold exactly the ONNX nodes which the engine's own names spell, 1 where nothing else
is said. Only to be raised."""

UNNAMED = frozenset({"onnx.BatchNormalization", "onnx.Constant", "onnx.DequantizeLinear"})
"""Operators that the names of layers never spell."""

@dataclass(frozen=True)
class Layer:
    """The nodes that a layer's name spells, and those that it may hold beside."""

    named: frozenset[str]
    absorbed: frozenset[str]


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
        return [Layer(frozenset(e["named"]), frozenset(e["absorbed"])) for e in data["layers"] if e["named"]]


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
    """How many layers before the tail are right, and what is different about the others."""
    run, before = pair.run(), graphcost.run(SHARED / pair.onnx, pipeline="").graph
    op_of = {node.name: node.op for node in before}
    order = {name: time for time, name in enumerate(op_of)}
    tail = order.get(pair.tail_from, len(order))
    ours = {name: held for held in map(_names, run.graph) for name in held}
    swapped = _residual_swaps(before)
    right, wrong = 0, []
    for layer in pair.layers():
        if max(order[name] for name in layer.named) >= tail:
            continue
        spelled = {_spelled(layer, ours, op_of, swap) for swap in ({}, swapped)}
        if layer.named in spelled or not any(name in ours for name in layer.named):
            right += 1
        else:
            wrong.append(f"{' + '.join(sorted(layer.named))} is {' + '.join(sorted(spelled.pop()))}")
    return right, wrong


def _names(node: Node) -> frozenset[str]:
    return frozenset(origin.name for origin in node.origin)


def _spelled(
    layer: Layer, ours: Mapping[str, frozenset[str]], op_of: Mapping[str, str], swap: Mapping[str, str]
) -> frozenset[str]:
    """What our kernel of the layer's convolution (or, with a swap, of its rival for the sum) would be called. Where the
    layer's nodes lie in several kernels, all of them."""
    heads = [name for name in layer.named if op_of[name] == "onnx.Conv"] or sorted(layer.named)[:1]
    held = ours.get(swap.get(heads[0], heads[0]), frozenset())
    found = frozenset(heads[0] if name == swap.get(heads[0]) else name for name in held)
    return frozenset(n for n in found if op_of[n] not in UNNAMED and n not in layer.absorbed - layer.named)


def _residual_swaps(graph: Graph) -> dict[str, str]:
    """Of each Add of two convolutions (batch norms between do not count): either may take the sum."""
    swaps = {}
    for node in graph:
        feeding = [_convolution(value) for value in node.inputs] if node.op == "onnx.Add" else []
        if len(feeding) == 2 and feeding[0] and feeding[1]:
            swaps |= {feeding[0].name: feeding[1].name, feeding[1].name: feeding[0].name}
    return swaps


def _convolution(value: Value) -> Node | None:
    node = value.producer
    if node is not None and node.op == "onnx.BatchNormalization":
        node = node.inputs[0].producer
    return node if node is not None and node.op == "onnx.Conv" else None


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.engine)
def test_layers_hold_the_nodes_that_the_engine_names(pair: Pair) -> None:
    right, wrong = compare(pair)
    print(f"{pair.engine}: {right} of {right + len(wrong)} layers right", *wrong[:5], sep="\n  ")
    assert right
    assert right / (right + len(wrong)) >= RIGHT.get(pair.engine, 1.0), wrong


VIEWS = ("trt.slice_view", "trt.concat_view")
YOLOV8N = {"fp32": (176, 158, 168), "fp16": (126, 112, 125), "int8": (124, 109, 122)}
"""Layers of YOLOv8n after merging, slice removal and concat removal: build logs of TensorRT 10.3 on Orin Nano."""
APART = {"fp32": 0.02, "fp16": 0.07, "int8": 0.07}
"""How far ours may be from these, relatively. Only to be lowered."""


@pytest.mark.parametrize("precision", YOLOV8N)
def test_yolov8n_has_about_as_many_layers_as_in_the_build_logs(precision: str, shared: Path) -> None:
    model = shared / "models" / "jetson" / "yolov8n_640.ts17.onnx"
    run = graphcost.run(model, "orin-nano", runtime="tensorrt-10.3", precision=precision)
    before = make_target("orin-nano", "tensorrt-10.3", precision).runtime.pipeline().partition(",retarget-slices")[0]
    merged = graphcost.run(model, "orin-nano", runtime="tensorrt-10.3", precision=precision, pipeline=before + "]")
    counts = Counter(node.op for node in run.graph)
    final = len(run.graph) - sum(counts[op] for op in VIEWS)
    ours = (len(merged.graph), len(merged.graph) - counts["trt.slice_view"], final)
    print(f"YOLOv8n {precision}: {ours}, TensorRT: {YOLOV8N[precision]}")
    assert all(abs(a / b - 1) <= APART[precision] for a, b in zip(ours, YOLOV8N[precision]))


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
