"""ONNX → IR: functions, bodies, older opsets, sizes, broken files."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import CONV_NET_MACS, conv_net, ints, model, node, value, weight

import graphcost
from graphcost.errors import ModelError, ResizeError, UnknownName, UsageError
from graphcost.importer import Imported, load, parse_sizes
from graphcost.importer.expressions import evaluate, solve, symbols_of
from graphcost.importer.sizes import Sizes, choose
from graphcost.plugin import builtin_operators
from graphcost.types import TensorType


def imported(proto: onnx.ModelProto, *, shapes=(), dims=(), batch=None) -> Imported:
    return load(proto, builtin_operators(), parse_sizes(shapes, dims, batch))


def dims_of(found: Imported, name: str) -> tuple[object, ...] | None:
    kind = next(v for v in found.graph.values() if v.name == name).type
    assert isinstance(kind, TensorType)
    return kind.dims


# Sources


@pytest.mark.parametrize("form", ["path", "bytes", "proto"])
def test_a_model_comes_as_a_path_as_bytes_or_as_a_proto(form: str, tmp_path: Path):
    proto = conv_net()
    path = tmp_path / "net.onnx"
    onnx.save(proto, path)
    source = {"path": path, "bytes": path.read_bytes(), "proto": proto}[form]
    assert graphcost.analyze(source).totals.macs == CONV_NET_MACS


def test_a_graphsurgeon_graph_is_a_source_too():
    surgeon = pytest.importorskip("onnx_graphsurgeon", reason="needs onnx-graphsurgeon (extra 'graphsurgeon')")
    graph = surgeon.import_onnx(conv_net())
    # graphsurgeon cannot hold weights without data: give it some
    for tensor in graph.tensors().values():
        if isinstance(tensor, surgeon.Constant):
            import numpy

            tensor.values = numpy.zeros(tensor.shape, numpy.float32)
    assert graphcost.analyze(graph).totals.macs == CONV_NET_MACS


# Names and order


def test_nodes_without_a_name_are_called_by_operator_and_index_and_repeats_are_numbered():
    proto = model(
        [node("Relu", ["x"], ["a"]), node("Relu", ["a"], ["b"], name="r"), node("Relu", ["b"], ["y"], name="r")],
        [value("x", [1])],
        [value("y", [1])],
    )
    assert [n.name for n in imported(proto).graph] == ["Relu_0", "r", "r_2"]


def test_a_file_that_is_not_in_order_is_sorted():
    nodes = [node("Relu", ["a"], ["y"], name="second"), node("Neg", ["x"], ["a"], name="first")]
    proto = model(nodes, [value("x", [1])], [value("y", [1])])
    assert [n.name for n in imported(proto).graph] == ["first", "second"]


def test_a_cycle_is_refused_by_the_name_of_a_node():
    nodes = [node("Relu", ["b"], ["a"], name="one"), node("Relu", ["a"], ["b"], name="two")]
    with pytest.raises(ModelError, match="cycle through node"):
        imported(model(nodes, [], [value("a", [1])]))


def test_a_name_that_nothing_defines_is_a_warning_and_unknown():
    report = graphcost.analyze(model([node("Relu", ["ghost"], ["y"], name="r")], [], [value("y", None)]))
    assert "'ghost' is read, but nothing defines it" in report.warnings
    assert report.totals.coverage.nodes < 1


# Functions


def gelu_function() -> onnx.FunctionProto:
    """Half · x · (1 + erf(x · scale)), the scale being an attribute with a default."""
    scale = helper.make_node("Constant", [], ["s"])
    reference = onnx.AttributeProto(name="value_float", ref_attr_name="scale", type=onnx.AttributeProto.FLOAT)
    scale.attribute.append(reference)
    nodes = [scale, node("Mul", ["x", "s"], ["m"], name="mul"), node("Erf", ["m"], ["y"], name="erf")]
    return helper.make_function(
        "local", "Gelu", ["x"], ["y"], nodes, [helper.make_opsetid("", 20)],
        attribute_protos=[helper.make_attribute("scale", 0.5)],
    )  # fmt: skip


def test_a_function_is_inlined_under_the_name_of_its_call():
    proto = model(
        [node("Gelu", ["x"], ["a"], domain="local", name="g"), node("Relu", ["a"], ["y"], name="r")],
        [value("x", [2, 3])],
        [value("y", [2, 3])],
        functions=[gelu_function()],
        domains={"local": 1},
    )
    found = imported(proto)
    assert [(n.name, n.op) for n in found.graph] == [("g/mul", "onnx.Mul"), ("g/erf", "onnx.Erf"), ("r", "onnx.Relu")]
    assert found.graph.weights[0].constant.values == (0.5,)
    assert "function Gelu" in found.dissolved["g"]


def test_an_attribute_of_the_call_reaches_into_the_function():
    proto = model(
        [node("Gelu", ["x"], ["y"], domain="local", name="g", scale=2.0)],
        [value("x", [2])],
        [value("y", [2])],
        functions=[gelu_function()],
        domains={"local": 1},
    )
    assert imported(proto).graph.weights[0].constant.values == (2.0,)


def test_functions_that_call_each_other_for_ever_are_refused():
    call = node("F", ["x"], ["y"], domain="local")
    function = helper.make_function("local", "F", ["x"], ["y"], [call], [helper.make_opsetid("local", 1)])
    proto = model([call], [value("x", [1])], [value("y", [1])], functions=[function], domains={"local": 1})
    with pytest.raises(ModelError, match="nested deeper"):
        imported(proto)


# Bodies


def loop_model(trips: int | None) -> onnx.ModelProto:
    """Multiplies a matrix by a captured one, `trips` times; the count is an input of the model where it is None."""
    body = helper.make_graph(
        [node("MatMul", ["s", "outer"], ["s2"], name="mm"), node("Identity", ["c"], ["c2"], name="go")],
        "body",
        [value("i", [], TensorProto.INT64), value("c", [], TensorProto.BOOL), value("s", [4, 4])],
        [value("c2", [], TensorProto.BOOL), value("s2", [4, 4])],
    )
    loop = node("Loop", ["n", "", "x"], ["y"], body=body, name="loop")
    inputs = [value("x", [4, 4]), value("w", [4, 4])]
    weights = [] if trips is None else [helper.make_tensor("n", TensorProto.INT64, [], [trips])]
    inputs += [value("n", [], TensorProto.INT64)] if trips is None else []
    return model([node("Relu", ["w"], ["outer"], name="r"), loop], inputs, [value("y", [4, 4])], weights)


def test_what_a_body_captures_becomes_an_operand():
    loop = list(imported(loop_model(3)).graph)[1]
    assert [v.name if v else None for v in loop.operands] == ["n", None, "x", "outer"]
    assert loop.bodies[0].binds == (None, None, 2, 3)
    assert loop.bodies[0].outputs[1].producer.name == "loop/body/mm"


def test_a_loop_is_costed_by_its_trip_count():
    assert graphcost.analyze(loop_model(3)).totals.macs == 3 * 4**3


def test_a_loop_of_unknown_length_is_costed_per_iteration_and_says_so():
    report = graphcost.analyze(loop_model(None))
    assert report.totals.macs == 4**3
    assert any("loop" in warning and "iteration" in warning for warning in report.warnings)


def test_an_if_is_costed_by_its_dearest_branch_and_says_so():
    cheap = helper.make_graph([node("Relu", ["x"], ["a"], name="relu")], "then", [], [value("a", [4, 4])])
    dear = helper.make_graph([node("MatMul", ["x", "x"], ["b"], name="mm")], "else", [], [value("b", [4, 4])])
    branch = node("If", ["c"], ["y"], then_branch=cheap, else_branch=dear, name="if")
    proto = model([branch], [value("c", [], TensorProto.BOOL), value("x", [4, 4])], [value("y", [4, 4])])
    report = graphcost.analyze(proto)
    assert report.totals.macs == 4**3
    assert any("else_branch" in warning for warning in report.warnings)


# Older opsets


def test_attributes_that_became_operands_are_operands():
    proto = model(
        [
            node("Unsqueeze", ["x"], ["u"], axes=[0], name="u"),
            node("ReduceMean", ["u"], ["m"], axes=[1], keepdims=0, name="m"),
            node("Clip", ["m"], ["y"], min=0.0, max=6.0, name="c"),
        ],
        [value("x", [3, 5])],
        [value("y", [1, 5])],
        opset=7,
    )
    found = imported(proto)
    by_name = {n.name: n for n in found.graph}
    assert by_name["u"].operand(1).constant.values == (0,)
    assert by_name["m"].operand(1).constant.values == (1,)
    assert [by_name["c"].operand(slot).constant.values for slot in (1, 2)] == [(0.0,), (6.0,)]
    assert dims_of(found, "y") == (1, 5)


@pytest.mark.parametrize(("opset", "axis"), [(11, 1), (13, -1)])
def test_the_default_axis_of_softmax_is_that_of_its_opset(opset: int, axis: int):
    proto = model([node("Softmax", ["x"], ["y"])], [value("x", [2, 3, 4])], [value("y", [2, 3, 4])], opset=opset)
    assert next(iter(imported(proto).graph)).attrs["axis"] == axis


def test_upsample_is_resize():
    scales = helper.make_tensor("s", TensorProto.FLOAT, [4], [1.0, 1.0, 2.0, 2.0])
    upsample = node("Upsample", ["x", "s"], ["y"])
    proto = model([upsample], [value("x", [1, 2, 3, 4])], [value("y", None)], [scales], opset=9)
    found = imported(proto)
    assert next(iter(found.graph)).op == "onnx.Resize"
    assert dims_of(found, "y") == (1, 2, 6, 8)


def test_cast_names_its_type():
    proto = model(
        [node("Cast", ["x"], ["y"], to=TensorProto.FLOAT16)],
        [value("x", [2])],
        [value("y", [2], TensorProto.FLOAT16)],
    )
    found = imported(proto)
    assert next(iter(found.graph)).attrs["to"] == "f16"


# Parameters


def test_a_weight_behind_identities_counts_once_stored_and_once_for_each_alias():
    nodes = [node("Identity", ["w"], ["w2"]), node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["a", "w2"], ["y"])]
    proto = model(nodes, [value("x", [1, 4])], [value("y", [1, 4])], [weight("w", 4, 4)])
    counted = graphcost.analyze(proto).model.parameters
    assert (counted.stored, counted.distinct, counted.bytes) == (16, 32, 64)


def test_a_tied_weight_counts_once():
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["a", "w"], ["y"])]
    proto = model(nodes, [value("x", [1, 4])], [value("y", [1, 4])], [weight("w", 4, 4)])
    assert graphcost.analyze(proto).model.parameters.distinct == 16


# Sizes


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("x:1x3x224x224", {"x": (1, 3, 224, 224)}),
        ("x:[1,3,224,224]", {"x": (1, 3, 224, 224)}),
        ("x=1,3,224,224", {"x": (1, 3, 224, 224)}),
        ("x:1x3,y:[2,5],z=7", {"x": (1, 3), "y": (2, 5), "z": (7,)}),
        ("x=1,3,y=4", {"x": (1, 3), "y": (4,)}),
        ("input:0:1x5", {"input:0": (1, 5)}),
        ("s:scalar", {"s": ()}),
        ("1x3x8x8", {"": (1, 3, 8, 8)}),
    ],
)
def test_shapes_are_read_in_every_common_form(text: str, shapes: dict[str, tuple[int, ...]]):
    assert parse_sizes([text]).shapes == shapes


@pytest.mark.parametrize("text", ["x", "x:", "x:axb", "x:1x-3", ":1x3", "x:1x3;y:2"])
def test_what_is_no_shape_is_refused_with_the_forms(text: str):
    with pytest.raises(UsageError, match="NAME:1x3x224x224"):
        parse_sizes([text])


def test_a_wrong_input_name_lists_the_real_ones():
    with pytest.raises(UnknownName, match="did you mean x|accepted: x"):
        imported(conv_net(), shapes=["image:1x3x8x8"])


def test_a_wrong_rank_says_which_it_should_be():
    with pytest.raises(UsageError, match="input 'x' has 4 dimensions"):
        imported(conv_net(), shapes=["x:1x3x8"])


@pytest.mark.parametrize(
    ("dim", "symbols", "wanted"),
    [("16*h16", {"h16": 14}, 224), ("floor(w/2) + 1", {"w": 9}, 5), ("seq", {"seq": 3}, 3), ("a - b", {"a": 3}, None)],
)
def test_a_dimension_may_be_an_expression(dim: str, symbols: dict[str, int], wanted: int | None):
    assert evaluate(dim, symbols) == wanted


def test_an_expression_is_solved_for_its_symbol():
    assert symbols_of("16*h16") == ["h16"]
    assert solve("16*h16", "h16", 224, {}) == 14
    assert solve("16*h16", "h16", 225, {}) is None
    chosen = choose({"x": (1, 3, "16*h16", "16*w16")}, parse_sizes(["x:1x3x224x320"]))
    assert chosen.symbols == {"h16": 14, "w16": 20}
    assert not chosen.overridden


def test_a_dynamic_dim_without_a_value_is_one_and_a_warning_names_it():
    found = imported(conv_net("batch"))
    assert dims_of(found, "x") == (1, 3, 8, 8)
    assert found.warnings == ("dimension 'batch' has no value: 1 is taken (give --dim batch=…)",)


def test_a_dimension_that_nobody_has_is_refused_with_those_there_are():
    with pytest.raises(UsageError, match="unknown dimension 'seq'; accepted: batch"):
        imported(conv_net("batch"), dims=["seq=3"])
    with pytest.raises(UsageError, match="unknown dimension 'seq': the inputs leave none open"):
        imported(conv_net(1), dims=["seq=3"])


def test_a_dynamic_dim_may_be_empty_as_a_cache_is_before_the_first_token():
    found = imported(conv_net("batch"), dims=["batch=0"])
    assert dims_of(found, "x") == (0, 3, 8, 8)
    assert not found.warnings


def test_batch_binds_the_symbol_that_is_called_so():
    chosen = choose({"tokens": ("seq", "batch"), "mask": ("batch", "seq")}, Sizes(batch=8, dims={"seq": 3}))
    assert chosen.inputs == {"tokens": (3, 8), "mask": (8, 3)}


@pytest.mark.parametrize("batch", [1, "batch"])
def test_batch_multiplies_macs(batch: int | str):
    assert graphcost.analyze(conv_net(batch), batch=8).totals.macs == 8 * CONV_NET_MACS


def test_a_reshape_that_holds_the_old_batch_is_re_derived():
    nodes = [node("Reshape", ["x", "s"], ["r"], name="view"), node("MatMul", ["r", "w"], ["y"], name="mm")]
    proto = model(nodes, [value("x", [1, 4, 2, 2])], [value("y", [1, 3])], [ints("s", [1, 16]), weight("w", 16, 3)])
    found = imported(proto, batch=8)
    assert dims_of(found, "r") == (8, 16)


def test_a_position_embedding_refuses_another_size_by_the_name_of_its_node():
    nodes = [node("Add", ["x", "pos"], ["y"], name="embed")]
    proto = model(nodes, [value("x", [1, 16, 8])], [value("y", [1, 16, 8])], [weight("pos", 1, 16, 8)])
    with pytest.raises(ResizeError, match="embed") as refused:
        imported(proto, shapes=["x:1x20x8"])
    assert refused.value.exit_code == 2
