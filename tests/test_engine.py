"""Real engines: how their files are read, their names taken apart, and their layers lined up with a prediction."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from effort import calls
from engine_files import Built, built, write, write_files
from sample_reports import make_kernel, make_report

from graphcost.engine import Comparison, Engine, EngineLayer, EngineTensor, compare_engine, load_engine
from graphcost.engine.align import align
from graphcost.engine.checks import warnings
from graphcost.engine.limits import judge
from graphcost.engine.names import Role, parse_name
from graphcost.engine.resolve import Resolver
from graphcost.errors import ModelError, UsageError
from graphcost.instruments import OnnxNode
from graphcost.render import render_comparison
from graphcost.render.columns import Screen

# Names


@pytest.mark.parametrize(
    ("name", "role", "parts"),
    [
        ("Conv_5 + Add_6 + Relu_7", Role.KERNEL, ("Conv_5", "Add_6", "Relu_7")),
        ("a/Conv + a/Relu || b/Conv + b/Relu", Role.KERNEL, ("a/Conv", "a/Relu", "b/Conv", "b/Relu")),
        ("PWN(PWN(PWN(Sigmoid_1), Mul_2), Add_3)", Role.KERNEL, ("Sigmoid_1", "Mul_2", "Add_3")),
        ("c.weight + QuantizeLinear_8 + Conv_12 + PWN(Clip_16)", Role.KERNEL,
         ("c.weight", "QuantizeLinear_8", "Conv_12", "Clip_16")),
        ("/fc/Gemm + (Unnamed Layer* 58) [ElementWise]", Role.KERNEL, ("/fc/Gemm",)),
        ("{ForeignNode[/a/MatMul.../b/Add]}", Role.REGION, ("/a/MatMul", "/b/Add")),
        ("/classifier/classifier_1/Gemm_myl9_2", Role.KERNEL, ("/classifier/classifier_1/Gemm",)),
        ("__myl_MulSumAdd_myl24_1", Role.KERNEL, ()),
        ("dummy_shape_call__mye548_0_myl24_0", Role.SHAPE, ()),
        ("Reformatting CopyNode for Input Tensor 0 to Conv_0 + Relu_1", Role.REFORMAT, ("Conv_0", "Relu_1")),
        ("conv2d/Conv2D + activation/Relu input reformatter 0", Role.REFORMAT, ("conv2d/Conv2D", "activation/Relu")),
        ("Reformatting CopyNode for Network Input x", Role.REFORMAT, ("x",)),
        ("activation_3/Relu:0 copy", Role.COPY, ("activation_3/Relu:0",)),
        ("[MAX]-[aten_ops.max_pool2d.default]-[max_pool2d_default]", Role.KERNEL, ()),
        ("(Unnamed Layer* 3) [Constant]", Role.CONSTANT, ()),
        ("/Flatten + reshape_before_/c.1/Gemm", Role.KERNEL, ("/Flatten",)),
        ("copied_squeeze_after_(Unnamed Layer* 850) [ElementWise]", Role.SHAPE, ()),
    ],
)  # fmt: skip
def test_a_layer_name_is_taken_apart(name, role, parts):
    assert (parse_name(name).role, parse_name(name).parts) == (role, parts)


def test_nodes_are_found_under_the_names_that_parsers_and_myelin_make_of_them():
    resolver = Resolver([OnnxNode("/c/c.1/Gemm", ("/c/c.1/Gemm_output_0",)), OnnxNode("Relu_1", ("x.1",))])
    for spelled in ("/c/c.1/Gemm", "/c/c_1/Gemm", "c/c.1/Gemm", "/c/c.1/Gemm:0", "/c/c.1/Gemm_output_0"):
        assert resolver.find(spelled) == 0
    assert resolver.find("node_of_x.1") == 1
    assert resolver.find("/c/c.1/Gemm_21") == 0
    assert resolver.find("c.1.weight") is None


def test_torch_tensorrt_names_modules():
    nodes = ("/layer1/layer1.0/conv1/Conv", "/layer1/layer1.0/relu/Relu", "/down/down.0/Conv", "/fc/Gemm")
    resolver = Resolver([OnnxNode(name, ()) for name in nodes])
    conv, relu = (f"[{kind}]-[aten_ops.x.default]-[/layer1/0/{path}]" for kind, path in (
        ("CONVOLUTION", "conv1/convolution_1"), ("RELU", "relu/relu_1")))  # fmt: skip
    assert parse_name(f"{conv} + {relu}").parts == (conv,)
    assert resolver.find(conv) == 0
    assert resolver.find("[CONVOLUTION]-[aten_ops.convolution.default]-[/down/0/convolution]") == 2
    assert resolver.find("[MATRIX_MULTIPLY]-[aten_ops.addmm.default]-[/fc/addmm_mm]") == 3


def test_layers_of_an_engine_built_with_torch_tensorrt_are_found(shared, tmp_path):
    layers, _ = write_files("fuzzy_jetson-sample_resnet18", tmp_path)
    model = Path(__file__).parents[1] / "examples" / "models" / "resnet18.onnx"
    found = compare_engine(model, "orin-nano", precision="fp16", layer_info=layers)
    print(f"Torch-TensorRT: same {found.same_share:.1%}, {sum(len(match.measured) for match in found.matches)} layers")
    assert found.same_share == 1.0
    assert sum(match.by == "place" for match in found.matches) == 2  # pooling names no module that has weights


def test_a_spelling_that_means_two_nodes_means_none():
    resolver = Resolver([OnnxNode("/a.b", ()), OnnxNode("/a_b", ())])
    assert (resolver.find("/a.b"), resolver.find("/a_b"), resolver.find("a/b")) == (0, 1, None)


# Files

LAYER = {
    "Name": "conv + relu",
    "LayerType": "CaskConvolution",
    "Outputs": [{"Name": "y", "Dimensions": [1, 64, 8, 8], "Format/Datatype": "Half"}],
    "TacticName": "sm80_xmma",
    "Metadata": "[ONNX Layer: /a/conv]\x1e[ONNX Layer: /a/relu]",
}


@pytest.mark.parametrize("document", [[LAYER], {"Layers": [LAYER], "Bindings": ["x"]}])
def test_layer_information_is_read_from_either_root(document, tmp_path):
    (layer,) = load_engine(write(tmp_path / "l.json", document), None).layers
    assert (layer.name, layer.layer_type, layer.tactic) == ("conv + relu", "CaskConvolution", "sm80_xmma")
    assert layer.onnx == ("/a/conv", "/a/relu")
    assert layer.outputs[0].dims == (1, 64, 8, 8)
    assert layer.time_ms is None


def test_layers_may_be_plain_names(tmp_path):
    engine = load_engine(write(tmp_path / "l.json", {"Layers": ["a + b", "c [profile 1]"]}), None)
    assert [layer.name for layer in engine.layers] == ["a + b", "c"]


def test_the_median_counts_before_the_average_and_equal_names_go_in_order(tmp_path):
    rows = [{"count": 4}, {"name": "a", "averageMs": 3.0, "medianMs": 2.0}, {"name": "a", "timeMs": 20.0}]
    engine = load_engine(write(tmp_path / "l.json", ["a", "a", "b"]), write(tmp_path / "p.json", rows))
    assert [layer.time_ms for layer in engine.layers] == [2.0, 5.0, None]
    assert engine.warnings == ("1 of 3 layers are not in the profile",)


def test_a_profile_alone_is_an_engine_too(tmp_path):
    engine = load_engine(None, write(tmp_path / "p.json", [{"count": 1}, {"name": "a", "averageMs": 3.0}]))
    assert engine.layers == (EngineLayer("a", time_ms=3.0),)


@pytest.mark.parametrize("text", ["{}", "[]", "[1]", '{"Layers": []}', "nonsense", "[[]]"])
def test_other_files_are_refused_in_a_sentence(text, tmp_path):
    path = tmp_path / "l.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=r"l\.json"):
        load_engine(path, None)
    with pytest.raises(ModelError, match=r"l\.json"):
        load_engine(None, path)


def test_without_a_file_of_the_engine_there_is_nothing_to_compare():
    with pytest.raises(UsageError, match="--layer-info FILE"):
        load_engine(None, None)


# Lining up

NODES = [OnnxNode(name, ()) for name in ("conv", "bn", "relu", "pool", "a", "b", "c", "fc")]


def aligned(kernels, *layers):
    """(status, predicted names, engine names) of each match, and what stands apart."""
    made = [make_kernel(" + ".join(nodes), origin=nodes) for nodes in kernels]
    found = align(made, [EngineLayer(*layer) for layer in layers], Resolver(NODES))
    rows = [(m.status, [k.name for k in m.predicted], [x.name for x in m.measured]) for m in found.matches]
    return rows, {part.name: [layer.name for layer in part.measured] for part in found.apart}


def test_a_node_that_no_name_spells_does_not_part_a_layer_from_its_kernel():
    rows, _ = aligned([("conv", "bn", "relu")], ("conv + relu",))
    assert rows == [("same", ["conv + bn + relu"], ["conv + relu"])]


def test_layers_merged_otherwise_form_one_group():
    rows, _ = aligned([("conv", "relu"), ("a",), ("b",)], ("conv",), ("relu",), ("a || b",))
    assert rows == [
        ("merged differently", ["conv + relu"], ["conv", "relu"]),
        ("merged differently", ["a", "b"], ["a || b"]),
    ]


def test_either_of_two_convolutions_may_take_in_their_sum():
    kernels = [make_kernel("a + c + relu", origin=("a", "c", "relu")), make_kernel("b")]
    layers = [EngineLayer("a"), EngineLayer("b + c + relu")]
    found = align(kernels, layers, Resolver(NODES)).matches
    assert [(m.status, m.by, m.predicted[0].name) for m in found] == [
        ("same", "swap", "a + c + relu"), ("same", "swap", "b"),
    ]  # fmt: skip
    other = [kernels[0], make_kernel("b", kind="pointwise")]
    assert align(other, layers, Resolver(NODES)).matches[0].status == "merged differently"


def test_what_only_one_side_has_is_said():
    rows, _ = aligned([("conv",), ("pool",)], ("conv",), ("mystery",), ("fc",))
    assert [row[0] for row in rows] == ["same", "only in engine", "only in engine", "only predicted"]


def test_a_region_holds_what_lies_between_its_ends_and_is_nobody_elses():
    kernels = [("conv", "bn"), ("relu",), ("a",), ("b",), ("c",), ("fc",)]
    rows, _ = aligned(kernels, ("conv",), ("{ForeignNode[relu...c]}", "Myelin"), ("b",), ("fc",))
    assert ("merged differently", ["relu", "a", "c"], ["{ForeignNode[relu...c]}"]) in rows
    assert ("same", ["b"], ["b"]) in rows


def test_the_kernels_of_a_predicted_region_and_the_layer_that_stands_for_it_are_the_same():
    kernels = [make_kernel(name, region="{ForeignNode[a...c]}") for name in "abc"]
    found = align(kernels, [EngineLayer("{ForeignNode[a...c]}", "Myelin")], Resolver(NODES))
    assert [match.status for match in found.matches] == ["same"]


def test_a_region_that_begins_with_a_weight_reaches_back_to_the_layer_before_it():
    rows, _ = aligned([("conv",), ("pool",), ("fc",)], ("conv",), ("{ForeignNode[fc.weight...fc]}",))
    assert rows[1] == ("merged differently", ["pool", "fc"], ["{ForeignNode[fc.weight...fc]}"])


def test_a_kernel_of_myelin_that_names_no_node_is_matched_by_its_place():
    kernels = [make_kernel("conv"), make_kernel("fc")]
    found = align(kernels, [EngineLayer("conv"), EngineLayer("__myl_MulSumAdd_myl2_1", "kgen")], Resolver(NODES))
    assert [(match.status, match.by) for match in found.matches] == [("same", "nodes"), ("same", "place")]


def test_layers_that_name_no_node_go_one_by_one_where_there_are_as_many_kernels():
    kernels = [make_kernel(name) for name in ("conv", "a", "b", "fc")]
    layers = [EngineLayer(name) for name in ("conv", "__myl_Add_myl1_0", "__myl_Mul_myl1_1", "fc")]
    assert [match.status for match in align(kernels, layers, Resolver(NODES)).matches] == ["same"] * 4
    fewer = align(kernels, [layers[0], layers[1], layers[3]], Resolver(NODES)).matches
    assert [(len(match.predicted), len(match.measured)) for match in fewer] == [(1, 1), (2, 1), (1, 1)]


def test_what_holds_no_node_is_matched_by_its_name():
    kernels = [make_kernel("x.0 copy", origin=()), make_kernel("x.1 copy", origin=())]
    found = align(kernels, [EngineLayer("x.1 copy"), EngineLayer("x.0 copy")], Resolver(NODES))
    assert [(m.predicted[0].name, m.measured[0].name) for m in found.matches] == [
        ("x.1 copy", "x.1 copy"), ("x.0 copy", "x.0 copy"),
    ]  # fmt: skip


def test_reformats_noops_and_shape_calls_stand_apart():
    rows, apart = aligned(
        [("conv",)],
        ("Reformatting CopyNode for Input Tensor 0 to conv", "Reformat"),
        ("conv", "CaskConvolution"),
        ("reshape_after_conv", "NoOp"),
        ("(Unnamed Layer* 3) [Constant]", "Constant"),
        ("dummy_shape_call__mye1_0_myl1_0", "shape_call"),
    )
    assert len(rows) == 1
    assert {name: len(layers) for name, layers in apart.items()} == {
        "reformats": 1, "no-ops": 2, "shape computations": 1,
    }  # fmt: skip


def test_a_copy_is_no_part_of_the_kernel_whose_result_it_copies():
    kernels = [make_kernel("a || b", origin=("a", "b")), make_kernel("a || b copy", origin=("c",))]
    found = align(kernels, [EngineLayer("a || b"), EngineLayer("b copy")], Resolver(NODES))
    assert [match.status for match in found.matches] == ["same", "same"]


def test_equal_quantize_nodes_that_became_reformats_are_layers_of_their_own():
    kernel = make_kernel("conv", op="trt.reformat")
    found = align([kernel], [EngineLayer("conv", "Reformat")], Resolver(NODES))
    assert found.matches[0].status == "same"


# Real engines

LEAST_SAME = {
    "fuzzy_onnx-trtexec_alexnet_RTX3060L_fp16": 0.91,  # a kernel of Myelin that names no node copies a view
}
"""The share of layers that are predicted as they are, 1 where nothing else is said. Only to be raised."""


@pytest.mark.parametrize("pair", built(), ids=lambda pair: pair.engine)
def test_most_layers_of_a_real_engine_are_predicted_as_they_are(pair: Built, shared, tmp_path):
    layers, profile = write_files(pair.engine, tmp_path)
    found = compare_engine(shared / pair.onnx, layer_info=layers, profile=profile, **pair.options)
    print(f"{pair.engine}: same {found.same_share:.1%}, {sum(len(m.measured) for m in found.matches)} layers")
    assert found.same_share >= LEAST_SAME.get(pair.engine, 1.0)
    assert sum(len(m.measured) for m in found.matches) + sum(len(a.measured) for a in found.apart) == len(
        found.engine.layers
    )
    predicted = [k for m in found.matches for k in m.predicted] + [k for a in found.apart for k in a.predicted]
    assert sorted(k.name for k in predicted) == sorted(k.name for k in found.report.kernels)


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ([("other", "CaskConvolution")], "no layer of the engine names a node of this model"),
        ([("conv", "", (8, 64, 4, 4), "FP16")], "the engine was built for batch 8, the prediction is for batch 1"),
        ([("conv", "", (1, 64, 4, 4), "Int8")], "INT8 is written by 1 layers of the engine, predicted for 0 kernels"),
        ([("conv", "", (1, 64, 4, 4), "FP32")], "FP16 is written by 0 layers of the engine, predicted for 1 kernels"),
    ],
)
def test_an_engine_built_otherwise_is_noticed(layers, told):
    made = [
        EngineLayer(name, kind, outputs=(EngineTensor("y", *rest),) if rest else ()) for name, kind, *rest in layers
    ]
    kernels = [make_kernel("conv")]
    found = align(kernels, made, Resolver(NODES))
    assert any(told in text for text in warnings(Engine(tuple(made), True), make_report(kernels), found))


# What is told


def compared(times=(1.0, 0.5, None)) -> Comparison:
    kernels = [make_kernel("conv", 1.1), make_kernel("a", 0.2), make_kernel("b", 0.2), make_kernel("fc", 0.1)]
    layers = [EngineLayer("conv", time_ms=times[0]), EngineLayer("a || b", time_ms=times[1])]
    layers += [EngineLayer("reshape_after_fc", "NoOp", time_ms=times[2])]
    found = align(kernels, layers, Resolver(NODES))
    engine = Engine(tuple(layers), has_times=times[0] is not None)
    return Comparison(make_report(kernels), engine, found.matches, found.apart, {}, ("beware",))


def test_the_table_begins_with_what_corresponds_and_with_both_totals():
    lines = render_comparison(compared()).splitlines()
    assert lines[1].startswith("same 1, merged differently 1, only predicted 1: 50.0 % of the engine's layers")
    assert lines[2] == "predicted 1.600 ms, measured 1.500 ms as the sum of its layers: 1.07 ×"
    assert "0.0040 … 0.014 ms are the profiler's own (2 to 7 µs a layer)" in lines[3]


def test_rows_are_sorted_by_the_difference_and_totals_stand_below():
    lines = render_comparison(compared()).splitlines()
    table = [line.split() for line in lines if line[:1] == " " or "TOTAL" in line]
    names = [row[-1] for row in table if row[-1] in ("conv", "b", "fc", "TOTAL")]
    assert set(names[:3]) == {"conv", "b", "fc"}
    assert names.index("TOTAL") == 3
    assert lines[-1] == "warning: beware"


def test_both_sides_of_a_group_are_told_in_full():
    text = render_comparison(compared())
    assert "  engine     a || b\n  predicted  a\n             b" in text


def test_what_stands_apart_is_named_where_it_is_asked_for():
    assert "  engine     reshape_after_fc" in render_comparison(compared(), detail=1)
    assert "reshape_after_fc" not in render_comparison(compared())


def test_without_a_profile_there_are_no_columns_of_times():
    text = render_comparison(compared((None, None, None)))
    assert "measured" not in text
    assert "ratio" not in text


def test_a_narrow_terminal_keeps_times_and_names():
    lines = render_comparison(compared(), screen=Screen(80)).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert any(line.split()[:1] == ["1.0000"] and line.endswith("conv") for line in lines)


def test_json_has_every_match_and_null_for_what_is_unknown():
    document = json.loads(render_comparison(compared(), "json"))
    assert document["counts"] == {
        "same": 1, "merged differently": 1, "only in engine": 0, "only predicted": 1,
    }  # fmt: skip
    assert document["matches"][1]["engine"] == ["a || b"]
    assert json.loads(render_comparison(compared((None, None, None)), "json"))["measured_ms"] is None


def test_markdown_has_the_verdict_as_its_heading():
    assert render_comparison(compared(), "markdown").startswith("### little.onnx beside its engine: predicted 1.600 ms")


def test_limits_are_kept_or_broken_and_unknown_passes_none():
    outcomes = [verdict.outcome.value for verdict in judge(compared(), 0.5, 0.1)]
    assert outcomes == [0, 0]
    assert [verdict.outcome.value for verdict in judge(compared(), 0.6, 0.05)] == [1, 1]
    assert judge(compared((None, None, None)), None, 0.5)[0].outcome.value == 4


def test_the_example_engine_is_predicted_as_it_is():
    examples = Path(__file__).parents[1] / "examples"
    name = examples / "engines" / "resnet18_rtx3060-laptop_fp16"
    found = compare_engine(
        examples / "models" / "resnet18.onnx", "rtx3060-laptop", runtime="tensorrt-10.3", precision="fp16",
        layer_info=name.with_suffix(".layers.json"), profile=name.with_suffix(".profile.json"),
    )  # fmt: skip
    assert found.same_share == 1.0
    assert not found.warnings
    assert found.measured_ms == pytest.approx(0.3635, abs=1e-4)


def test_effort_grows_linearly_with_the_number_of_layers():
    def calls_per_layer(number):
        names = [f"n{i}" for i in range(number)]
        kernels = [make_kernel(name) for name in names]
        layers = [EngineLayer(name if i % 2 else f"__myl_Foo_myl1_{i}") for i, name in enumerate(names)]
        resolver = Resolver([OnnxNode(name, ()) for name in names])
        return calls(lambda: align(kernels, layers, resolver)) / number

    assert calls_per_layer(2000) < 1.1 * calls_per_layer(200)
