"""Advice: what the cost models themselves say of other channels, precisions and batches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

import graphcost
from graphcost.advice import advise
from graphcost.advice.rechannel import channels_of, with_channels
from graphcost.api import run
from graphcost.cli.app import app_for
from graphcost.cost import Bound, Cost, KernelQuery, Trust
from graphcost.errors import UsageError
from graphcost.kernels import queries_of
from graphcost.work.node import work_table

MOBILENET = Path(__file__).parent.parent / "examples" / "models" / "mobilenet_v2.onnx"


def convolutions(*channels: int) -> bytes:
    """3x3 convolutions and ReLU, one after the other, on 32 x 32 pixels."""
    nodes, weights, at, cin = [], [], "x", 64
    for i, cout in enumerate(channels):
        for name, dims in ((f"w{i}", (cout, cin, 3, 3)), (f"b{i}", (cout,))):
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT)
            tensor.dims.extend(dims)
            weights.append(tensor)
        nodes.append(helper.make_node("Conv", [at, f"w{i}", f"b{i}"], [f"c{i}"], f"conv{i}", pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"], f"relu{i}"))
        at, cin = f"r{i}", cout
    info = helper.make_tensor_value_info
    border = [info("x", TensorProto.FLOAT, [1, 64, 32, 32])], [info(at, TensorProto.FLOAT, [1, cin, 32, 32])]
    graph = helper.make_graph(nodes, "chain", *border, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


@dataclass(frozen=True)
class Tiles:
    """A kernel takes a millisecond for every 64 channels begun."""

    name: str = "tiles"
    tile: int = 64

    def estimate(self, queries: Sequence[KernelQuery], device: object) -> list[Cost]:
        return [self._one(query) for query in queries]

    def _one(self, query: KernelQuery) -> Cost:
        ms = float(ceil(query.contractions[0].n / self.tile)) if query.contractions else 0.1
        return Cost(ms, ms, ms, Bound.COMPUTE, Trust.FITTED, self.name)


def channel_advice(*channels: int, **options):
    found = advise(convolutions(*channels), "nano", cost_models=[Tiles(**options)])
    return [s for s in found.suggestions if s.topic == "channels"]


def conv_query(channels: int) -> KernelQuery:
    found = run(convolutions(channels), "nano", precision="fp16")
    operators = found.setup.registry.operators
    return next(q for q in queries_of(found.graph, work_table(found.graph, operators), operators) if q.contractions)


def test_a_layer_just_past_an_edge_is_told_where_it_stands_on_its_staircase():
    (found,) = channel_advice(130)
    assert found.sentence == "130 channels cost as much as 192; 128 would save 33 % of this kernel"
    assert found.saving == pytest.approx(1 / 3, abs=0.05)
    assert found.evidence["kernel_ms"] == 3.0 and found.evidence["better_kernel_ms"] == 2.0


@pytest.mark.parametrize("channels", [64, 128, 192, 256])
def test_a_layer_on_its_edge_is_left_alone(channels):
    assert channel_advice(channels) == []


def test_a_layer_far_past_an_edge_is_not_asked_to_become_another():
    assert channel_advice(190) == []


def test_equal_layers_are_told_of_together_and_the_largest_saving_comes_first():
    many, one = channel_advice(520, 66, 66, 66)[:2], channel_advice(66)
    assert {s.kernels for s in many} >= {("conv2 + relu2", "conv3 + relu3")}
    assert many[0].saving >= many[1].saving
    assert "of this kernel" in one[0].sentence


def test_without_steps_there_is_no_advice_on_channels():
    """The roofline is a straight line of channels."""
    found = advise(convolutions(130), "nano", cost_models=["roofline"])
    assert [s for s in found.suggestions if s.topic == "channels"] == []


@pytest.mark.parametrize("channels", [96, 128, 200])
def test_a_query_with_other_channels_is_that_of_the_layer_that_has_them(channels):
    changed, wanted = with_channels(conv_query(130), channels), conv_query(channels)
    assert channels_of(changed) == channels
    for name in ("inputs", "outputs", "contractions", "work"):
        assert getattr(changed, name) == getattr(wanted, name), name


def test_a_tactic_that_was_chosen_for_other_channels_is_left_open():
    query = replace(conv_query(130), attrs={"tactic": "conv_64x64"})
    assert "tactic" not in with_channels(query, 128).attrs


def test_kernels_are_set_beside_the_peaks_of_the_device():
    found = advise(MOBILENET, "orin-nano", precision="fp16")
    device = found.run.target.device
    for each in found.headroom:
        bandwidth = device.dram_sustained_bytes_per_s or device.dram_peak_bytes_per_s
        moved_ms = (each.kernel.bytes_read + each.kernel.bytes_written) / bandwidth * 1e3
        computed_ms = 2 * each.kernel.macs / device.peak_flops_per_s("f16") * 1e3
        assert each.roof_ms == pytest.approx(max(moved_ms, computed_ms))
        assert 0 < each.reached <= 1
    above = [each.above_ms for each in found.headroom]
    assert above == sorted(above, reverse=True)


def test_a_further_precision_is_what_an_analysis_in_it_says_with_the_reasons_that_hold_it_back():
    found = advise(MOBILENET, "orin-nano", precision="fp32")
    half = next(s for s in found.suggestions if s.sentence.startswith("FP16"))
    then = graphcost.analyze(MOBILENET, "orin-nano", precision="fp16").totals.latency_ms
    assert half.evidence["then_ms"] == then
    assert half.saving == pytest.approx(1 - then / found.run.report.totals.latency_ms)
    assert "waits for memory" in half.sentence


def test_a_precision_that_the_device_lacks_is_not_offered():
    topics = [s.sentence for s in advise(MOBILENET, "nano", precision="fp16").suggestions if s.topic == "precision"]
    assert topics == [], "a Nano has no INT8"


def test_a_batch_is_told_where_it_pays():
    found = advise(MOBILENET, "orin-nano", precision="fp16")
    batch = next(s for s in found.suggestions if s.topic == "batch")
    best = min((2, 4, 8), key=lambda n: batch.evidence[f"batch_{n}_ms"] / n)
    assert batch.sentence.startswith(f"in a batch of {best} ")
    then = graphcost.analyze(MOBILENET, "orin-nano", precision="fp16", batch=best).totals.latency_ms
    assert batch.evidence[f"batch_{best}_ms"] == then


def test_advice_without_a_device_is_refused():
    with pytest.raises(UsageError, match="say on which device"):
        advise(MOBILENET, None)


def test_the_command_lists_suggestions_and_headroom_in_its_formats():
    base = ["advise", str(MOBILENET), "--device", "orin-nano"]
    table = CliRunner().invoke(app_for(()), base)
    assert table.exit_code == 0 and "precision: FP16 would take" in table.output and "above roof" in table.output
    document = json.loads(CliRunner().invoke(app_for(()), [*base, "--format", "json"]).output)
    savings = [s["saving"] for s in document["suggestions"] if s["saving"] is not None]
    assert savings == sorted(savings, reverse=True)
    assert "| kernel |" in CliRunner().invoke(app_for(()), [*base, "--format", "markdown"]).output
