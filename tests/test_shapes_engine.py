"""Shape inference: the walk over a graph, data of small tensors, control flow, and rearranging operators."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy
import pytest
from effort import calls

from graphcost.ir import Graph, Node, Value
from graphcost.operators import Operators
from graphcost.shapes import EVALUATORS, SHAPES, Facts, ShapeMismatch, infer, known_values, retyped
from graphcost.text import parse_graph
from graphcost.types import UNKNOWN, Constant, TensorType, Unknown

OPERATORS = Operators(SHAPES, EVALUATORS)


def inferred(body: str, inputs: str = "", dims: dict[str, int] | None = None) -> tuple[Graph, Facts]:
    """A graph from the lines of its nodes, `;` between them; results are written `%y` and get no type."""
    lines = [line.strip() for line in body.strip().splitlines()]
    graph = parse_graph("graph g(" + inputs + ") {\n" + "\n".join(lines) + "\nreturn\n}")
    return graph, infer(graph, OPERATORS, dims)


def types(body: str, inputs: str = "", dims: dict[str, int] | None = None) -> dict[str, str]:
    graph, _ = inferred(body, inputs, dims)
    return {value.name: str(value.type) for value in graph.values()}


def data(body: str, inputs: str = "") -> dict[str, Any]:
    graph, facts = inferred(body, inputs)
    arrays = {value.name: facts.known(value) for value in graph.values()}
    return {name: None if array is None else array.tolist() for name, array in arrays.items()}


# Which source is believed


def test_a_shape_function_comes_before_the_declared_type():
    assert types("%y: f32[9,9] = onnx.Relu(%x)", "%x: f32[2,3]")["y"] == "f32[2,3]"


def test_the_declared_type_is_taken_where_nothing_else_is_known():
    assert types("%y: f16[2,7] = my.Thing(%x)", "%x: f32[2,3]")["y"] == "f16[2,7]"


def test_an_operator_that_nobody_lists_is_asked_of_infer_unlisted_before_the_declaration_counts():
    graph = parse_graph("graph g(%x: f32[2]) {\n%y: ?[*] = my.Thing(%x)\nreturn %y\n}")
    infer(graph, Operators(SHAPES, infer_unlisted=lambda node, known: [TensorType("i8", (5,))]))
    assert str(graph.outputs[0].type) == "i8[5]"


def test_an_unknown_operator_is_untyped_and_stops_nothing():
    graph, facts = inferred("%y: ?[*] = my.Thing(%x)\n%z: ?[*] = onnx.Relu(%y)", "%x: f32[2]")
    assert [node.op for node in facts.untyped] == ["my.Thing", "onnx.Relu"]


def test_a_broken_node_is_one_sentence_that_names_it():
    with pytest.raises(ShapeMismatch, match="node 'y'"):
        inferred("%y: ?[*] = onnx.Transpose(%x) perm=[0,0]", "%x: f32[2,3]")


def test_a_node_without_its_operands_is_a_mismatch_and_no_traceback():
    with pytest.raises(ShapeMismatch):
        inferred("%y: ?[*] = onnx.Concat() axis=0\n%z: ?[*] = onnx.Split(%x) axis=7", "%x: f32[2,3]")


# Data


def test_a_reshape_target_is_followed_through_shape_arithmetic():
    found = types(
        """weight %i0: i64[] = [0]
        weight %one: i64[1] = [-1]
        weight %a0: i64[1] = [0]
        weight %h: i64[] = [2]
        %s: ?[*] = onnx.Shape(%x)
        %b: ?[*] = onnx.Gather(%s, %i0)
        %bb: ?[*] = onnx.Mul(%b, %h)
        %bu: ?[*] = onnx.Unsqueeze(%bb, %a0)
        %t: ?[*] = onnx.Concat(%bu, %one) axis=0
        %y: ?[*] = onnx.Reshape(%x, %t)""",
        "%x: f32[4,6]",
    )
    assert found["y"] == "f32[8,3]"


def test_integers_divide_towards_zero():
    found = data("weight %a: i64[2] = [-7,7]\nweight %b: i64[] = [2]\n%q: ?[*] = onnx.Div(%a, %b)")
    assert found["q"] == [-3, 3]


def test_a_division_by_zero_is_not_known():
    assert data("weight %a: i64[1] = [7]\nweight %b: i64[1] = [0]\n%q: ?[*] = onnx.Div(%a, %b)")["q"] is None


def test_single_precision_rounds_as_a_runtime_would():
    found = data("weight %a: f32[1] = [0.1]\nweight %b: f32[1] = [3.0]\n%q: ?[*] = onnx.Mul(%a, %b)")
    assert found["q"] == [float(numpy.float32(0.1) * numpy.float32(3))]


def test_a_cast_cuts_and_wraps():
    found = data("weight %a: f32[2] = [-1.7,300.0]\n%q: ?[*] = onnx.Cast(%a) to=\"u8\"")
    assert found["q"] == [255, 44]


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        ("[1] [9223372036854775807] [0] [2]", [1, 3]),
        ("[-1] [-9223372036854775807] [0] [-1]", [4, 3, 2, 1, 0]),
        ("[3] [-9] [0] [-2]", [3, 1]),
        ("[-2] [9] [0] [1]", [3, 4]),
        ("[4] [2] [0] [1]", []),
    ],
)
def test_a_slice_clamps_its_positions_in_types_and_in_data(slices: str, expected: list[int]):
    starts, ends, axes, steps = slices.split()
    text = "\n".join(f"weight %{n}: i64[1] = {v}" for n, v in zip("beas", (starts, ends, axes, steps)))
    text += "\nweight %x: i64[5] = [0,1,2,3,4]\n%y: ?[*] = onnx.Slice(%x, %b, %e, %a, %s)"
    assert data(text)["y"] == expected
    assert types(text)["y"] == f"i64[{len(expected)}]"


def test_a_shape_with_an_unknown_dimension_is_known_but_for_that_one():
    graph, facts = inferred("%s: ?[*] = onnx.Shape(%x)", "%x: f32[?n<=9,4]")
    array = facts.known(graph.outputs[0] if graph.outputs else next(iter(graph)).results[0])
    assert array is not None
    assert array.tolist() == [Unknown("n", 9), 4]


def test_one_entry_of_a_partly_unknown_shape_is_what_it_is():
    body = """weight %i: i64[] = [0]
        weight %j: i64[] = [1]
        %s: ?[*] = onnx.Shape(%x)
        %a: ?[*] = onnx.Gather(%s, %i)
        %b: ?[*] = onnx.Gather(%s, %j)"""
    found = data(body, "%x: f32[?n<=9,4]")
    assert (found["a"], found["b"]) == (Unknown("n", 9), 4)


def test_large_tensors_are_not_followed():
    found = data("weight %s: i64[1] = [5000]\n%y: ?[*] = onnx.ConstantOfShape(%s)")
    assert found["y"] is None


def test_known_values_changes_no_type():
    graph = parse_graph("graph g(%x: f32[2,3]) {\n%s: i64[2] = onnx.Shape(%x)\n%y: f32[7] = my.Thing(%s)\nreturn %y\n}")
    epoch = graph.epoch
    (known,) = known_values(graph, OPERATORS).values()
    assert known == Constant("i64", (2,), (2, 3))
    assert graph.epoch == epoch


# Dimensions that the data decide


def test_non_zero_is_bounded_by_the_number_of_elements():
    assert types("%y: ?[*] = onnx.NonZero(%x)", "%x: f32[2,3]")["y"] == "i64[2,?y<=6]"


def test_a_dimension_that_the_data_decide_takes_the_number_that_the_user_gives():
    body = "%y: ?[*] = onnx.NonZero(%x) @NonZero_12\n%z: ?[*] = onnx.Transpose(%y)"
    assert types(body, "%x: f32[2,3]", {"NonZero_12": 4})["z"] == "i64[4,2]"


def test_an_unknown_dimension_passes_through_a_reshape():
    body = "weight %t: i64[2] = [-1,8]\n%y: ?[*] = onnx.Reshape(%x, %t)"
    assert types(body, "%x: f32[?n<=9,2,4]")["y"] == "f32[?n<=9,8]"


def test_an_unknown_dimension_stays_unknown_in_a_broadcast_with_one():
    assert types("%y: ?[*] = onnx.Add(%x, %x2)", "%x: f32[?n,1], %x2: f32[1,4]")["y"] == "f32[?n,4]"


def test_a_range_up_to_an_unknown_is_as_long_as_that():
    body = """weight %zero: i64[] = [0]
        weight %one: i64[] = [1]
        %s: ?[*] = onnx.Size(%x)
        %y: ?[*] = onnx.Range(%zero, %s, %one)"""
    assert types(body, "%x: f32[?n<=9]")["y"] == "i64[?n<=9]"


# Rearranging


@pytest.mark.parametrize(
    ("node", "weights", "expected"),
    [
        ("Reshape(%x, %t)", {"t": [0, -1]}, "f32[2,12]"),
        ("Reshape(%x, %t) allowzero=1", {"t": [4, -1]}, "f32[4,6]"),
        ("Flatten(%x) axis=-1", {}, "f32[6,4]"),
        ("Flatten(%x) axis=0", {}, "f32[1,24]"),
        ("Transpose(%x)", {}, "f32[4,3,2]"),
        ("Unsqueeze(%x, %t)", {"t": [0, -1]}, "f32[1,2,3,4,1]"),
        ("Expand(%x, %t)", {"t": [5, 1, 3, 1]}, "f32[5,2,3,4]"),
        ("Tile(%x, %t)", {"t": [1, 2, 3]}, "f32[2,6,12]"),
        ("Pad(%x, %t)", {"t": [0, 1, 0, 0, 1, -2]}, "f32[2,5,2]"),
        ("Pad(%x, %t, _, %a)", {"t": [1, 2], "a": [-1]}, "f32[2,3,7]"),
        ("Gather(%x, %t) axis=1", {"t": [0, 1]}, "f32[2,2,4]"),
        ("GatherND(%x, %t)", {"t": [0, 1]}, "f32[4]"),
        ("Concat(%x, %x) axis=-1", {}, "f32[2,3,8]"),
        ("Resize(%x, _, _, %t)", {"t": [2, 6, 8]}, "f32[2,6,8]"),
        ("Resize(%x, _, _, %t) axes=[2] keep_aspect_ratio_policy=\"not_larger\"", {"t": [8]}, "f32[2,3,8]"),
        ("CenterCropPad(%x, %t) axes=[1]", {"t": [9]}, "f32[2,9,4]"),
        ("ConstantOfShape(%t)", {"t": [3, 0]}, "f32[3,0]"),
    ],
)
def test_a_rearranged_tensor_has_the_dimensions_that_its_operands_say(
    node: str, weights: dict[str, list[int]], expected: str
):
    lines = [f"weight %{name}: i64[{len(values)}] = {values}" for name, values in weights.items()]
    assert types("\n".join([*lines, f"%y: ?[*] = onnx.{node}"]), "%x: f32[2,3,4]")["y"] == expected


def test_resize_floors_the_product_in_single_precision():
    scale = float(numpy.float32(8 / 7))
    body = f"weight %s: f32[1] = [{scale}]\n%y: ?[*] = onnx.Resize(%x, _, %s)"
    assert types(body, "%x: f32[7]")["y"] == "f32[8]"


def test_split_gives_the_last_part_what_is_left():
    found = types("%a: ?[*], %b: ?[*], %c: ?[*] = onnx.Split(%x) axis=1 num_outputs=3", "%x: f32[1,7]")
    assert [found[name] for name in "abc"] == ["f32[1,3]", "f32[1,3]", "f32[1,1]"]


def test_a_reshape_that_cannot_hold_its_operand_is_refused():
    with pytest.raises(ShapeMismatch, match="does not fit"):
        inferred("weight %t: i64[2] = [4,4]\n%y: ?[*] = onnx.Reshape(%x, %t)", "%x: f32[2,3]")


# Bodies


def test_a_known_condition_chooses_the_branch_and_its_data():
    body = """weight %c: bool[] = [true]
        weight %one: i64[1] = [1]
        weight %two: i64[2] = [2,2]
        %y: ?[*] = onnx.If(%c, %one, %two) {
            ^then_branch(%p = %one: i64[1])
            return %p
            ^else_branch(%q = %two: i64[2])
            return %q
        }"""
    assert types(body)["y"] == "i64[1]"
    assert data(body)["y"] == [1]


def test_branches_that_differ_leave_what_they_have_in_common():
    body = """%y: ?[*] = onnx.If(%c, %x) {
            ^then_branch(%p = %x: ?[*])
            %a: ?[*] = onnx.Concat(%p, %p) axis=0
            return %a
            ^else_branch(%q = %x: ?[*])
            return %q
        }"""
    assert types(body, "%c: bool[], %x: f32[2,3]")["y"] == 'f32[?"y.0.0"<=4,3]'


def test_a_branch_that_does_not_fit_is_never_taken():
    body = """weight %a: i64[1] = [0]
        %y: ?[*] = onnx.If(%c, %x, %a) {
            ^then_branch(%p = %x: ?[*], %q = %a: i64[1] )
            %s: ?[*] = onnx.Squeeze(%p, %q)
            return %s
            ^else_branch(%r = %x: ?[*])
            return %r
        }"""
    assert types(body, "%c: bool[], %x: f32[2,3]")["y"] == "f32[2,3]"


LOOP = """weight %trips: i64[] = [5]
    weight %go: bool[] = [true]
    %final: ?[*], %all: ?[*] = onnx.Loop(%trips, %go, %x) carried=1 {
        ^body(%i = _: i64[], %c = %go@1: bool[], %s = %x@2: ?[*])
        %n: ?[*] = NODE
        return %c, %n, %s
    }"""


def test_a_loop_stacks_what_each_turn_gives_and_says_how_many_turns_there_are():
    graph, _ = inferred(LOOP.replace("NODE", "onnx.Relu(%s)"), "%x: f32[2,3]")
    (node,) = graph
    assert [str(r.type) for r in node.results] == ["f32[2,3]", "f32[5,2,3]"]
    assert node.attrs["trip_count"] == 5


def test_what_grows_with_each_turn_is_unknown_and_without_a_bound():
    found = types(LOOP.replace("NODE", "onnx.Concat(%s, %s) axis=0"), "%x: f32[2,3]")
    assert found["final"] == 'f32[?"final.0.0",3]'


def test_a_loop_that_stops_when_the_data_say_so_has_at_most_its_trip_count():
    text = LOOP.replace("weight %go: bool[] = [true]\n", "").replace("NODE", "onnx.Relu(%s)")
    found = types(text, "%x: f32[2,3], %go: bool[]")
    assert found["all"] == "f32[?final<=5,2,3]"


def test_a_scan_gives_its_body_slices_and_stacks_what_it_returns():
    body = """%last: ?[*], %all: ?[*] = onnx.Scan(%h, %x) num_scan_inputs=1 carried=1 {
            ^body(%s = %h: ?[*], %e = %x: ?[*])
            %n: ?[*] = onnx.Add(%s, %e)
            return %n, %n
        }"""
    found = types(body, "%h: f32[4], %x: f32[7,4]")
    assert (found["last"], found["all"]) == ("f32[4]", "f32[7,4]")


def test_a_sequence_of_equal_tensors_joins_to_what_they_add_up_to():
    body = """%s: ?[*] = onnx.SequenceConstruct(%x, %x, %x)
        %a: ?[*] = onnx.ConcatFromSequence(%s) axis=1
        %b: ?[*] = onnx.ConcatFromSequence(%s) axis=0 new_axis=1
        %i: ?[*] = onnx.SequenceAt(%s, %n)"""
    found = types(body, "%x: f32[2,3], %n: i64[]")
    assert (found["s"], found["a"], found["b"], found["i"]) == ("seq(f32[2,3])", "f32[2,9]", "f32[3,2,3]", "f32[2,3]")


# Other inputs


def test_a_copy_with_other_dimensions_leaves_the_original_alone():
    graph, _ = inferred("%y: ?[*] = onnx.Relu(%x)", "%x: f32[2,3]")
    made, _ = retyped(graph, {"x": (8, 3)}, OPERATORS)
    assert [str(v.type) for v in (*graph.values(), *made.values())] == ["f32[2,3]"] * 2 + ["f32[8,3]"] * 2


# Speed and coverage


def test_the_effort_for_each_node_does_not_grow_with_the_graph():
    def calls_per_node(count: int) -> float:
        value = Value("x", TensorType("f32", (2, 3)))
        graph = Graph("chain", [value])
        for i in range(count):
            value = graph.append(Node("onnx.Relu", [value], [Value(f"v{i}", UNKNOWN)])).results[0]
        return calls(lambda: infer(graph, OPERATORS)) / count

    assert calls_per_node(5_000) < 1.1 * calls_per_node(500)


def test_every_operator_of_onnx_has_a_shape_function():
    onnx = pytest.importorskip("onnx")
    listed = {"onnx." + s.name for s in onnx.defs.get_all_schemas() if s.domain == ""}
    elsewhere = {"onnx.Constant", "onnx.Upsample", "onnx.If", "onnx.Loop", "onnx.Scan", "onnx.SequenceMap"}
    assert listed - SHAPES.keys() == elsewhere & listed


NOT_FOLLOWED = {"ImageDecoder", "NonMaxSuppression", "StringNormalizer", "StringSplit", "Unique"}
"""Operators whose result sizes only the data decide, in a way that is not followed."""

OLD_FORMS = {"test_scan_sum"}
"""Scan of opset 8, which has a batch axis of its own."""


def test_types_and_data_are_those_of_the_reference_in_the_node_tests_of_onnx():
    """Every operand that is a tensor is made a constant: then types are exact, and small data are followed."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    followed = 0
    for case in cases:
        if case.name not in OLD_FORMS:
            followed += _check_case(case)
    assert followed > 700


