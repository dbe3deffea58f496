"""Shape functions of computing operators, checked against the tensors in onnx's own node tests, and at their edges."""

from __future__ import annotations

import contextlib
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy
import pytest

from graphcost.ir import Node, Value
from graphcost.operators import InferTypes
from graphcost.shapes import (
    attention,
    contraction,
    contrib,
    contrib_attention,
    convolution,
    generators,
    ml,
    normalization,
    plugins,
    pooling,
    quantization,
    recurrent,
    reduction,
    sampling,
    selection,
    spectral,
    strings,
    training,
)
from graphcost.shapes.errors import ShapeMismatch
from graphcost.types import NONE, UNKNOWN, Attr, Constant, ContainerType, TensorType, Type, Unknown

_FAMILIES = (
    attention, contraction, contrib, contrib_attention, convolution, generators, ml, normalization, plugins, pooling,
    quantization, recurrent, reduction, sampling, selection, spectral, strings, training,
)  # fmt: skip
SHAPES: dict[str, InferTypes] = {op: infer for family in _FAMILIES for op, infer in family.SHAPES.items()}

_ELEMENTS = {
    "FLOAT": "f32", "DOUBLE": "f64", "FLOAT16": "f16", "BFLOAT16": "bf16", "INT64": "i64", "INT32": "i32",
    "INT16": "i16", "INT8": "i8", "INT4": "i4", "INT2": "i2", "UINT64": "u64", "UINT32": "u32", "UINT16": "u16",
    "UINT8": "u8", "UINT4": "u4", "UINT2": "u2", "BOOL": "bool", "STRING": "str", "FLOAT8E4M3FN": "f8e4m3fn",
    "FLOAT8E4M3FNUZ": "f8e4m3fnuz", "FLOAT8E5M2": "f8e5m2", "FLOAT8E5M2FNUZ": "f8e5m2fnuz", "FLOAT4E2M1": "f4e2m1",
    "FLOAT8E8M0": "f8e8m0",
}  # fmt: skip
_ELEMENT_ATTRIBUTES = {"dtype", "output_dtype", "output_datatype", "stash_type", "softmax_precision", "precision"}

_DATA_DEPENDENT = {
    "onnx.ImageDecoder",
    "onnx.NonMaxSuppression",
    "onnx.StringNormalizer",
    "onnx.StringSplit",
    "onnx.Unique",
}
"""The only operators here whose result's size may be unknown although every operand is known."""


class Case(NamedTuple):
    """A node of onnx's tests, as ours, and the types of the tensors that the reference made of it."""

    name: str
    node: Node
    data: Mapping[Value, numpy.ndarray]
    expected: Sequence[Type]


