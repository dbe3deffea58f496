"""Lint: what each rule finds, and the nearest thing that it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import conv_net, ints, model, node, value, weight
from sample_reports import make_kernel, make_report

from graphcost.cli import main
from graphcost.errors import UnknownName
from graphcost.importer import load
from graphcost.lint import RULES, Subject, lint
from graphcost.lint.alignment import TileEdge
from graphcost.lint.documentation import document_rules
from graphcost.lint.kernels import LaunchBound
from graphcost.lint.layout import is_view
from graphcost.target import make_target

HALF, INT8, INT64 = TensorProto.FLOAT16, TensorProto.INT8, TensorProto.INT64
TRT = {"runtime": "tensorrt-8.6"}
FP16 = {"runtime": "tensorrt-8.6", "precision": "fp16"}


def found(proto, rule, **options):
    """The findings of one rule."""
    return [finding for finding in lint(proto, **options).findings if finding.rule == rule]


def one(proto, rule, **options):
    findings = found(proto, rule, **options)
    assert len(findings) == 1, findings
    return findings[0]


def half_weight(name, *dims):
    return onnx.TensorProto(name=name, dims=dims, data_type=HALF)


def number(name, item, dtype=TensorProto.FLOAT):
    return helper.make_tensor(name, dtype, [], [item])


def chain(*nodes, dims=(1, 8, 8, 8), out=(1, 8, 8, 8), weights=(), dtype=TensorProto.FLOAT, **given):
    """A network from x to y."""
    return model(nodes, [value("x", dims, dtype)], [value("y", out, dtype)], weights, **given)


# unsupported-operator, unread-result


def test_a_refused_operator_is_an_error_and_names_the_release_that_takes_it():
    proto = chain(node("HardSwish", ["x"], ["y"], name="act"))
    finding = one(proto, "unsupported-operator", runtime="tensorrt-8.2")
    assert (finding.severity, finding.nodes) == ("error", ("act",))
    assert "TensorRT 8.4 or later" in finding.mitigation
    assert not found(proto, "unsupported-operator", **TRT)


def test_an_operator_of_a_plug_in_is_a_warning():
    proto = chain(node("Mystery", ["x"], ["y"], domain="my.ops"), domains={"my.ops": 1})
    assert one(proto, "unsupported-operator", **TRT).severity == "warning"


@pytest.mark.parametrize(
    ("op", "inputs", "advice"),
    [("NonZero", ["b"], "cast what it reads"), ("Unique", ["x"], "write the operator out")],
)
def test_the_way_out_depends_on_what_stands_in_the_way(op, inputs, advice):
    proto = model(
        [node("Cast", ["x"], ["b"], to=TensorProto.BOOL), node(op, inputs, ["y"])],
        [value("x", [4])],
        [onnx.ValueInfoProto(name="y")],
    )
    assert advice in one(proto, "unsupported-operator", **TRT).mitigation


def test_a_part_of_a_split_that_nothing_reads_is_noted():
    split = node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2, name="split")
    assert one(chain(split, node("Relu", ["a"], ["y"]), out=(1, 4, 8, 8)), "unread-result").nodes == ("split",)
    assert not found(chain(split, node("Add", ["a", "b"], ["y"]), out=(1, 4, 8, 8)), "unread-result")


def test_a_dead_node_is_noted():
    proto = chain(node("Relu", ["x"], ["y"]), node("Sigmoid", ["x"], ["nobody"], name="dead"))
    assert one(proto, "unread-result").nodes == ("dead",)


# fp32-island, wide-types


def island(op):
    return chain(
        node("Relu", ["x"], ["a"]),
        node("Cast", ["a"], ["wide"], to=TensorProto.FLOAT, name="up"),
        node(op, ["wide"], ["b"], name="inside"),
        node("Cast", ["b"], ["y"], to=HALF, name="down"),
        dtype=HALF,
    )


def test_nodes_in_f32_between_casts_are_an_island():
    finding = one(island("Relu"), "fp32-island")
    assert (finding.severity, finding.nodes) == ("warning", ("inside",))
    assert "6.0 KiB" in finding.hazard  # two casts of 512 elements, 2 + 4 bytes each


def test_an_island_around_a_softmax_is_on_purpose():
    assert one(island("Softmax"), "fp32-island").severity == "note"


def test_a_network_that_ends_in_f32_has_no_island():
    proto = model(
        [node("Cast", ["x"], ["a"], to=TensorProto.FLOAT), node("Relu", ["a"], ["y"])],
        [value("x", [4], HALF)],
        [value("y", [4])],
    )
    assert not found(proto, "fp32-island")


def test_indices_of_64_bits_are_noted_but_those_of_shapes_are_not():
    gather = node("Gather", ["table", "ids"], ["y"], name="gather")
    proto = model([gather], [value("ids", [4], INT64)], [value("y", [4, 8])], [weight("table", 16, 8)])
    assert one(proto, "wide-types").nodes == ("gather",)
    reshape = node("Reshape", ["x", "shape"], ["y"])
    assert not found(chain(reshape, out=(8, 64), weights=[ints("shape", [8, 64])]), "wide-types")


# Dimensions


def test_a_size_that_the_data_decide_is_reported_where_it_is_lost():
    proto = model(
        [node("NonZero", ["x"], ["n"], name="nonzero"), node("Cast", ["n"], ["y"], to=1, name="after")],
        [value("x", [4, 5])],
        [value("y", [2, "n"])],
    )
    assert one(proto, "data-dependent-size").nodes == ("nonzero",)
    assert not found(conv_net(), "data-dependent-size")


def test_a_result_of_unknown_shape_is_reported_where_it_is_made():
    proto = model(
        [node("Mystery", ["x"], ["m"], domain="my.ops", name="mystery"), node("Relu", ["m"], ["y"])],
        [value("x", [4])],
        [onnx.ValueInfoProto(name="y")],
        domains={"my.ops": 1},
    )
    assert one(proto, "untyped-result").nodes == ("mystery",)
    assert not found(conv_net(), "untyped-result")


def test_symbols_of_the_inputs_are_noted_with_what_they_were_taken_for():
    assert "open: batch = 4" in one(conv_net("batch"), "open-dimension", batch=4).hazard
    assert not found(conv_net(), "open-dimension")


# Channels


def convolutions(*channels):
    """3x3 convolutions of so many channels, one behind the other."""
    pairs = list(zip(channels, channels[1:]))
    names = ["x", *(f"c{i}" for i in range(1, len(pairs))), "y"]
    nodes = [
        node("Conv", [names[i], f"w{i}"], [names[i + 1]], pads=[1] * 4, name=f"conv{i}") for i in range(len(pairs))
    ]
    weights = [weight(f"w{i}", out, into, 3, 3) for i, (into, out) in enumerate(pairs)]
    return chain(*nodes, dims=(1, channels[0], 8, 8), out=(1, channels[-1], 8, 8), weights=weights)


def test_channels_between_multiples_of_8_are_padded_in_fp16():
    finding = one(convolutions(3, 64, 60, 64), "unaligned-channels", device="orin-nano", precision="fp16")
    assert finding.nodes == ("conv1", "conv2")
    more = 2 * 64 * 4 / (3 * 64 + 2 * 64 * 60)
    assert f"adds {100 * more:.1f} % to the MACs" in finding.hazard
    assert "'conv1' (64 → 60 channels)" in finding.hazard


@pytest.mark.parametrize(
    ("channels", "options"),
    [
        ((3, 64, 64), {"device": "orin-nano", "precision": "fp16"}),  # an image has a kernel of its own
        ((3, 64, 60, 64), {"device": "nano", "precision": "fp16"}),  # no tensor cores
        ((3, 64, 60, 64), {"runtime": "tensorrt-8.6"}),  # f32 without a device: TF32 is not assumed
    ],
)
def test_channels_that_are_not_padded_are_left_alone(channels, options):
    assert not found(convolutions(*channels), "unaligned-channels", **options)


def test_depthwise_convolutions_use_no_tensor_cores():
    conv = node("Conv", ["x", "w"], ["y"], group=6, pads=[1] * 4)
    proto = chain(conv, dims=(1, 6, 8, 8), out=(1, 6, 8, 8), weights=[weight("w", 6, 1, 3, 3)])
    assert not found(proto, "unaligned-channels", **FP16)


def subject_of(proto, kernels, registry):
    report = make_report(kernels)
    return Subject(load(proto, registry.operators), make_target("nano"), registry.operators, report)


def test_channels_just_past_a_tile_count_where_a_kernel_is_compute_bound(registry):
    def edge(channels, bound):
        kernels = [make_kernel("conv1", 1.0, bound=bound)]
        return list(TileEdge().find(subject_of(convolutions(3, 64, channels), kernels, registry)))

    assert edge(68, "compute")[0].nodes == ("conv1",)
    assert not edge(68, "memory")
    assert not edge(64, "compute")
    assert not edge(90, "compute")  # far into its last tile


# Kernels


def test_a_long_run_of_launch_bound_kernels_is_reported(registry):
    def runs(count, slow_ms=1.0):
        kernels = [make_kernel(f"relu{i}", 0.05, bound="launch", origin=["relu"]) for i in range(count)]
        subject = subject_of(conv_net(), [make_kernel("conv", slow_ms), *kernels], registry)
        return list(LaunchBound().find(subject))

    assert "8 launch-bound kernels in 1 run take 28.6 % of the latency" in runs(8)[0].hazard
    assert runs(8)[0].nodes == ("relu",)
    assert not runs(7)
    assert not runs(8, slow_ms=100)


def silu_behind(op, *inputs):
    return chain(
        node(op, ["x", *inputs], ["c"]),
        node("Sigmoid", ["c"], ["s"], name="sigmoid"),
        node("Mul", ["c", "s"], ["y"], name="mul"),
        weights=[weight("w", 8, 8, 1, 1)],
    )


def test_a_silu_behind_a_convolution_stays_alone_in_fp32_only():
    assert one(silu_behind("Conv", "w"), "separate-activation", **TRT).nodes == ("sigmoid", "mul")
    assert not found(silu_behind("Conv", "w"), "separate-activation", **FP16)
    assert not found(silu_behind("Conv", "w"), "separate-activation", runtime="onnx")
    assert not found(silu_behind("Relu"), "separate-activation", **TRT)


# Layout


def transposes(first, second, *between):
    return chain(
        node("Transpose", ["x"], ["a"], perm=first, name="first"),
        *between,
        node("Transpose", ["b" if between else "a"], ["y"], perm=second, name="second"),
    )


TO_LAST, BACK = (0, 2, 3, 1), (0, 3, 1, 2)


def test_transposes_that_cancel_across_an_activation_are_redundant():
    finding = one(transposes(TO_LAST, BACK, node("Relu", ["a"], ["b"])), "redundant-transpose", **TRT)
    assert (finding.severity, finding.nodes) == ("warning", ("first", "second"))
    assert "cancel each other across elementwise nodes" in finding.hazard


def test_adjacent_transposes_are_a_note_where_the_runtime_merges_them():
    assert one(transposes(TO_LAST, TO_LAST), "redundant-transpose", **TRT).severity == "note"
    assert one(transposes(TO_LAST, TO_LAST), "redundant-transpose", runtime="onnx").severity == "warning"


def test_transposes_around_what_cares_about_axes_are_needed():
    softmax = node("Softmax", ["a"], ["b"], axis=-1)
    assert not found(transposes(TO_LAST, BACK, softmax), "redundant-transpose", **TRT)


def shuffle(perm, shape):
    """Split the 8 channels in two, permute, reshape."""
    return chain(
        node("Reshape", ["x", "split"], ["a"]),
        node("Transpose", ["a"], ["b"], perm=perm),
        node("Reshape", ["b", "shape"], ["y"], name="reshape"),
        out=shape,
        weights=[ints("split", [1, 2, 4, 8, 8]), ints("shape", shape)],
    )


def test_a_channel_shuffle_copies():
    finding = one(shuffle((0, 2, 1, 3, 4), [1, 8, 8, 8]), "copying-reshape")
    assert (finding.severity, finding.nodes) == ("warning", ("reshape",))
    assert not found(shuffle((0, 2, 1, 3, 4), [1, 4, 2, 64]), "copying-reshape")  # only what is contiguous is merged


@pytest.mark.parametrize(
    ("sizes", "perm", "wanted"),
    [
        ((2, 3, 4), (0, 1, 2), (6, 4)),
        ((2, 3, 4), (0, 1, 2), (2, 2, 6)),
        ((2, 3, 4), (1, 0, 2), (6, 4)),
        ((2, 3, 4), (1, 0, 2), (3, 2, 2, 2)),
        ((2, 3, 4), (2, 0, 1), (4, 6)),
        ((2, 3, 4), (2, 0, 1), (2, 12)),
        ((2, 1, 4), (1, 0, 2), (8,)),
        ((1, 8, 1), (2, 1, 0), (2, 4)),
        ((4, 6), (1, 0), (2, 3, 4)),
        ((4, 6), (1, 0), (24,)),
        ((6,), (0,), (6, 1, 1)),
        ((1, 1), (1, 0), (1,)),
    ],
)
def test_a_view_exists_where_numpy_makes_one_without_a_copy(sizes, perm, wanted):
    source = numpy.zeros(sizes)
    reshaped = source.transpose(perm).reshape(wanted)
    assert is_view(sizes, perm, wanted) == numpy.shares_memory(source, reshaped)


def test_the_merge_of_heads_after_attention_is_left_alone(shared):
    vit = shared / "models" / "vit_base_patch16_224.ts17.onnx"
    assert not found(vit, "copying-reshape", **TRT)


def test_a_transposed_input_is_reported_and_an_inner_transpose_is_not():
    transpose = node("Transpose", ["x"], ["y"], perm=BACK, name="transpose")
    assert one(chain(transpose), "input-transpose").nodes == ("transpose",)
    inner = node("Transpose", ["r"], ["y"], perm=BACK)
    assert not found(chain(node("Relu", ["x"], ["r"]), inner), "input-transpose")


def test_a_pad_before_pooling_is_reported_and_one_before_a_convolution_is_not():
    pad = node("Pad", ["x", "pads"], ["p"], name="pad")
    pads = [ints("pads", [0, 0, 1, 1, 0, 0, 1, 1]), weight("w", 8, 8, 3, 3)]
    pool = chain(pad, node("MaxPool", ["p"], ["y"], kernel_shape=[3, 3]), weights=pads)
    assert one(pool, "pad-before-pool").nodes == ("pad",)
    assert not found(chain(pad, node("Conv", ["p", "w"], ["y"]), weights=pads), "pad-before-pool")


# Quantisation

SCALES = [number("s", 0.1), number("z", 0, INT8), number("shifted", 3, INT8), weight("w", 8, 8, 1, 1)]


def pair(source, target, zero="z"):
    """Q and DQ."""
    return [
        node("QuantizeLinear", [source, "s", zero], [f"{target}_q"], name=f"q_{target}"),
        node("DequantizeLinear", [f"{target}_q", "s", zero], [target], name=f"dq_{target}"),
    ]


def quantized_conv(source, target):
    """A convolution of which both operands are quantised, named as its result."""
    operands = [*pair(source, f"{target}_x"), *pair("w", f"{target}_w")]
    return [*operands, node("Conv", [f"{target}_x", f"{target}_w"], [target], name=target)]


def quantized(*nodes, **given):
    return chain(*nodes, weights=SCALES, **given)


QDQ_RULES = {
    "asymmetric-quantization",
    "missing-int8",
    "unquantized-contraction",
    "half-quantized",
    "float-residual",
    "unfused-dequantize",
    "dangling-quantize",
}


def test_a_network_with_all_its_pairs_in_place_has_no_finding_of_quantisation():
    proto = quantized(*quantized_conv("x", "c"), node("Relu", ["c"], ["r"]), *quantized_conv("r", "y"))
    assert QDQ_RULES.isdisjoint(finding.rule for finding in lint(proto, "orin-nano").findings)


def test_a_device_without_int8_is_told_from_one_with_it():
    proto = quantized(*quantized_conv("x", "y"))
    assert "nano (sm_53) has no INT8" in one(proto, "missing-int8", device="nano").hazard
    assert not found(proto, "missing-int8", **TRT)


def test_a_zero_point_that_is_not_zero_is_an_error_for_tensorrt():
    proto = quantized(*pair("x", "y", "shifted"))
    assert one(proto, "asymmetric-quantization", **TRT).severity == "error"
    assert not found(proto, "asymmetric-quantization", runtime="onnx")
    assert not found(quantized(*pair("x", "y")), "asymmetric-quantization", **TRT)


def test_a_float_convolution_among_quantised_ones_is_reported():
    proto = quantized(*quantized_conv("x", "c"), node("Conv", ["c", "w"], ["y"], name="float"))
    finding = one(proto, "unquantized-contraction")
    assert (finding.severity, finding.nodes) == ("warning", ("float",))
    assert "50.0 % of the MACs" in finding.hazard
    assert not found(chain(node("Conv", ["x", "w"], ["y"]), weights=SCALES), "unquantized-contraction")


def test_a_convolution_with_float_weights_behind_a_pair_is_half_quantised():
    proto = quantized(*pair("x", "a"), node("Conv", ["a", "w"], ["y"], name="half"))
    assert one(proto, "half-quantized").nodes == ("half",)


def test_quantisation_of_weights_only_is_no_mistake():
    assert not found(quantized(*pair("w", "v"), node("Conv", ["x", "v"], ["y"])), "half-quantized")


def test_a_residual_in_float_is_reported_and_a_quantised_one_is_not():
    convolution = [node("Relu", ["x"], ["r"]), *quantized_conv("r", "c")]
    proto = quantized(*convolution, node("Add", ["c", "r"], ["y"], name="sum"))
    assert one(proto, "float-residual").nodes == ("sum",)
    both = quantized(*convolution, *pair("r", "skip"), node("Add", ["c", "skip"], ["y"]))
    assert not found(both, "float-residual")


def test_a_pair_before_a_softmax_is_for_nothing_and_one_before_a_convolution_is_not():
    assert one(quantized(*pair("x", "a"), node("Softmax", ["a"], ["y"])), "unfused-dequantize").nodes == ("dq_a",)
    assert not found(quantized(*quantized_conv("x", "y")), "unfused-dequantize")


def test_a_quantize_that_is_read_by_something_else_dangles():
    quantize, dequantize = pair("x", "y")
    cast = node("Cast", ["y_q"], ["y"], to=TensorProto.FLOAT)
    assert one(quantized(quantize, cast), "dangling-quantize").nodes == ("q_y",)
    moved = [node("Transpose", ["y_q"], ["t"], perm=BACK), node("DequantizeLinear", ["t", "s", "z"], ["y"])]
    assert not found(quantized(quantize, *moved), "dangling-quantize")
    assert not found(quantized(quantize, dequantize), "dangling-quantize")


def test_the_engines_that_were_measured_show_the_hazards_that_were_measured(shared):
    engines = shared / "models" / "engines"
    assert len(one(engines / "resnet18_qat_b32.onnx", "float-residual", **TRT).nodes) == 8
    assert not found(engines / "resnet18_qat_residual_b32.onnx", "float-residual", **TRT)
    keras = {finding.rule for finding in lint(engines / "resnet50_keras_b32.onnx", **TRT).findings}
    assert {"input-transpose", "pad-before-pool"} <= keras


# The whole


def test_graver_findings_come_first_and_rules_can_be_left_out():
    proto = chain(node("HardSwish", ["x"], ["y"]), node("Relu", ["x"], ["nobody"]))
    severities = [finding.severity for finding in lint(proto, runtime="tensorrt-8.2").findings]
    assert severities == ["error", "note"]
    assert not lint(proto, runtime="tensorrt-8.2", ignore=["unsupported-operator", "unread-result"]).findings
    with pytest.raises(UnknownName, match="did you mean unread-result"):
        lint(proto, ignore=["unread"])


def test_nodes_in_the_bodies_of_control_flow_are_looked_at():
    body = helper.make_graph(
        [node("Transpose", ["x"], ["t"]), node("Transpose", ["t"], ["o"])], "b", [], [value("o", [2, 3])]
    )
    proto = model(
        [node("If", ["c"], ["y"], then_branch=body, else_branch=body)],
        [value("c", [], TensorProto.BOOL), value("x", [2, 3])],
        [value("y", [2, 3])],
    )
    assert len(one(proto, "redundant-transpose", **TRT).nodes) == 4


def test_every_rule_has_a_name_a_source_and_documentation():
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.__doc__, rule.name
        assert "Source: " in rule.help or "build log" in rule.help, rule.name


def test_the_page_about_the_rules_is_up_to_date():
    page = Path(__file__).parents[1] / "docs" / "lint.md"
    assert page.read_text(encoding="utf-8") == document_rules(), "python -m graphcost.lint.documentation > docs/lint.md"


def test_no_network_at_hand_breaks_a_rule(shared):
    paths = [path for path in sorted((shared / "models").glob("*.onnx")) if path.stem != "bad_truncated"]
    assert paths
    for path in paths:
        lint(path, **FP16)


# The command line


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    """Runs `lint` over a network that no TensorRT 8.2 takes: (exit code, standard output)."""
    monkeypatch.chdir(tmp_path)
    onnx.save(chain(node("HardSwish", ["x"], ["y"], name="act")), "net.onnx")

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(["lint", "net.onnx", *arguments])
        return exit_.value.code or 0, capsys.readouterr().out

    return run


def test_lint_tells_hazard_node_mitigation_and_why(cli):
    code, out = cli("--runtime", "tensorrt-8.2")
    assert code == 0
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == "net · no device · tensorrt-8.2 · fp32"
    assert lines[2] == "error    tensorrt-8.2 would refuse HardSwish (supported from 8.4) [unsupported-operator]"
    assert lines[3] == "at  act"
    assert lines[4].startswith("do  build with TensorRT 8.4 or later")
    assert lines[5].startswith("why The engine cannot be built")
    assert lines[-1] == "1 error, 0 warnings, 0 notes"


def test_lint_exits_with_1_only_if_asked_to_and_only_for_what_is_as_grave(cli):
    assert cli("--runtime", "tensorrt-8.2", "--fail-on", "warning")[0] == 1
    assert cli("--runtime", "tensorrt-8.6", "--fail-on", "note")[0] == 0
    assert cli("--runtime", "tensorrt-8.2", "--fail-on", "error", "--ignore", "unsupported-operator")[0] == 0
    assert cli("--fail-on", "everything")[0] == 2


def test_lint_speaks_json_and_markdown(cli):
    document = json.loads(cli("--runtime", "tensorrt-8.2", "--format", "json")[1])
    assert document["schema"] == "graphcost.lint/1"
    assert document["counts"] == {"error": 1, "warning": 0, "note": 0}
    assert document["findings"][0]["nodes"] == ["act"]
    markdown = cli("--runtime", "tensorrt-8.2", "--format", "markdown")[1]
    assert markdown.startswith("### net: 1 error, 0 warnings, 0 notes\n")
    assert "| error | unsupported-operator |" in markdown
