"""Variants: each costs what a separate analysis says, and the network of another width is the one built at it."""

from __future__ import annotations

import random
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

import graphcost
from graphcost.errors import ResizeError, UsageError
from graphcost.variants import Variant, divisible, grid, table, variants

MODELS = Path(__file__).parent.parent / "examples" / "models"


def network(width: float = 1.0, classes: int = 10, groups: int = 1) -> bytes:
    """Stem, depthwise block, squeeze and excite, a concat, a head: what mobile networks are made of."""
    c = [divisible(n, width, 8) for n in (32, 64, 96)]
    nodes, weights = [], []

    def weight(name: str, *dims: int) -> str:
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT)
        tensor.dims.extend(dims)
        weights.append(tensor)
        return name

    def conv(name: str, x: str, cin: int, cout: int, k: int, stride: int = 1, group: int = 1) -> str:
        inputs = [x, weight(f"{name}.w", cout, cin // group, k, k), weight(f"{name}.b", cout)]
        nodes.append(
            helper.make_node(
                "Conv", inputs, [name], name, group=group, pads=[k // 2] * 4, strides=[stride] * 2, kernel_shape=[k, k]
            )
        )
        return op("Relu", name)

    def op(kind: str, *inputs: str, **attributes) -> str:
        out = f"{kind}_{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [out], out, **attributes))
        return out

    x = conv("stem", "x", 3, c[0], 3, 2)
    y = conv("expand", x, c[0], c[1], 1)
    y = conv("depthwise", y, c[1], c[1], 3, group=c[1])
    se = conv("reduce", op("GlobalAveragePool", y), c[1], c[0], 1)
    y = op("Mul", y, op("Sigmoid", conv("excite", se, c[0], c[1], 1)))
    y = op("BatchNormalization", y, *(weight(f"bn{i}", c[1]) for i in range(4)))
    x = op("Concat", x, y, axis=1)
    x = conv("join", x, c[0] + c[1], c[2], 3, 2, group=groups)
    x = op("Flatten", op("GlobalAveragePool", x))
    inputs = [x, weight("fc.w", classes, c[2]), weight("fc.b", classes)]
    nodes.append(helper.make_node("Gemm", inputs, ["y"], "fc", transB=1))
    info = helper.make_tensor_value_info
    border = [info("x", TensorProto.FLOAT, [1, 3, 64, 64])], [info("y", TensorProto.FLOAT, [1, classes])]
    graph = helper.make_graph(nodes, "mobile", *border, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


def same(cost: table.VariantCost, report: graphcost.Report) -> None:
    totals = report.totals
    for name in ("macs", "flops", "bytes_read", "bytes_written", "weight_bytes", "peak_activation_bytes"):
        assert getattr(cost, name) == getattr(totals, name), name
    assert cost.latency_ms == pytest.approx(totals.latency_ms)
    assert cost.latency_low_ms == pytest.approx(totals.latency_low_ms)


def analysed(variant: Variant) -> graphcost.Report:
    rows, columns = variant.resolution or (64, 64)
    shapes = [f"x:{variant.batch or 1}x3x{rows}x{columns}"]
    return graphcost.analyze(network(variant.width), "nano", precision="fp16", shapes=shapes)


@pytest.fixture
def made_in_full(monkeypatch):
    """How many graphs were made through all passes."""
    counted = []
    early = table.Network.early
    monkeypatch.setattr(table.Network, "early", lambda self, point: counted.append(point) or early(self, point))
    return counted


def test_another_width_is_the_network_that_is_built_at_it():
    wanted = [Variant(width) for width in (0.5, 1.0, 1.5)]
    for variant, cost in zip(wanted, variants(network(), wanted, "nano", precision="fp16")):
        same(cost, analysed(variant))


def test_many_variants_cost_what_separate_analyses_say_and_few_are_made_in_full(made_in_full):
    wanted = grid([0.5, 0.75, 1.0, 1.25, 2.0], [32, 64, (96, 128), 256], [1, 2, 4, 8, 16, 32])
    found = variants(network(), wanted, "nano", precision="fp16")
    print(f"{len(made_in_full)} of {len(wanted)} graphs made in full")
    assert len(made_in_full) <= len(wanted) / 3
    for at in random.Random(4).sample(range(len(wanted)), 8):
        same(found[at], analysed(wanted[at]))


def test_sizes_that_do_not_divide_are_right_as_well():
    wanted = grid([1.0], range(33, 63), [1, 3, 5])
    found = variants(network(), wanted, "nano", precision="fp16")
    for at in random.Random(5).sample(range(len(wanted)), 5):
        same(found[at], analysed(wanted[at]))


def test_a_network_of_the_examples_at_its_own_width_is_what_its_file_says():
    wanted = grid([1.0], [160, 224], [1, 4])
    for variant, cost in zip(wanted, variants(MODELS / "mobilenet_v2.onnx", wanted, "orin-nano", precision="fp16")):
        rows, columns = variant.resolution
        shapes = [f"input:{variant.batch}x3x{rows}x{columns}"]
        same(cost, graphcost.analyze(MODELS / "mobilenet_v2.onnx", "orin-nano", precision="fp16", shapes=shapes))


def test_what_a_network_gives_keeps_its_channels():
    narrow, full = variants(network(classes=1000), [Variant(0.25), Variant()], "nano")
    assert narrow.macs < full.macs / 4
    assert narrow.weight_bytes > 1000 * 24 * 4


def test_channels_are_rounded_as_mobile_networks_round_them():
    assert [divisible(32, width, 8) for width in (0.25, 0.35, 0.75, 1.0, 1.4)] == [8, 16, 24, 32, 48]
    assert divisible(3, 1.0, 8) == 3


def test_groups_that_no_longer_divide_are_refused_with_the_node():
    with pytest.raises(ResizeError, match="join.*do not divide into its 3 groups"):
        variants(network(groups=3), [Variant(0.9)], "nano")


def test_a_resolution_needs_an_image():
    with pytest.raises(UsageError, match="needs an input of rank 4"):
        variants(MODELS / "bert_mini_dynamic.onnx", [Variant(resolution=(64, 64))], "nano")


def test_a_variant_of_nothing_is_refused():
    with pytest.raises(UsageError, match="begin above it"):
        Variant(width=0.0)


def test_without_a_device_only_work_and_memory_are_told():
    (cost,) = variants(network(), [Variant(0.5)])
    assert cost.latency_ms is None and cost.macs > 0


def test_models_may_be_bytes_or_protos():
    model = onnx.load_model_from_string(network())
    assert variants(model, [Variant()], "nano") == variants(network(), [Variant()], "nano")
