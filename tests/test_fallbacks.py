"""What computes in a wider type than was asked for is listed with its reason."""

from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper

import graphcost
from graphcost.fallbacks import fallbacks
from graphcost.journal import Journal
from graphcost.render import render
from graphcost.report import Fallback, Report
from graphcost.saved_report import load_report


def conv_and_softmax() -> onnx.ModelProto:
    """conv → relu → softmax: calibrated, all but the softmax can compute in INT8."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Softmax", ["r"], ["y"], name="soft", axis=1),
    ]
    weight = helper.make_tensor("w", TensorProto.FLOAT, [8, 8, 1, 1], [0.5] * 64)
    border = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8, 16, 16]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "little", border[:1], border[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def analyze(device: str | None, precision: str, **options: object) -> Report:
    return graphcost.analyze(conv_and_softmax(), device, precision=precision, **options)


def test_a_kernel_without_an_int8_form_is_listed_with_the_reason():
    assert analyze("orin-nano", "int8").fallbacks == (Fallback("soft", "f32", "i8", "onnx.Softmax has no INT8 kernel"),)


def test_best_asks_for_the_narrowest_type_that_the_hardware_has():
    assert [fall.asked for fall in analyze("orin-nano", "best").fallbacks] == ["i8"]
    assert analyze("nano", "best").fallbacks == ()


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_nothing_falls_back_where_all_compute_as_they_were_asked_to(precision: str):
    assert analyze("orin-nano", precision).fallbacks == ()


def test_on_hardware_without_int8_what_could_have_computed_in_it_is_listed():
    assert analyze("nano", "int8").fallbacks == (Fallback("conv + relu", "f32", "i8", "nano has no such arithmetic"),)


def test_a_node_that_was_fused_into_a_narrow_kernel_did_not_fall_back():
    run = graphcost.run(conv_and_softmax(), "orin-nano", precision="int8")
    conv = next(node for node in run.graph if node.name == "conv + relu")
    journal = Journal()
    journal.fell_back("assign-precision", conv, "i8", "a reason")
    assert not list(fallbacks(list(run.graph), journal))


def test_a_layer_that_cannot_be_pinned_is_listed():
    pinned = analyze("nano", "fp32", insert=["pin-precision{layers=[conv:int8]}@before:precision"])
    assert [(fall.kernel, fall.asked, fall.reason) for fall in pinned.fallbacks] == [
        ("conv + relu", "i8", "nano does not compute in i8")
    ]


def test_the_table_counts_fallbacks_by_reason_and_names_them_when_asked():
    report = analyze("nano", "int8")
    line = "1 kernel in f32 where i8 was asked for (-v lists them): nano has no such arithmetic (1)"
    listed = "fell back: 1 kernel in f32, not i8: nano has no such arithmetic: conv + relu"
    assert line in render(report)
    assert listed not in render(report)
    assert listed in render(report, detail=1)
    assert "fell back" not in render(analyze("nano", "fp32"), detail=1)


def test_explain_says_what_a_node_fell_back_from():
    run = graphcost.run(conv_and_softmax(), "orin-nano", precision="int8")
    assert "fell back   assign-precision: not in i8: onnx.Softmax has no INT8 kernel" in graphcost.explain(run, "soft")


def test_fallbacks_survive_a_saved_report(tmp_path):
    report = analyze("orin-nano", "int8")
    file = tmp_path / "report.json"
    file.write_text(render(report, "json"))
    assert load_report(file).fallbacks == report.fallbacks