@pytest.fixture(scope="module")
def cases() -> dict[str, list[Case]]:
    """onnx's node tests, by our operator name. Those of older opsets have the same form for the operators here."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collected = collect_testcases(None)
    found: dict[str, list[Case]] = defaultdict(list)
    for collected_case in collected:
        if _is_ours(collected_case.model.graph):
            case = _case(collected_case)
            found[case.node.op].append(case)
    return found


def _is_ours(graph: Any) -> bool:
    """One node, not the expansion of one into primitives."""
    return len(graph.node) == 1 and _operator(graph.node[0]) in SHAPES


def _operator(proto: Any) -> str:
    return f"{proto.domain or 'onnx'}.{proto.op_type}"


def _case(collected: Any) -> Case:
    (proto,), graph = collected.model.graph.node, collected.model.graph
    inputs, outputs = collected.data_sets[0]
    arrays = {info.name: _array(data) for info, data in zip(graph.input, inputs)}
    values = {info.name: Value(info.name, _type(info.type, arrays[info.name])) for info in graph.input}
    results = [Value(name, UNKNOWN if name else NONE) for name in proto.output]
    attrs = {attr.name: _attribute(attr) for attr in proto.attribute}
    node = Node(_operator(proto), [values.get(name) for name in proto.input], results, attrs)
    data = {values[name]: array for name, array in arrays.items()}
    made = {info.name: _type(info.type, _array(array)) for info, array in zip(graph.output, outputs)}
    return Case(collected.name, node, data, [made.get(name, NONE) for name in proto.output])


def _array(data: Any) -> Any:
    import onnx

    if isinstance(data, onnx.TensorProto):
        return numpy.zeros(tuple(data.dims)) if data.data_type > 16 else onnx.numpy_helper.to_array(data)
    return data if isinstance(data, (list, dict)) else numpy.asarray(data)


def _type(proto: Any, data: Any) -> Type:
    import onnx

    if proto.HasField("tensor_type"):
        return TensorType(_ELEMENTS[onnx.TensorProto.DataType.Name(proto.tensor_type.elem_type)], data.shape)
    assert proto.HasField("sequence_type")
    return ContainerType("seq", UNKNOWN)


def _attribute(proto: Any) -> Attr:
    import onnx

    value = onnx.helper.get_attribute_value(proto)
    if proto.name in _ELEMENT_ATTRIBUTES:
        return _ELEMENTS[onnx.TensorProto.DataType.Name(value)] if value else 0
    if isinstance(value, onnx.TensorProto):
        array = onnx.numpy_helper.to_array(value)
        dtype = _ELEMENTS[onnx.TensorProto.DataType.Name(value.data_type)]
        return Constant(dtype, tuple(value.dims), tuple(array.reshape(-1).tolist()))
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, (int, float)) and hasattr(value, "__iter__"):
        return tuple(item.decode() if isinstance(item, bytes) else item for item in value)
    return value


def _knows(data: Mapping[Value, numpy.ndarray]) -> Any:
    """What the propagation of small constants would know if every small operand were a constant."""

    def known(value: Value | None) -> numpy.ndarray | None:
        array = None if value is None else data.get(value)
        if array is None or not hasattr(array, "dtype") or array.size > 1024:
            return None
        return array.astype(numpy.int64) if array.dtype.kind in "iu" else None

    return known


def _nothing(value: Value | None) -> None:
    return None


def _infer(node: Node, data: Mapping[Value, numpy.ndarray] | None = None) -> Sequence[Type]:
    return SHAPES[node.op](node, _knows(data or {}))


def _agrees(ours: Type, real: Type, may_be_unknown: bool) -> bool:
    """The same element type and dimensions; an unknown dimension must not exclude the real one."""
    if not isinstance(ours, TensorType) or not isinstance(real, TensorType):
        return ours == real or isinstance(ours, ContainerType) and isinstance(real, ContainerType)
    if ours.dtype != real.dtype or ours.dims is None or real.dims is None or len(ours.dims) != len(real.dims):
        return False
    return all(_holds(a, b, may_be_unknown) for a, b in zip(ours.dims, real.dims))


def _holds(ours: Any, real: Any, may_be_unknown: bool) -> bool:
    if isinstance(ours, Unknown):
        return may_be_unknown and (ours.max is None or real <= ours.max)
    return ours == real


_OF_ONNX = sorted(op for op in SHAPES if not op.startswith("com.microsoft."))


@pytest.mark.parametrize("op", _OF_ONNX)
def test_types_are_those_of_the_tensors_that_the_reference_makes(op: str, cases: dict[str, list[Case]]) -> None:
    if op not in cases:
        pytest.skip("onnx has no node test of it")
    wrong = [
        f"{case.name}: {list(map(str, ours))} instead of {list(map(str, case.expected))}"
        for case in cases[op]
        for ours in [_infer(case.node, case.data)]
        if len(ours) != len(case.expected)
        or not all(_agrees(a, b, op in _DATA_DEPENDENT) for a, b in zip(ours, case.expected))
    ]
    assert not wrong, "\n".join(wrong)


def test_operands_of_unknown_type_give_results_that_exclude_nothing(cases: dict[str, list[Case]]) -> None:
    assert not [line for case in _each(cases) for line in _exclusions(case, _with_operands(case.node, _blind))]


def test_unknown_dimensions_and_constants_give_results_whose_bounds_hold(cases: dict[str, list[Case]]) -> None:
    assert not [line for case in _each(cases) for line in _exclusions(case, _with_operands(case.node, _blurred))]


def _with_operands(node: Node, change: Callable[[Value], Value]) -> Sequence[Type]:
    """The types of the results over other operands, nothing being known about their data."""
    operands = [None if value is None else change(value) for value in node.operands]
    return SHAPES[node.op](Node(node.op, operands, [Value(r.name, r.type) for r in node.results], node.attrs), _nothing)


def _blind(value: Value) -> Value:
    return Value(value.name, UNKNOWN)


def test_operands_of_the_wrong_rank_are_refused_or_tolerated_but_never_crash(cases: dict[str, list[Case]]) -> None:
    for case in _each(cases):
        for dims in ((), (0,), (3,), (2, 3), (0, 0, 0), (2, 3, 4, 5, 6)):
            with contextlib.suppress(ShapeMismatch):
                found = _with_operands(case.node, lambda value, dims=dims: _shaped(value, dims))
                assert len(found) == len(case.node.results), case.name


def _shaped(value: Value, dims: tuple[int, ...]) -> Value:
    return Value(value.name, value.type.with_dims(dims) if isinstance(value.type, TensorType) else value.type)


def _each(cases: dict[str, list[Case]]) -> Iterator[Case]:
    return (case for op in _OF_ONNX for case in cases.get(op, ()))


def _blurred(value: Value) -> Value:
    """The same operand, each dimension known only as "at most what it is"."""
    if not isinstance(value.type, TensorType) or value.type.dims is None:
        return value
    dims = (Unknown(f"{value.name}{axis}", dim) for axis, dim in enumerate(value.type.dims) if isinstance(dim, int))
    return Value(value.name, value.type.with_dims(dims))


def _exclusions(case: Case, found: Sequence[Type]) -> list[str]:
    assert len(found) == len(case.expected), case.name
    pairs = zip(found, case.expected)
    return [f"{case.name}: {ours} excludes {real}" for ours, real in pairs if not _could_be(ours, real)]


def _could_be(ours: Type, real: Type) -> bool:
    if not isinstance(ours, TensorType) or not isinstance(real, TensorType):
        return type(ours) is type(real)
    if ours.dtype not in ("?", real.dtype):
        return False
    if ours.dims is None or real.dims is None:
        return True
    return len(ours.dims) == len(real.dims) and all(_holds(a, b, True) for a, b in zip(ours.dims, real.dims))


# Edges


def _node(op: str, operands: Sequence[str | None], results: int = 1, **attrs: Attr) -> Node:
    """Operands as `f32[2,n,4]`, where a letter is an unknown dimension."""
    values = [text and Value(f"x{slot}", _parsed(text)) for slot, text in enumerate(operands)]
    return Node(op, [v or None for v in values], [Value(f"y{i}", UNKNOWN) for i in range(results)], attrs, name="it")


def _parsed(text: str) -> TensorType:
    dtype, _, inside = text.rstrip("]").partition("[")
    dims = (int(word) if word.isdigit() else Unknown(word) for word in inside.split(",") if word)
    return TensorType(dtype, tuple(dims))


def _text(op: str, operands: Sequence[str | None], results: int = 1, **attrs: Attr) -> list[str]:
    return [str(found) for found in _infer(_node(op, operands, results, **attrs))]


def _filled(op: str, operands: Sequence[str | None], constants: Mapping[int, Any], **attrs: Attr) -> list[str]:
    """The results when the data of some operands are known."""
    node = _node(op, operands, **attrs)
    data = {node.operands[slot]: numpy.array(array) for slot, array in constants.items()}
    return [str(found) for found in SHAPES[op](node, data.get)]


def test_an_unknown_batch_passes_through_a_convolution_alone() -> None:
    found = _text("onnx.Conv", ["f32[n,3,224,224]", "f32[64,3,7,7]"], strides=(2, 2), pads=(3, 3, 3, 3))
    assert found == ["f32[?n,64,112,112]"]


def test_a_convolution_that_keeps_its_size_keeps_an_unknown_size() -> None:
    assert _text("onnx.Conv", ["f32[1,3,h,w]", "f32[8,3,3,3]"], pads=(1, 1, 1, 1)) == ["f32[1,8,?h,?w]"]


def test_same_padding_divides_by_the_stride_and_rounds_up() -> None:
    found = _text("onnx.Conv", ["f32[1,3,9,10]", "f32[8,3,3,3]"], strides=(2, 3), auto_pad="SAME_LOWER")
    assert found == ["f32[1,8,5,4]"]


def test_channels_that_do_not_fit_are_refused_with_the_name_of_the_node() -> None:
    with pytest.raises(ShapeMismatch, match="'it'.*channels.*4 and 3"):
        _text("onnx.Conv", ["f32[1,4,9,9]", "f32[8,3,3,3]"])


def test_attributes_that_would_divide_by_zero_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match="strides and dilations must be 1 or more"):
        _text("onnx.MaxPool", ["f32[1,4,5,9]"], kernel_shape=(2, 2), strides=(0, 1))
    with pytest.raises(ShapeMismatch, match="attribute group is 0 where 1 or more"):
        _text("onnx.Conv", ["f32[1,4,9,9]", "f32[8,4,3,3]"], group=0)


def test_a_window_larger_than_its_padded_input_is_refused() -> None:
    with pytest.raises(ShapeMismatch, match="window of 7 does not fit"):
        _text("onnx.MaxPool", ["f32[1,4,5,9]"], kernel_shape=(7, 7))


def test_pads_for_the_wrong_number_of_axes_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match="pads has 2 entries where 4"):
        _text("onnx.AveragePool", ["f32[1,4,5,9]"], kernel_shape=(3, 3), pads=(1, 1))


def test_rounding_up_takes_no_window_that_starts_in_the_padding() -> None:
    attrs: dict[str, Attr] = {"kernel_shape": (1, 1), "strides": (2, 2), "pads": (0, 0, 1, 1), "ceil_mode": 1}
    assert _text("onnx.MaxPool", ["f32[1,1,2,4]"], **attrs) == ["f32[1,1,1,2]"]


def test_a_transposed_convolution_takes_the_output_shape_that_is_asked() -> None:
    operands = ["f32[1,3,3,3]", "f32[3,2,3,3]"]
    assert _text("onnx.ConvTranspose", operands, strides=(3, 2), output_shape=(10, 8)) == ["f32[1,2,10,8]"]
    assert _text("onnx.ConvTranspose", operands, strides=(3, 2), output_shape=(1, 2, 10, 8)) == ["f32[1,2,10,8]"]


def test_a_result_that_nobody_asked_for_stays_none() -> None:
    node = Node("onnx.LSTM", [Value("x", TensorType("f32", (7, 2, 4))), None, None], [
        Value("y", NONE), Value("h", UNKNOWN), Value("c", NONE)
    ], {"hidden_size": 5})  # fmt: skip
    assert [str(found) for found in _infer(node)] == ["none", "f32[1,2,5]", "none"]


def test_matrix_products_follow_numpy() -> None:
    assert _text("onnx.MatMul", ["f32[4]", "f32[4]"]) == ["f32[]"]
    assert _text("onnx.MatMul", ["f32[4]", "f32[b,4,5]"]) == ["f32[?b,5]"]
    assert _text("onnx.MatMul", ["f32[b,1,3,4]", "f32[7,4,5]"]) == ["f32[?b,7,3,5]"]
    with pytest.raises(ShapeMismatch, match="4 and 3"):
        _text("onnx.MatMul", ["f32[2,4]", "f32[3,5]"])


def test_einsum_understands_ellipses_and_implicit_results() -> None:
    assert _text("onnx.Einsum", ["f32[2,3,4,5]", "f32[2,3,5,6]"], equation="...ij, ...jk -> ...ik") == ["f32[2,3,4,6]"]
    assert _text("onnx.Einsum", ["f32[4,5]", "f32[5,b]"], equation="ij,jk") == ["f32[4,?b]"]
    with pytest.raises(ShapeMismatch, match="does not name the 3 dimensions"):
        _text("onnx.Einsum", ["f32[2,3,4]"], equation="ij->i")


def test_a_transformer_with_symbolic_lengths_adds_the_past_to_the_present() -> None:
    operands = ["f16[b,8,s,64]", "f16[b,8,s,64]", "f16[b,8,s,32]", None, "f16[b,8,p,64]", "f16[b,8,p,32]"]
    found = _text("onnx.Attention", operands, 4)
    assert found[:2] == ["f16[?b,8,?s,32]", 'f16[?b,8,?"(s+p)",64]']


def test_suppression_is_bounded_by_boxes_classes_and_the_limit() -> None:
    op, operands = "onnx.NonMaxSuppression", ["f32[1,100,4]", "f32[1,80,100]", "i64[]"]
    assert _filled(op, operands, {2: 20}) == ["i64[?it<=1600,3]"]
    assert _filled(op, operands, {2: 2**62}) == ["i64[?it<=8000,3]"]
    assert _filled(op, operands, {}) == ["i64[?it<=8000,3]"]
    assert _filled(op, operands[:2], {}) == ["i64[0,3]"]


def test_the_k_largest_are_unknown_but_bounded_where_k_is() -> None:
    assert _text("onnx.TopK", ["f32[2,9]", "i64[1]"], 2) == ["f32[2,?it<=9]", "i64[2,?it<=9]"]


def test_reduction_over_axes_that_nobody_knows_keeps_the_rank_or_lowers_it_by_their_number() -> None:
    assert _text("onnx.ReduceSum", ["f32[2,1]", "i64[1]"]) == ['f32[?"it.0"<=2,1]']
    assert _text("onnx.ReduceSum", ["f32[2,1]", "i64[1]"], keepdims=0) == ['f32[?"it.0"<=2]']
    assert _text("onnx.ReduceSum", ["f32[2,1,5,5]", "i64[1]"], keepdims=0) == ['f32[?"it.0"<=2,?"it.1"<=5,5]']
    assert _text("onnx.ReduceSum", ["f32[2,1]", "i64[?n]"], keepdims=0) == ["f32[*]"]
    assert _text("onnx.ReduceSum", ["f32[2,3]"]) == ["f32[1,1]"]
    assert _text("onnx.ReduceSum", ["f32[2,3]"], noop_with_empty_axes=1) == ["f32[2,3]"]


def test_an_axis_outside_the_tensor_is_refused() -> None:
    with pytest.raises(ShapeMismatch, match="axis 2 is outside a tensor of 2"):
        _text("onnx.ArgMax", ["f32[2,3]"], axis=2)


def test_batch_norm_in_training_gives_running_statistics_of_each_channel() -> None:
    operands = ["f16[8,64,7,7]", *["f32[64]"] * 4]
    assert _text("onnx.BatchNormalization", operands, 3, training_mode=1) == ["f16[8,64,7,7]", "f32[64]", "f32[64]"]


def test_a_classifier_ends_in_a_sequence_of_maps() -> None:
    assert _text("ai.onnx.ml.ZipMap", ["f32[8,3]"]) == ["seq(map(f32[]))"]


def test_the_suppression_plug_in_of_tensorrt_pads_to_its_limit() -> None:
    found = _text("TRT.EfficientNMS_TRT", ["f32[1,8400,4]", "f32[1,8400,80]"], 4, max_output_boxes=100)
    assert found == ["i32[1,1]", "f32[1,100,4]", "f32[1,100]", "i32[1,100]"]


def test_no_operator_is_typed_by_two_families() -> None:
    assert sum(len(family.SHAPES) for family in _FAMILIES) == len(SHAPES)
