"""Which operators TensorRT takes, by release; and what analyze says of a network that it would refuse."""

from __future__ import annotations

import csv
import json

import onnx
import onnx_models
import pytest
from onnx import TensorProto, helper
from onnx_models import model, node, value, weight

from graphcost import api
from graphcost.cli import main
from graphcost.importer import load
from graphcost.runtime import load_runtime
from graphcost.support import SUPPORTED, Refused, Untold, executed_nodes, sentences, unsupported_nodes, verdict
from graphcost.support.table import ANY, NONE, load_table

EARLY, LATE = "tensorrt-8.2", "tensorrt-10.3"


def asked(runtime, op, dtype=None):
    return verdict(load_runtime(runtime), op, dtype)


def names(found):
    return [item.node.name for item in found]


@pytest.fixture
def refusals(registry):
    """The nodes of a model that a runtime refuses."""

    def find(proto, runtime=EARLY):
        imported = load(proto, registry.operators)
        return unsupported_nodes(imported.graph, imported.facts, load_runtime(runtime))

    return find


def layer_norm_net():
    return model(
        [node("Relu", ["x"], ["r"], name="relu"), node("LayerNormalization", ["r", "s"], ["y"], name="norm")],
        [value("x", [1, 8])],
        [value("y", [1, 8])],
        [weight("s", 8)],
    )


# The table


def test_the_packaged_table_says_what_the_source_says(shared):
    slips = {"INT64BOOL": "INT64 BOOL", "INF64": "INT64"}
    with (shared / "data" / "tensorrt_operator_support.csv").open() as file:
        source = {row["operator"]: row for row in csv.DictReader(file)}
    table = load_table()
    assert set(source) - set(table.rows) == {"op", "FallbackPluginImporter", "LocalFunctionImporter"}
    for operator, row in table.rows.items():
        for (major, minor), types in zip(table.releases, row):
            cell = source[operator][f"{major}.{minor}"]
            given = cell.removeprefix("yes:").replace(",", " ").split()
            wanted = {"no": NONE, "yes": ANY}.get(cell, {t for g in given for t in slips.get(g, g).split()})
            assert types == wanted, (operator, major, minor)


def test_a_release_between_two_columns_takes_the_earlier_one():
    table = load_table()
    assert table.releases[table.column((8, 3))] == (8, 2)
    assert table.releases[table.column((10, 13))] == (10, 1)
    assert table.column((6, 0)) is None


# One operator


def test_an_operator_of_a_later_release_is_refused_with_that_release():
    assert asked(EARLY, "onnx.LayerNormalization", "f32") == Refused(
        "8.6", "tensorrt-8.2 would refuse LayerNormalization (supported from 8.6)"
    )
    assert asked("tensorrt-8.6", "onnx.LayerNormalization", "f32") is SUPPORTED


def test_an_operator_of_no_release_is_refused_without_one():
    assert asked(EARLY, "onnx.Unique") == Refused(None, "tensorrt-8.2 would refuse Unique (not supported up to 10.1)")


def test_an_operator_newer_than_every_list_is_refused_where_the_list_is_complete():
    assert isinstance(asked("tensorrt-8.6", "onnx.RMSNormalization"), Refused)


def test_nothing_is_refused_for_certain_by_a_release_that_is_newer_than_the_lists():
    answer = asked(LATE, "onnx.Unique")
    assert isinstance(answer, Untold)
    assert "not supported in 10.1, the newest list at hand" in answer.sentence


def test_an_element_type_is_refused_with_the_types_that_are_taken():
    answer = asked(EARLY, "onnx.GatherND", "bool")
    assert isinstance(answer, Refused)
    assert answer.sentence == "tensorrt-8.2 would refuse GatherND of BOOL (supported from 8.5)"
    assert answer.types == {"FP32", "FP16", "INT8", "INT32"}


@pytest.mark.parametrize(
    ("runtime", "op", "dtype"),
    [
        (EARLY, "onnx.Add", "i64"),  # cast down to INT32
        (LATE, "onnx.Add", "i64"),  # a type of its own
        (EARLY, "onnx.Add", "f64"),  # cast down to FP32
        (LATE, "onnx.Conv", "i8"),  # the lists leave quantised types out from 10.0 on
        ("tensorrt-7.1", "onnx.Add", "u16"),  # that release states no types
        (LATE, "onnx.DequantizeLinear", "i4"),
        (EARLY, "trt.TRT_Scale", None),
    ],
)
def test_what_the_parser_takes_is_supported(runtime, op, dtype):
    assert asked(runtime, op, dtype) is SUPPORTED


@pytest.mark.parametrize("op", ["com.microsoft.Attention", "my.ops.Mystery", "ai.onnx.ml.Scaler", "onnx.contrib.Add"])
def test_an_operator_of_another_domain_needs_a_plug_in(op):
    assert asked(EARLY, op) == Untold(f"tensorrt-8.2 has no operator {op.removeprefix('onnx.')}: it needs a plug-in")


def test_other_runtimes_refuse_nothing():
    assert asked("onnx", "onnx.Unique") is SUPPORTED
    assert asked("pytorch", "my.ops.Mystery") is SUPPORTED


# A model


def test_a_model_is_judged_by_the_operators_in_its_file(refusals):
    assert names(refusals(layer_norm_net())) == ["norm"]
    assert refusals(layer_norm_net(), LATE) == ()
    assert refusals(layer_norm_net(), "onnx") == ()