def _check_case(case: Any) -> int:
    from graphcost.importer import load

    inputs, outputs = case.data_sets[0]
    imported = load(_with_constants(case.model, inputs).SerializeToString(), OPERATORS)
    ops = {node.op_type for node in case.model.graph.node}
    pairs = [(v, _array(out)) for v, out in zip(imported.graph.outputs, outputs)]
    for value, expected in pairs:
        if expected is not None and not ops & NOT_FOLLOWED:
            _check_type(case.name, value, expected)
    return sum(_check_data(case.name, imported.facts.known(value), expected) for value, expected in pairs)


def _with_constants(model: Any, inputs: list[Any]) -> Any:
    import onnx

    made = onnx.ModelProto.FromString(model.SerializeToString())
    del made.graph.input[:]
    for info, data in zip(model.graph.input, inputs):
        if isinstance(data, (onnx.TensorProto, numpy.ndarray, numpy.generic)):
            tensor = data if isinstance(data, onnx.TensorProto) else onnx.numpy_helper.from_array(numpy.asarray(data))
            made.graph.initializer.add().CopyFrom(tensor)
            made.graph.initializer[-1].name = info.name
        else:
            made.graph.input.append(info)
    for info in made.graph.output:
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")
    return made


def _array(data: Any) -> Any:
    import onnx

    if isinstance(data, onnx.TensorProto):
        return onnx.numpy_helper.to_array(data)
    return numpy.asarray(data) if isinstance(data, (numpy.ndarray, numpy.generic)) else None


