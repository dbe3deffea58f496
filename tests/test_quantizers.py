"""Q/DQ networks of several makes: what becomes of their quantizers, and the laws that hold all the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import onnx
import pytest
from quantized_models import Writer, detector, residual

import graphcost
from graphcost.api import Run
from graphcost.report import Kernel

MAKES = {
    "residual, per channel": residual(Writer()),
    "residual, one scale": residual(Writer(per_channel=False)),
    "residual, wide weights": residual(Writer(stored_wide=True)),
    "detector": detector(Writer(stored_wide=True)),
    "detector, one scale": detector(Writer(per_channel=False)),
    "detector, another scale behind the concat": detector(Writer(), concat_scale=0.07),
}
RESNET18 = Path(__file__).parents[1] / "examples" / "models" / "resnet18.onnx"
RUNTIMES = ("tensorrt-8.2", "tensorrt-8.5", "tensorrt-10.3")

each_make = pytest.mark.parametrize("model", MAKES.values(), ids=MAKES.keys())


def run(model: onnx.ModelProto, runtime: str = "tensorrt-10.3", precision: str = "best") -> Run:
    return graphcost.run(model, "orin-nano", runtime=runtime, precision=precision)


def narrow(row: Kernel) -> tuple[bool, bool]:
    """Whether the first tensor that a kernel reads and the one that it writes hold integers."""
    return row.inputs[0].dtype == "i8", row.outputs[0].dtype == "i8"


@each_make
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_node_ends_in_kernels_whose_shares_sum_to_one_or_is_eliminated(model: onnx.ModelProto, runtime: str):
    report = run(model, runtime).report
    shares: dict[str, float] = defaultdict(float)
    for row in report.kernels:
        for name, share in zip(row.origin, row.origin_share):
            shares[name] += share
    eliminated = {entry.node for entry in report.eliminated}
    assert [name for name, share in shares.items() if share != pytest.approx(1.0)] == []
    assert {node.name for node in model.graph.node} == set(shares) | eliminated
    assert not set(shares) & eliminated


@each_make
def test_work_before_is_work_after_and_what_was_removed(model: onnx.ModelProto):
    before, after = graphcost.analyze(model, pipeline="").totals, run(model)
    removed, totals = after.journal.work_removed(), after.report.totals
    assert before.macs == totals.macs + removed.macs
    assert before.elementwise_ops == totals.elementwise_ops + removed.elementwise_ops


@each_make
@pytest.mark.parametrize("precision", ["as-exported", "int8", "best"])
def test_every_convolution_computes_in_int8_and_stores_its_weights_so(model: onnx.ModelProto, precision: str):
    report = run(model, precision=precision).report
    assert {row.precision for row in report.kernels if row.macs} == {"i8"}
    wide = graphcost.analyze(model, "orin-nano", precision="fp32", pipeline="dce").totals.weight_bytes
    assert report.totals.weight_bytes <= wide


def test_where_all_is_quantized_only_the_ends_convert():
    report = run(MAKES["residual, per channel"]).report
    assert Counter(row.kind for row in report.kernels if row.latency_ms)["quantize"] == 1
    inner = [row for row in report.kernels if row.kind != "reformat"][1:-1]
    assert {narrow(row) for row in inner if row.bytes_written} == {(True, True)}


def test_a_stem_takes_in_its_pooling_where_both_have_one_scale():
    kernels = run(MAKES["residual, per channel"]).report.kernels
    assert [row.name.rpartition(" + ")[2][:7] for row in kernels if row.op == "trt.conv_act_pool"] == ["MaxPool"]


def test_sums_of_two_quantized_tensors_are_pointwise_kernels_over_integers():
    kernels = run(MAKES["residual, per channel"]).report.kernels
    assert [narrow(row) for row in kernels if row.kind == "pointwise"] == [(True, True)] * 2


def test_quantizers_pass_concats_slices_and_pools():
    run_ = run(MAKES["detector"])
    ops = {"trt.slice_view", "onnx.Slice", "trt.concat_view", "onnx.MaxPool"}
    moving = [node for node in run_.graph if node.op in ops]
    assert len(moving) == 7
    assert {value.type.dtype for node in moving for value in node.results} == {"i8"}


def test_a_concat_of_another_scale_costs_more_conversions():
    def conversions(make: str) -> int:
        return sum(row.kind == "quantize" for row in run(MAKES[make]).report.kernels)

    assert conversions("detector, another scale behind the concat") > conversions("detector")


def test_calibration_is_assumed_aloud_only_where_the_network_does_not_say_itself_where_it_is_quantized():
    said = "post-training calibration is assumed"
    assert not any(said in warning for warning in run(MAKES["detector"]).report.warnings)
    implicit = graphcost.analyze(RESNET18, "orin-nano", precision="int8")
    assert any(said in warning for warning in implicit.warnings)