def test_what_constant_folding_removes_is_not_counted(refusals):
    proto = model(
        [node("Round", ["w"], ["rounded"], name="folded"), node("Add", ["x", "rounded"], ["y"], name="add")],
        [value("x", [4])],
        [value("y", [4])],
        [weight("w", 4)],
    )
    assert refusals(proto, "tensorrt-7.1") == ()


def test_shape_computations_are_not_counted(registry):
    proto = model(
        [
            node("Shape", ["x"], ["s"], name="shape"),
            node("Mod", ["s", "two"], ["m"], name="mod"),
            node("ConstantOfShape", ["m"], ["zeros"], name="zeros"),
            node("Relu", ["x"], ["y"], name="relu"),
        ],
        [value("x", [3, 5])],
        [value("y", [3, 5])],
        [onnx_models.ints("two", [2, 2])],
    )
    imported = load(proto, registry.operators)
    assert [found.name for found in executed_nodes(imported.graph, imported.facts)] == ["relu"]


def test_dead_nodes_are_counted_since_the_parser_reads_them_too(refusals):
    proto = model(
        [node("Unique", ["x"], ["u"], name="dead"), node("Relu", ["x"], ["y"], name="relu")],
        [value("x", [4])],
        [value("y", [4])],
    )
    assert names(refusals(proto)) == ["dead"]


def test_the_bodies_of_control_flow_are_judged_too(refusals):
    def branch(name, op):
        return helper.make_graph([node(op, ["x"], [name], name=f"{name}_node")], name, [], [value(name, [4])])

    proto = model(
        [node("If", ["c"], ["y"], name="if", then_branch=branch("a", "Relu"), else_branch=branch("b", "HardSwish"))],
        [value("c", [], TensorProto.BOOL), value("x", [4])],
        [value("y", [4])],
    )
    assert [item.verdict.since for item in refusals(proto)] == ["8.4"]


def test_types_are_those_of_the_operand_of_which_the_lists_speak(refusals):
    proto = model(
        [node("Where", ["c", "x", "x"], ["y"], name="where"), node("NonZero", ["c"], ["n"], name="nonzero")],
        [value("c", [4], TensorProto.BOOL), value("x", [4])],
        [value("y", [4]), value("n", [1, "n"], TensorProto.INT64)],
    )
    found = refusals(proto, "tensorrt-8.6")
    assert names(found) == ["nonzero"]
    assert "NonZero of BOOL" in found[0].verdict.sentence


def test_uint8_quantisation_is_refused(refusals):
    scale = helper.make_tensor("s", TensorProto.FLOAT, [], [0.1])
    zero = helper.make_tensor("z", TensorProto.UINT8, [], [128])
    proto = model(
        [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"], name="dq")],
        [value("x", [4])],
        [value("y", [4])],
        [scale, zero],
    )
    assert names(refusals(proto)) == ["dq"]


def test_each_verdict_is_one_sentence_however_many_nodes_it_meets(refusals):
    proto = model(
        [node("HardSwish", ["x"], ["a"], name="first"), node("HardSwish", ["a"], ["y"], name="second")],
        [value("x", [4])],
        [value("y", [4])],
    )
    assert sentences(refusals(proto)) == [
        "tensorrt-8.2 would refuse HardSwish (supported from 8.4): 2 nodes, first 'first'"
    ]


# The report and the command line


@pytest.fixture
def analyze(tmp_path, capsys):
    """Runs `analyze` on a network with a layer normalisation: (exit code, standard output, standard error)."""
    path = tmp_path / "net.onnx"
    onnx.save(layer_norm_net(), path)

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(["analyze", str(path), *arguments])
        told = capsys.readouterr()
        return exit_.value.code or 0, told.out, told.err

    return run


def test_the_report_lists_refused_nodes_and_warns():
    report = api.analyze(layer_norm_net(), "nano")
    assert [(n.node, n.op) for n in report.unsupported] == [("norm", "onnx.LayerNormalization")]
    assert any("would refuse LayerNormalization" in warning for warning in report.warnings)
    assert api.analyze(layer_norm_net(), "orin-nano").unsupported == ()


def test_figures_of_a_refused_network_are_shown_as_a_what_if(analyze):
    code, out, err = analyze("--device", "nano")
    assert (code, err) == (0, "")
    assert "what if      tensorrt-8.2 may refuse 1 node, named below" in out
    assert "warning: tensorrt-8.2 would refuse LayerNormalization (supported from 8.6): node 'norm'" in out
    assert "if tensorrt-8.2 took all of its operators" in analyze("--device", "nano", "--format", "markdown")[1]
    assert json.loads(analyze("--device", "nano", "--format", "json")[1])["unsupported"][0]["node"] == "norm"


def test_strict_exits_with_4_if_the_runtime_would_refuse_an_operator(analyze):
    code, _, err = analyze("--device", "nano", "--strict")
    assert code == 4
    assert err == "graphcost: tensorrt-8.2 may refuse 1 node (LayerNormalization), so the figures are a what-if\n"
    assert analyze("--device", "orin-nano", "--strict")[0] == 0
    assert analyze("--strict")[0] == 0


def test_the_networks_of_both_exporters_are_refused_where_they_use_newer_operators(shared):
    dynamo = api.analyze(shared / "models" / "bert_mini4.dynamo.onnx", "nano")
    assert {n.op for n in dynamo.unsupported} == {"onnx.LayerNormalization", "onnx.GatherND", "onnx.Gelu"}
    assert api.analyze(shared / "models" / "bert_mini4.dynamo.onnx", "orin-nano").unsupported == ()
    assert api.analyze(shared / "models" / "resnet50.ts17.onnx", "nano").unsupported == ()
