"""Fusion: layer counts of TensorRT's build logs, and what fusing may not do."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphcost
from graphcost.ir import Graph, Value
from graphcost.kernels import kind_of
from graphcost.rewrite import outline
from graphcost.target import make_target
from graphcost.text import parse_graph

SHARED = Path(__file__).parents[2] / "shared"
MODELS = Path(__file__).parents[1] / "examples" / "models"

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


@pytest.mark.parametrize(("device", "runtime"), [("nano", "tensorrt-7.1"), ("orin-nano", "tensorrt-8.5")])
def test_googlenet_merges_and_copies_as_in_the_build_logs(device: str, runtime: str, shared: Path) -> None:
    """Nine inception blocks: three 1x1 convolutions merge, the Concat is a view, the merged kernel's part is copied
    (logs of TensorRT 3 to 5 and of 8.5.2, profile of TensorRT 7); 57 convolutions take in their ReLU."""
    graph = graphcost.run(shared / "models" / "torchvision" / "googlenet_224.onnx", device, runtime=runtime).graph
    merged = [node for node in graph if node.op == "trt.merged"]
    assert [len(node.bodies) for node in merged] == [3] * 9
    assert sum(node.op == "trt.concat_view" for node in graph) == 9
    copied = [node.operand(0).producer for node in graph if node.name.endswith(" copy")]
    assert copied == merged
    assert sum(node.op == "trt.conv_act" for node in graph) + 3 * len(merged) == 57


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


FUSED = [
    *sorted((SHARED / "models" / "jetson").glob("*.ts17.onnx")),
    *sorted((SHARED / "models" / "engines").glob("*.onnx")),
    *sorted(MODELS.glob("*.onnx")),
]


@pytest.mark.parametrize("path", FUSED, ids=lambda path: path.name)
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_fusion_conserves_work_and_never_adds_traffic(path: Path, precision: str) -> None:
    asked = {"runtime": "tensorrt-10.3", "precision": precision}
    whole = make_target("orin-nano", **asked).runtime.pipeline()
    before = graphcost.analyze(path, "orin-nano", **asked, pipeline=whole.partition(",fusion[")[0]).totals
    after = graphcost.analyze(path, "orin-nano", **asked, pipeline=whole.partition(",formats[")[0]).totals
    assert (before.macs, before.elementwise_ops) == (after.macs, after.elementwise_ops)
    assert after.bytes_read + after.bytes_written <= before.bytes_read + before.bytes_written


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
