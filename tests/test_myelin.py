"""Attention, norms and products of matrices: how many kernels TensorRT launches for a transformer, by version."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from graphcost.passes.regions import convex_sets
from harness import registry

import graphcost
from graphcost.geometry import geometry_of
from graphcost.ir import Node
from graphcost.report import Kernel, Report
from graphcost.rewrite import outline
from graphcost.text import parse_graph
from graphcost.work.node import node_work

MODELS = Path(__file__).parents[1] / "examples" / "models"
BERT = MODELS / "bert_mini.onnx"


def layer_of(report: Report, layer: str) -> list[Kernel]:
    """The launches that hold a node of one encoder layer."""
    rows = [k for k in report.kernels if k.bound != "none"]
    return [k for k in rows if any(layer in name for name in k.origin)]


def test_a_layer_of_bert_is_seven_kernels_from_tensorrt_8_5_on() -> None:
    """Queries, keys and values; attention; projection; sum and norm; product and GELU; product; sum and norm."""
    for runtime in ("tensorrt-8.5", "tensorrt-8.6", "tensorrt-10.3"):
        report = graphcost.analyze(BERT, "orin-nano", runtime=runtime, precision="fp16")
        kinds = Counter(kernel.kind for kernel in layer_of(report, "layer.1/"))
        assert kinds == {"gemm": 4, "attention": 1, "norm": 2}, runtime


def test_before_8_5_each_part_of_an_attention_is_a_kernel() -> None:
    report = graphcost.analyze(BERT, "nano", precision="fp16")
    names = [kernel.name for kernel in layer_of(report, "layer.1/")]
    print(*names, sep="\n")
    assert not any(kernel.kind == "attention" or kernel.region for kernel in report.kernels)
    assert 15 <= len(names) <= 25
    assert any("query/MatMul || " in name for name in names)


def test_fp32_keeps_the_scores_in_memory() -> None:
    report = graphcost.analyze(BERT, "orin-nano", runtime="tensorrt-10.3", precision="fp32")
    kinds = Counter(kernel.kind for kernel in layer_of(report, "layer.1/"))
    assert kinds == {"gemm": 6, "softmax": 1, "norm": 2}


def test_a_region_is_the_sum_of_its_kernels() -> None:
    report = graphcost.analyze(BERT, "orin-nano", runtime="tensorrt-10.3", precision="fp16")
    (region,) = {kernel.region for kernel in report.kernels if kernel.region}
    members = [kernel for kernel in report.kernels if kernel.region == region]
    assert region is not None and region.startswith("{ForeignNode[") and "..." in region
    assert sum(kernel.latency_ms or 0 for kernel in members) == pytest.approx(report.totals.latency_ms)
    assert report.to_json()["kernels"][0]["region"] == region


def test_a_convolutional_network_is_no_region_but_its_fully_connected_tail() -> None:
    report = graphcost.analyze(MODELS / "mobilenet_v2.onnx", "orin-nano", runtime="tensorrt-10.3", precision="fp16")
    assert {kernel.kind for kernel in report.kernels if kernel.region} == {"gemm"}


REFERENCE = {"vit_base_patch16_224": (87, 12), "swin_tiny_patch4_window7_224": (94, 12), "gpt2_mini4": (30, 4)}
"""Kernels (reformats aside) and fused attentions in FP16 on TensorRT 10.3: 7 for each layer, and what stands around.
Recorded, not measured: no engine of these networks is at hand."""


@pytest.mark.parametrize("network", REFERENCE)
@pytest.mark.parametrize("export", ["ts17", "dynamo"])
def test_transformers_have_about_as_many_kernels_as_layers_times_seven(network: str, export: str, shared: Path) -> None:
    path = shared / "models" / f"{network}.{export}.onnx"
    report = graphcost.analyze(path, "orin-nano", runtime="tensorrt-10.3", precision="fp16")
    attentions = sum(kernel.kind == "attention" for kernel in report.kernels)
    kernels = sum(kernel.bound != "none" and bool(kernel.origin) for kernel in report.kernels)
    print(f"{network} {export}: {kernels} kernels and reformats, {attentions} attentions")
    assert (kernels, attentions) == REFERENCE[network]


def test_a_fused_attention_says_which_products_are_inside() -> None:
    """Queries by keys and weights by values, for each head: from these, tiles and waves are counted."""
    run = graphcost.run(BERT, "orin-nano", runtime="tensorrt-10.3", precision="fp16")
    attention = next(node for node in run.graph if node.op == "group.attention")
    products = geometry_of(attention).contractions
    assert len(products) == 2 and all(product.batch > 1 for product in products)
    assert sum(product.macs for product in products) == node_work(attention, registry().operators).work.macs


# Sets that can run as one


def sets_of(text: str) -> list[set[str]]:
    """The sets of a graph where everything but `Conv` may join everything; each must be possible as one node."""
    graph = parse_graph(text)

    def joins(node: Node, parts: object) -> bool | None:
        return None if node.op == "onnx.Conv" else True

    found = [nodes for _, nodes in convex_sets(graph, joins)]
    for nodes in found:
        outline(graph, nodes, "trt.kgen")  # raises Reject where a path leaves the set and comes back
    graph.verify()
    return [{node.name for node in nodes} for nodes in found]


def test_a_path_that_leaves_a_set_does_not_come_back() -> None:
    assert sets_of("""graph g(%x: f32[1,4,8,8]) {
  weight %w: f32[4,4,1,1]
  %a: f32[1,4,8,8] = onnx.Relu(%x)
  %b: f32[1,4,8,8] = onnx.Conv(%a, %w)
  %c: f32[1,4,8,8] = onnx.Neg(%a)
  %d: f32[1,4,8,8] = onnx.Add(%b, %c)
  %e: f32[1,4,8,8] = onnx.Abs(%d)
  return %e
}""") == [{"a", "c"}, {"d", "e"}]


def test_what_two_sets_share_is_one_set() -> None:
    assert sets_of("""graph g(%x: f32[4], %y: f32[4]) {
  %a: f32[4] = onnx.Relu(%x)
  %b: f32[4] = onnx.Relu(%y)
  %c: f32[4] = onnx.Add(%a, %b)
  return %c
}""") == [{"a", "b", "c"}]