def _check_type(case: str, value: Value, expected: Any) -> None:
    """A dimension that stays unknown may be so large as the real one."""
    assert isinstance(value.type, TensorType), case
    assert value.type.rank == expected.ndim, case
    for ours, real in zip(value.type.dims or (), expected.shape):
        assert ours == real or isinstance(ours, Unknown) and (ours.max is None or real <= ours.max), case


def _check_data(case: str, found: Any, expected: Any) -> bool:
    if found is None or found.dtype == object or expected.dtype.kind not in "fiub":
        return False
    close = numpy.allclose(found.astype(float), expected.astype(float), rtol=1e-3, atol=1e-5, equal_nan=True)
    assert close, case
    return True


SAMPLE = (
    "bert_mini4.ts17.onnx", "swin_tiny_patch4_window7_224.dynamo.onnx", "llama_mini4.dynbatch.onnx",
    "torchvision/shufflenet_v2_x1_0_224.onnx", "jetson/yolov10n_640.ts17.onnx", "engines/mobilenet_v2_qdq.onnx",
)  # fmt: skip


@pytest.mark.parametrize("name", SAMPLE)
def test_types_agree_with_those_that_onnx_infers(shared: Path, name: str):
    import onnx

    from graphcost.importer import load

    graph = load(shared / "models" / name, OPERATORS).graph
    ours = {value.name: value.type for value in graph.values()}
    for value, dims in _onnx_dims(onnx.load(shared / "models" / name, load_external_data=False), ours):
        found = ours.get(value)
        if isinstance(found, TensorType):
            assert found.dims is not None, value
            assert [o or d for o, d in zip(dims, found.dims)] == list(found.dims), value


def _onnx_dims(model: Any, ours: dict[str, Any]) -> list[tuple[str, list[int | None]]]:
    """What onnx infers, each dimension that it knows; the file's own declarations are taken out first."""
    import onnx

    del model.graph.value_info[:]
    for entry in model.graph.input:
        shape = entry.type.tensor_type.shape
        for dim, size in zip(shape.dim, ours[entry.name].dims if entry.name in ours else ()):
            dim.dim_value = size
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.value_info
    known = [info for info in inferred if info.type.tensor_type.HasField("shape")]
    shapes = [(info.name, info.type.tensor_type.shape.dim) for info in known]
    return [(name, [d.dim_value if d.HasField("dim_value") else None for d in dims]) for name, dims in shapes]
