"""What inference takes from elsewhere: numbers that the file tells later on, names of numbers, bodies and depth."""

from __future__ import annotations

import onnx
import pytest
import traps
from onnx_models import ints, model, node, value

import graphcost
from graphcost.errors import ModelError
from graphcost.types import MAX_NAME, Unknown


def types(made: onnx.ModelProto | bytes, **options: object) -> dict[str, str]:
    run = graphcost.run(made, pipeline="", **options)
    return {v.name: str(v.type) for v in run.graph.values()}


def data_dependent(declared: list[int | str] | None) -> onnx.ModelProto:
    """The rows of `x` whose condition holds, twice as large: how many there are, nobody knows before the end."""
    nodes = [
        node("Compress", ["x", "c"], ["kept"], axis=0, name="keep"),
        node("Relu", ["kept"], ["r"]),
        node("Mul", ["r", "r"], ["y"]),
    ]
    return model(nodes, [value("x", [8, 4]), value("c", [8], onnx.TensorProto.BOOL)], [value("y", declared)])


def test_a_number_that_the_file_declares_later_holds_for_the_same_dimension_before():
    found = types(data_dependent([5, 4]))
    assert (found["kept"], found["r"], found["y"]) == ("f32[5,4]",) * 3


def test_a_number_that_cannot_be_is_not_believed():
    assert types(data_dependent([9, 4]))["kept"] == "f32[?keep<=8,4]"


def test_numbers_that_contradict_each_other_leave_the_dimension_unknown():
    made = data_dependent([5, 4])
    made.graph.node.append(node("Neg", ["r"], ["z"]))
    made.graph.output.append(value("z", [3, 4]))
    assert types(made)["kept"] == "f32[?keep<=8,4]"


def test_a_number_of_the_user_comes_before_one_of_the_file():
    assert types(data_dependent([5, 4]), dims={"keep": 2})["kept"] == "f32[2,4]"


def test_a_range_is_called_after_the_number_that_ends_it():
    nodes = [
        node("Squeeze", ["n"], ["limit"]),
        node("Range", ["zero", "limit", "one"], ["r"]),
    ]
    scalars = [onnx.helper.make_tensor(name, 7, [], [number]) for name, number in (("zero", 0), ("one", 1))]
    made = model(nodes, [value("n", [1], onnx.TensorProto.INT64)], [value("r", None, 7)], scalars)
    assert types(made)["r"] == "i64[?n]"


def test_single_numbers_put_side_by_side_make_a_shape_though_none_of_them_is_known():
    nodes = [node("Concat", ["h", "w"], ["s"], axis=0), node("ConstantOfShape", ["s"], ["y"])]
    made = model(nodes, [value(name, [1], 7) for name in "hw"], [value("y", None)])
    assert types(made)["y"] == "f32[?h,?w]"


def test_symbols_inside_a_sequence_get_a_size_like_any_other():
    tensor = onnx.helper.make_tensor_type_proto(1, ["N", 4])
    sequence = onnx.helper.make_sequence_type_proto(tensor)
    made = model([node("SequenceAt", ["s", "i"], ["y"])], [], [value("y", None)], [ints("i", [0])])
    made.graph.input.append(onnx.helper.make_value_info("s", sequence))
    assert types(made, dims={"N": 7})["y"] == "f32[7,4]"


def test_a_known_condition_is_noted_so_that_work_counts_the_branch_that_is_taken():
    def branch(operator: str) -> onnx.GraphProto:
        return onnx.helper.make_graph([node(operator, ["x"], [operator])], "b", [], [value(operator, None)])

    choice = node("If", ["c"], ["y"], then_branch=branch("Relu"), else_branch=branch("Mish"))
    known = onnx.helper.make_tensor("c", onnx.TensorProto.BOOL, [], [True])
    report = graphcost.analyze(model([choice], [value("x", [8])], [value("y", None)], [known]), pipeline="")
    assert report.totals.elementwise_ops == 8
    assert report.warnings == ()


def test_two_results_of_one_name_are_refused():
    twice = model([node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"])], [value("x", [4])], [value("y", [4])])
    with pytest.raises(ModelError, match="two results are called 'y'"):
        graphcost.analyze(twice)


def test_functions_that_grow_without_end_are_refused_before_they_are_built():
    with pytest.raises(ModelError, match="stand for more than 250,000 nodes"):
        graphcost.analyze(traps.doubling_functions(60))


def test_functions_count_no_more_often_than_they_are_called():
    assert len(graphcost.run(traps.doubling_functions(10), pipeline="").graph) == 1024


def test_a_name_that_grows_too_long_is_shortened_alike_for_the_same_dimension():
    doubled = [Unknown("n"), Unknown("n")]
    for _ in range(40):
        doubled = [dim + dim for dim in doubled]
    assert doubled[0] == doubled[1]
    assert len(str(doubled[0])) <= MAX_NAME + 1
    assert doubled[0] != doubled[0] + 1


def test_loops_far_inside_other_loops_cost_no_more_than_the_first():
    found = graphcost.analyze(traps.nested("Loop", 12)())
    assert [kernel.op for kernel in found.kernels] == ["onnx.Loop"]
