"""Work: exact counts of every family, by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcost.ir import Graph, Node, Value
from graphcost.memory import ALIASES
from graphcost.memory.storage import CONTROL_FLOW
from graphcost.operators import Operators
from graphcost.types import NONE, UNKNOWN, Attr, Constant, ContainerType, TensorType, Type, Unknown
from graphcost.work import WORK, NodeWork, Work, node_work, work_table

OPERATORS = Operators(work=WORK, aliases=ALIASES)


def f32(*dims: int) -> TensorType:
    return TensorType("f32", dims)


def i64(*values: int) -> Value:
    return Value("k", TensorType("i64", (len(values),)), Constant("i64", (len(values),), values))


def node(
    op: str, operands: Sequence[Type | Value | None], results: Sequence[Type], attrs: Mapping[str, Attr] | None = None
) -> Node:
    values = [v if v is None or isinstance(v, Value) else Value(f"x{i}", v) for i, v in enumerate(operands)]
    return Node(op, values, [Value(f"y{i}", t) for i, t in enumerate(results)], attrs)


def counted(
    op: str, operands: Sequence[Type | Value | None], results: Sequence[Type], attrs: Mapping[str, Attr] | None = None
) -> NodeWork:
    return node_work(node(op, operands, results, attrs), OPERATORS)


def macs_and_ops(*arguments: object, **attrs: Attr) -> tuple[int, int]:
    found = counted(*arguments, attrs)  # type: ignore[arg-type]
    assert found.unknown is None, found.unknown
    return found.work.macs, found.work.elementwise_ops


# Contractions


def test_a_convolution_multiplies_each_output_by_the_kernel_and_the_channels_of_its_group():
    found = counted("onnx.Conv", [f32(1, 3, 8, 8), f32(4, 3, 3, 3), f32(4)], [f32(1, 4, 6, 6)])
    assert found.work == Work(4 * 36 * 27, 4 * 36, 4 * (192 + 108 + 4), 4 * 144)


def test_a_depthwise_convolution_has_one_channel_in_each_group():
    assert macs_and_ops("onnx.Conv", [f32(2, 8, 5, 5), f32(8, 1, 3, 3)], [f32(2, 8, 5, 5)], group=8) == (400 * 9, 0)


def test_a_transposed_convolution_spreads_each_input_over_the_kernel():
    shapes = [f32(2, 8, 5, 5), f32(8, 6, 3, 3), f32(6)], [f32(2, 6, 11, 11)]
    assert macs_and_ops("onnx.ConvTranspose", *shapes) == (2 * 8 * 25 * 6 * 9, 2 * 6 * 121)


def test_a_deformable_convolution_interpolates_each_sample():
    operands = [f32(1, 4, 6, 6), f32(8, 4, 3, 3), f32(1, 18, 4, 4), None, f32(1, 9, 4, 4)]
    assert macs_and_ops("onnx.DeformConv", operands, [f32(1, 8, 4, 4)]) == (128 * 36, 4 * 9 * 16 * 8 + 18 * 16)


@pytest.mark.parametrize(
    ("a", "b", "out", "macs"),
    [
        (f32(2, 3), f32(3, 4), f32(2, 4), 24),
        (f32(5, 2, 3), f32(3, 4), f32(5, 2, 4), 120),
        (f32(3), f32(3, 4), f32(4), 12),
        (f32(2, 3), f32(3), f32(2), 6),
        (f32(3), f32(3), f32(), 3),
    ],
)
def test_a_matrix_product_sums_over_the_last_dimension_of_a(a, b, out, macs):
    assert macs_and_ops("onnx.MatMul", [a, b], [out]) == (macs, 0)
    assert macs_and_ops("onnx.MatMulInteger", [a, b], [out]) == (macs, 0)


def test_gemm_counts_alpha_beta_and_the_bias_only_where_they_act():
    operands = [f32(3, 2), f32(3, 4), f32(4)]
    assert macs_and_ops("onnx.Gemm", operands, [f32(2, 4)], transA=1) == (24, 8)
    assert macs_and_ops("onnx.Gemm", operands, [f32(2, 4)], transA=1, alpha=0.5, beta=0.5) == (24, 24)
    assert macs_and_ops("onnx.Gemm", operands[:2], [f32(2, 4)], transA=1, beta=0.5) == (24, 0)


def test_quantised_contractions_count_the_same_multiply_adds():
    scalar, u8 = f32(), lambda *dims: TensorType("u8", dims)
    conv = [u8(1, 3, 8, 8), scalar, u8(), u8(4, 3, 3, 3), scalar, u8(), scalar, u8(), TensorType("i32", (4,))]
    assert macs_and_ops("onnx.QLinearConv", conv, [u8(1, 4, 6, 6)]) == (144 * 27, 144 * 6)
    product = [u8(2, 3), scalar, u8(), u8(3, 4), scalar, u8(), scalar, u8()]
    assert macs_and_ops("onnx.QLinearMatMul", product, [u8(2, 4)]) == (24, 40)
    blocks = [f32(5, 64), TensorType("u8", (32, 2, 16)), f32(64)]
    assert macs_and_ops("com.microsoft.MatMulNBits", blocks, [f32(5, 32)], N=32, K=64) == (5 * 64 * 32, 2 * 64 * 32)


@pytest.mark.parametrize(
    ("equation", "operands", "out", "expected"),
    [
        ("ij,jk->ik", [f32(2, 3), f32(3, 4)], f32(2, 4), (24, 0)),
        ("bhid,bhjd->bhij", [f32(2, 4, 5, 8), f32(2, 4, 6, 8)], f32(2, 4, 5, 6), (2 * 4 * 5 * 6 * 8, 0)),
        ("...ij,...jk->...ik", [f32(7, 2, 3), f32(3, 4)], f32(7, 2, 4), (7 * 24, 0)),
        ("i,j->ij", [f32(3), f32(4)], f32(3, 4), (0, 12)),
        ("ij->i", [f32(3, 4)], f32(3), (0, 9)),
        ("ij,jk", [f32(2, 3), f32(3, 4)], f32(2, 4), (24, 0)),
        ("ij,jk,kl->il", [f32(2, 3), f32(3, 4), f32(4, 5)], f32(2, 5), (24 + 40, 0)),
        ("ij,kj->k", [f32(2, 3), f32(4, 3)], f32(4), (12, 3)),
        ("i,i->", [f32(5), f32(5)], f32(), (5, 0)),
    ],
)
def test_einsum_joins_operands_in_pairs_and_counts_what_is_contracted(equation, operands, out, expected):
    assert macs_and_ops("onnx.Einsum", operands, [out], equation=equation) == expected


def test_an_lstm_multiplies_both_weights_at_each_step_and_direction():
    operands = [f32(7, 2, 5), f32(2, 12, 5), f32(2, 12, 3), f32(2, 24)]
    macs, ops = macs_and_ops("onnx.LSTM", operands, [f32(7, 2, 2, 3), f32(2, 2, 3), f32(2, 2, 3)])
    assert macs == 7 * 2 * 2 * 12 * (5 + 3)
    assert ops == 7 * 2 * 2 * 3 * (4 + 12 + 2 + 3 + 1 + 8)


def test_a_gru_and_an_rnn_have_three_and_one_gates():
    gru = [f32(7, 2, 5), f32(1, 9, 5), f32(1, 9, 3)]
    assert macs_and_ops("onnx.GRU", gru, [f32(7, 1, 2, 3), NONE])[0] == 14 * 9 * 8
    rnn = [f32(7, 2, 5), f32(1, 3, 5), f32(1, 3, 3)]
    assert macs_and_ops("onnx.RNN", rnn, [f32(7, 1, 2, 3), NONE]) == (14 * 3 * 8, 14 * 3 * 2)


def test_attention_meets_every_key_also_those_in_the_cache():
    q, kv, past = f32(2, 8, 4, 16), f32(2, 2, 4, 16), f32(2, 2, 10, 16)
    operands = [q, kv, kv, None, past, past]
    scores = 2 * 8 * 4 * 14
    assert macs_and_ops("onnx.Attention", operands, [q]) == (scores * 32, scores * 6)
    flat = [f32(2, 4, 128), f32(2, 4, 32), f32(2, 4, 32)]
    attrs: dict[str, Attr] = {"q_num_heads": 8, "kv_num_heads": 2, "is_causal": 1}
    assert macs_and_ops("onnx.Attention", flat, [f32(2, 4, 128)], **attrs) == (2 * 8 * 16 * 32, 2 * 8 * 16 * 7)


def test_the_attentions_of_onnx_runtime_count_their_projections_too():
    operands = [f32(2, 10, 64), f32(64, 192), f32(192)]
    macs, ops = macs_and_ops("com.microsoft.Attention", operands, [f32(2, 10, 64)], num_heads=4)
    assert macs == 2 * 10 * 64 * 192 + 2 * 4 * 10 * 10 * 32
    assert ops == 2 * 4 * 100 * 6 + 2 * 10 * 192
    separate = [f32(2, 10, 64), f32(2, 12, 64), f32(2, 12, 64)]
    assert macs_and_ops("com.microsoft.MultiHeadAttention", separate, [f32(2, 10, 64)], num_heads=4)[0] == 2 * 120 * 128
    grouped = [f32(1, 1, 64), f32(1, 1, 16), f32(1, 1, 16), f32(1, 2, 31, 8), f32(1, 2, 31, 8)]
    attrs: dict[str, Attr] = {"num_heads": 8, "kv_num_heads": 2}
    assert macs_and_ops("com.microsoft.GroupQueryAttention", grouped, [f32(1, 1, 64)], **attrs)[0] == 8 * 32 * 16


# Elementwise, reductions, normalisations


@pytest.mark.parametrize(
    ("op", "operands", "ops"),
    [
        ("onnx.Relu", [f32(2, 3)], 6),
        ("onnx.Add", [f32(2, 3), f32(3)], 6),
        ("onnx.Sigmoid", [f32(2, 3)], 24),
        ("onnx.HardSwish", [f32(2, 3)], 30),
        ("onnx.Gelu", [f32(2, 3)], 30),
        ("onnx.Clip", [f32(2, 3), None, f32()], 6),
        ("onnx.Clip", [f32(2, 3), f32(), f32()], 12),
        ("onnx.Sum", [f32(2, 3), f32(3), f32(3)], 12),
        ("onnx.Mean", [f32(2, 3), f32(3)], 12),
        ("onnx.Softmax", [f32(2, 3)], 30),
        ("onnx.LRN", [f32(2, 3)], 30),
        ("onnx.BatchNormalization", [f32(2, 3), f32(3), f32(3), f32(3), f32(3)], 24 + 6),
        ("onnx.LayerNormalization", [f32(2, 3), f32(3), f32(3)], 6 * 7 + 2 * 3),
        ("onnx.LayerNormalization", [f32(2, 3), f32(3)], 6 * 6 + 2 * 3),
        ("onnx.RMSNormalization", [f32(2, 3), f32(3)], 6 * 4 + 2 * 3),
    ],
)
def test_elementwise_operators_count_the_steps_of_their_formula(op, operands, ops):
    attrs: dict[str, Attr] = {"size": 1} if op == "onnx.LRN" else {}
    assert macs_and_ops(op, operands, [f32(2, 3)], **attrs) == (0, ops)


@pytest.mark.parametrize(
    ("op", "ops"),
    [
        ("ReduceSum", 21),
        ("ReduceMean", 24),
        ("ReduceMax", 21),
        ("ReduceL2", 48),
        ("ReduceLogSumExp", 48),
        ("ArgMax", 21),
    ],
)
def test_joining_n_elements_takes_n_less_one_operations(op, ops):
    assert macs_and_ops(f"onnx.{op}", [f32(3, 8)], [f32(3, 1)]) == (0, ops)


def test_pooling_counts_the_positions_of_its_window():
    operands, results = [f32(1, 2, 8, 8)], [f32(1, 2, 4, 4)]
    assert macs_and_ops("onnx.MaxPool", operands, results, kernel_shape=(3, 3)) == (0, 32 * 8)
    assert macs_and_ops("onnx.AveragePool", operands, results, kernel_shape=(3, 3)) == (0, 32 * 9)
    assert macs_and_ops("onnx.GlobalAveragePool", operands, [f32(1, 2, 1, 1)]) == (0, 128)


def test_batch_normalization_in_training_also_finds_its_statistics():
    operands = [f32(2, 3, 4), f32(3), f32(3), f32(3), f32(3)]
    assert macs_and_ops("onnx.BatchNormalization", operands, [f32(2, 3, 4)], training_mode=1) == (0, 24 * 8 + 3 * 8)


def test_resizing_weighs_neighbours_along_the_axes_that_change():
    results = [f32(1, 2, 8, 8)]
    assert macs_and_ops("onnx.Resize", [f32(1, 2, 4, 4)], results, mode="nearest") == (0, 0)
    assert macs_and_ops("onnx.Resize", [f32(1, 2, 4, 4)], results, mode="linear") == (0, 128 * 7)
    assert macs_and_ops("onnx.Resize", [f32(1, 2, 4, 8)], results, mode="cubic") == (0, 128 * 7)


def test_a_fourier_transform_takes_5_n_log_n_and_half_of_it_for_real_data():
    attrs: dict[str, Attr] = {"axis": 1}
    assert macs_and_ops("onnx.DFT", [f32(3, 16, 2)], [f32(3, 16, 2)], **attrs) == (0, 3 * 5 * 16 * 4)
    assert macs_and_ops("onnx.DFT", [f32(3, 16, 1)], [f32(3, 16, 2)], **attrs) == (0, 3 * 5 * 16 * 2)
    frames = [f32(2, 100, 1), i64(4), f32(16)]
    assert macs_and_ops("onnx.STFT", frames, [f32(2, 22, 9, 2)]) == (0, 44 * (160 + 16))


def test_top_k_goes_through_a_heap_of_k():
    results = [f32(4, 8), TensorType("i64", (4, 8))]
    assert macs_and_ops("onnx.TopK", [f32(4, 100), i64(8)], results, axis=-1) == (0, 400 * 3)


# Bytes


@pytest.mark.parametrize(
    ("op", "operands", "results", "read", "written"),
    [
        ("onnx.Identity", [f32(6)], [f32(6)], 0, 0),
        ("onnx.Reshape", [f32(2, 3), i64(6)], [f32(6)], 0, 0),
        ("onnx.Shape", [f32(2, 3)], [TensorType("i64", (2,))], 0, 0),
        ("onnx.Cast", [f32(6)], [f32(6)], 0, 0),
        ("onnx.Cast", [f32(6)], [TensorType("f16", (6,))], 24, 12),
        ("onnx.Dropout", [f32(6)], [f32(6)], 0, 0),
        ("onnx.Transpose", [f32(2, 3)], [f32(3, 2)], 24, 24),
        ("onnx.Gather", [f32(1000, 8), i64(1, 2)], [f32(2, 8)], 64 + 16, 64),
        ("onnx.Gather", [f32(3, 8), TensorType("i64", (9,))], [f32(9, 8)], 96 + 72, 288),
        ("onnx.Slice", [f32(100), i64(0), i64(10)], [f32(10)], 40, 40),
        ("onnx.Split", [f32(10), i64(4, 6)], [f32(4), f32(6)], 40, 40),
        ("onnx.Expand", [f32(1, 3), i64(5, 3)], [f32(5, 3)], 12, 60),
        ("onnx.ConstantOfShape", [i64(5)], [f32(5)], 0, 20),
        ("onnx.Resize", [f32(1, 1, 8, 8), None, None, i64(1, 1, 4, 4)], [f32(1, 1, 4, 4)], 64, 64),
        ("onnx.ReduceSum", [f32(3, 8), i64(1)], [f32(3, 1)], 96, 12),
        ("trt.concat_view", [f32(3), f32(4)], [f32(7)], 0, 0),
    ],
)
def test_bytes_are_those_that_are_touched(op, operands, results, read, written):
    found = counted(op, operands, results)
    assert (found.work.bytes_read, found.work.bytes_written) == (read, written)
    assert found.unknown is None


def test_an_operand_that_is_read_twice_crosses_the_border_once():
    x = Value("x", f32(6))
    assert node_work(Node("onnx.Mul", [x, x], [Value("y", f32(6))]), OPERATORS).work == Work(0, 6, 24, 24)


def test_dropout_that_trains_or_may_train_is_computed():
    on = Value("t", TensorType("bool", ()), Constant("bool", (), (True,)))
    off = Value("t", TensorType("bool", ()), Constant("bool", (), (False,)))
    assert counted("onnx.Dropout", [f32(6), None, on], [f32(6)]).work.elementwise_ops == 24
    assert counted("onnx.Dropout", [f32(6), None, TensorType("bool", ())], [f32(6)]).work.elementwise_ops == 24
    assert counted("onnx.Dropout", [f32(6), None, off], [f32(6)]).work == Work()


# What is not known


def test_an_operator_without_a_formula_is_counted_by_its_border_and_said_to_be_unknown():
    found = counted("trt.plugins.X", [f32(6), f32(2)], [f32(3)])
    assert found.work == Work(0, 0, 32, 12)
    assert found.unknown == "no work formula for trt.plugins.X"
    assert found.bytes_known


def test_a_shape_that_nothing_bounds_makes_the_work_unknown_and_never_zero_in_silence():
    found = counted("onnx.Relu", [TensorType("f32", (Unknown("n"), 4))], [TensorType("f32", (Unknown("n"), 4))])
    assert found.unknown == "the number of elements of %y0 (f32[?n,4]) is not known"
    assert not found.bytes_known


def test_a_bounded_dimension_counts_at_its_bound():
    bounded = TensorType("f32", (Unknown("n", 10), 4))
    assert counted("onnx.Relu", [bounded], [bounded]).work == Work(0, 40, 160, 160)


def test_what_has_no_size_is_said_even_where_the_work_is_known():
    found = counted("onnx.Transpose", [UNKNOWN], [f32(3)])
    assert found.unknown == "the size of %x0: ?[*] is not known"
    assert found.work.bytes_written == 12
    assert counted("onnx.Foo", [ContainerType("seq", f32(3))], [f32(3)]).bytes_known is False


def test_an_absent_optional_result_has_no_bytes():
    found = counted("onnx.MaxPool", [f32(1, 1, 4, 4)], [f32(1, 1, 2, 2), NONE], {"kernel_shape": (2, 2)})
    assert found.work.bytes_written == 16


odd_types = st.one_of(
    st.just(NONE),
    st.just(UNKNOWN),
    st.just(ContainerType("seq", f32(3))),
    st.lists(st.integers(0, 3), max_size=5).map(lambda dims: TensorType("f32", tuple(dims))),
)
odd_attrs = st.dictionaries(
    st.sampled_from(
        ["axis", "axes", "kernel_shape", "group", "num_heads", "k", "transA", "mode", "equation", "bits", "N"]
    ),
    st.one_of(st.integers(-9, 9), st.text(max_size=3), st.just((0, 7))),
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(WORK)),
    st.lists(st.one_of(st.none(), odd_types), max_size=6),
    st.lists(odd_types, max_size=3),
    odd_attrs,
)
def test_a_node_that_breaks_the_rules_of_its_operator_is_counted_or_unknown_but_never_stops_the_run(
    op, operands, results, attrs
):
    found = counted(op, operands, results, attrs)
    assert found.unknown != ""
    assert min(found.work.macs, found.work.elementwise_ops, found.work.bytes_read, found.work.bytes_written) >= 0


# Kernels and control flow


def body(nodes: Sequence[tuple[str, int]], slot: int | None = 0) -> Graph:
    """A chain of unary operators over one input."""
    x = Value("bx", f32(8))
    made = Graph("body", [x], [slot])
    for op, number in nodes:
        x = made.append(Node(op, [x], [Value(f"b{number}", f32(8))])).results[0]
    made.outputs = [x]
    return made


def test_a_kernel_computes_what_its_body_computes_and_moves_its_border():
    inside = body([("onnx.Relu", 0), ("onnx.Sigmoid", 1)])
    kernel = Node("trt.pointwise", [Value("x", f32(8))], [Value("y", f32(8))], bodies=[inside])
    assert node_work(kernel, OPERATORS) == NodeWork(Work(0, 40, 32, 32))


def test_a_kernel_reads_of_a_table_only_the_rows_that_its_body_gathers():
    table, ids = Value("bt", f32(1000, 8)), Value("bi", TensorType("i64", (4,)))
    inside = Graph("body", [table, ids], [0, 1])
    rows = inside.append(Node("onnx.Gather", [table, ids], [Value("br", f32(4, 8))])).results[0]
    inside.outputs = [inside.append(Node("onnx.Relu", [rows], [Value("by", f32(4, 8))])).results[0]]
    half = TensorType("f16", (1000, 8))  # the border says how the table is stored, the body what it means
    operands = [Value("t", half), Value("i", TensorType("i64", (4,)))]
    kernel = Node("trt.embed", operands, [Value("y", TensorType("f16", (4, 8)))], bodies=[inside])
    assert node_work(kernel, OPERATORS).work == Work(0, 32, 64 + 32, 64)


def test_what_is_unknown_inside_a_kernel_is_named():
    kernel = Node("k", [Value("x", f32(8))], [Value("y", f32(8))], bodies=[body([("my.Op", 0), ("my.Op", 1)])])
    assert node_work(kernel, OPERATORS).unknown == "b0: no work formula for my.Op (and 1 more)"


def test_an_if_counts_its_dearest_branch_and_says_so():
    branches = [body([("onnx.Relu", 0)], slot=1), body([("onnx.Sigmoid", 0)], slot=1)]
    branches[1].name = "else_branch"
    cond = Value("c", TensorType("bool", ()))
    found = node_work(Node("onnx.If", [cond, Value("x", f32(8))], [Value("y", f32(8))], bodies=branches), OPERATORS)
    assert found == NodeWork(Work(0, 32, 32, 32), notes=("counted by its dearest branch, else_branch",))


def test_a_loop_counts_its_trips_where_they_are_known_and_one_where_not():
    def loop(attrs: Mapping[str, Attr]) -> NodeWork:
        inside = body([("onnx.Relu", 0)], slot=2)
        operands = [i64(5), None, Value("x", f32(8))]
        return node_work(Node("onnx.Loop", operands, [Value("y", f32(8))], attrs, bodies=[inside]), OPERATORS)

    assert loop({"trip_count": 5}) == NodeWork(Work(0, 40, 160, 160))
    assert loop({}) == NodeWork(Work(0, 8, 32, 32), notes=("per iteration: trip count is not known",))


def test_a_scan_runs_for_each_slice_of_its_sequence():
    inside = body([("onnx.Relu", 0)])
    scan = Node("onnx.Scan", [Value("x", f32(7, 8))], [Value("y", f32(7, 8))], {"num_scan_inputs": 1}, bodies=[inside])
    assert node_work(scan, OPERATORS) == NodeWork(Work(0, 56, 7 * 32, 7 * 32))


def test_a_view_inside_another_operator_costs_nothing():
    from graphcost.operators import Alias, Relation

    views = Operators(aliases={"my.View": lambda node: (Alias(0, 0, Relation.INSIDE, 8),)})
    found = node_work(node("my.View", [f32(6)], [f32(2)]), views)
    assert found.work == Work()


# A whole network


def conv_net(batch: int = 1) -> Graph:
    """The first layers of a torchvision ResNet and its head: 7×7 convolution, pooling, a block, a linear layer."""
    x = Value("x", f32(batch, 3, 224, 224))
    graph = Graph("net", [x])

    def add(op: str, operands: list[Value], dims: tuple[int, ...], **attrs: Attr) -> Value:
        result = Value(f"v{len(graph)}", f32(batch, *dims))
        return graph.append(Node(op, operands, [result], attrs)).results[0]

    def weight(*dims: int) -> Value:
        return graph.add_weight(Value(f"w{len(graph.weights)}", f32(*dims)))

    stem = add("onnx.Relu", [add("onnx.Conv", [x, weight(64, 3, 7, 7)], (64, 112, 112))], (64, 112, 112))
    pooled = add("onnx.MaxPool", [stem], (64, 56, 56), kernel_shape=(3, 3))
    inner = add("onnx.Relu", [add("onnx.Conv", [pooled, weight(64, 64, 3, 3)], (64, 56, 56))], (64, 56, 56))
    outer = add("onnx.Add", [add("onnx.Conv", [inner, weight(64, 64, 3, 3)], (64, 56, 56)), pooled], (64, 56, 56))
    flat = add("onnx.Flatten", [add("onnx.GlobalAveragePool", [outer], (64, 1, 1))], (64,))
    graph.outputs = [add("onnx.Gemm", [flat, weight(64, 1000), weight(1000)], (1000,))]
    return graph


def test_the_multiply_adds_of_a_convolutional_network_are_those_that_its_paper_counts():
    total = sum((part.work for part in work_table(conv_net(), OPERATORS).values()), Work())
    assert total.macs == 118_013_952 + 2 * 115_605_504 + 64_000
    assert total.flops == 2 * total.macs + total.elementwise_ops


def test_the_multiply_adds_grow_with_the_batch():
    once, eight = (sum(part.work.macs for part in work_table(conv_net(batch), OPERATORS).values()) for batch in (1, 8))
    assert eight == 8 * once


def test_work_and_storage_agree_on_what_control_flow_is():
    from graphcost.work.control import CONTROL

    assert set(CONTROL) == CONTROL_FLOW


def test_every_operator_belongs_to_one_family():
    from graphcost import work

    families = [table for name, table in vars(work).items() if name.isupper() and name != "WORK"]
    assert len(families) >= 10
    assert sum(map(len, families)) == len(WORK)


def test_every_operator_of_the_zoo_inside_the_onnx_package_has_a_formula():
    import onnx

    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    models = [onnx.load(path, load_external_data=False) for path in sorted(folder.glob("*.onnx"))]
    assert {f"onnx.{node.op_type}" for model in models for node in model.graph.node} <= set(WORK)


@pytest.mark.parametrize("domain", ["", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training"])
def test_every_operator_of_the_standard_has_a_formula(domain: str):
    import onnx.defs

    names = {f"{s.domain or 'onnx'}.{s.name}" for s in onnx.defs.get_all_schemas() if s.domain == domain}
    assert names - set(WORK) - CONTROL_FLOW == set()


# Text, trees and support vectors


def test_a_string_operator_is_counted_but_its_bytes_are_not_known():
    text = TensorType("str", (2, 3))
    found = counted("onnx.StringConcat", [text, text], [text])
    assert (found.work.elementwise_ops, found.ops_known, found.bytes_known) == (6, True, False)
    assert str(found.unknown).endswith("%y0: str[2,3] is not known: a string has no fixed size")


def test_n_grams_are_looked_up_with_every_number_of_skipped_words():
    row = TensorType("i32", (7,))
    attrs: dict[str, Attr] = {"mode": "TF", "min_gram_length": 1, "max_gram_length": 2, "max_skip_count": 3}
    windows = 7 + 6 + 5 + 4 + 3  # single words, then pairs at a distance of 1 to 4
    assert macs_and_ops("onnx.TfIdfVectorizer", [row], [f32(9)], **attrs) == (0, 2 * windows)
    assert macs_and_ops("onnx.TfIdfVectorizer", [row], [f32(9)], **{**attrs, "mode": "IDF"}) == (0, 2 * windows + 9)


TREE: dict[str, Attr] = {
    "tree_roots": (0,), "n_targets": 2, "nodes_featureids": (0, 0, 0), "nodes_truenodeids": (1, 0, 1),
    "nodes_falsenodeids": (2, 2, 3), "nodes_trueleafs": (0, 1, 1), "nodes_falseleafs": (0, 1, 1),
}  # fmt: skip


def test_a_row_goes_down_the_longest_way_of_each_tree():
    double = TensorType("f64", (3, 2))
    assert macs_and_ops("ai.onnx.ml.TreeEnsemble", [double], [double], **TREE) == (0, 3 * (2 + 1))
    assert macs_and_ops("ai.onnx.ml.TreeEnsemble", [double], [double], **TREE, post_transform=1)[1] == 9 + 3 * 2 * 5


def test_trees_in_the_older_form_have_a_number_each():
    attrs: dict[str, Attr] = {
        "n_targets": 1, "nodes_treeids": (0, 0, 0, 1), "nodes_nodeids": (0, 1, 2, 0),
        "nodes_modes": ("BRANCH_LEQ", "LEAF", "LEAF", "LEAF"), "nodes_truenodeids": (1, 0, 0, 0),
        "nodes_falsenodeids": (2, 0, 0, 0), "target_treeids": (0, 0, 1), "target_nodeids": (1, 2, 0),
        "target_ids": (0, 0, 0), "target_weights": (1.0, 2.0, 3.0),
    }  # fmt: skip
    assert macs_and_ops("ai.onnx.ml.TreeEnsembleRegressor", [f32(5, 2)], [f32(5, 1)], **attrs) == (0, 5 * (1 + 2))


def test_a_tree_that_leads_back_to_itself_is_unknown():
    cyclic = {**TREE, "nodes_trueleafs": (0, 0, 0), "nodes_truenodeids": (1, 0, 1)}
    found = counted("ai.onnx.ml.TreeEnsemble", [f32(3, 2)], [f32(3, 2)], cyclic)
    assert found.unknown == "a tree leads back to one of its own nodes"


def test_a_support_vector_machine_meets_every_vector():
    attrs: dict[str, Attr] = {"kernel_type": "POLY", "support_vectors": (0.0,) * 12, "coefficients": (1.0,) * 3}
    assert macs_and_ops("ai.onnx.ml.SVMRegressor", [f32(5, 4)], [f32(5, 1)], **attrs) == (5 * (12 + 3), 5 * (9 + 1))
    rbf = {**attrs, "kernel_type": "RBF"}
    assert macs_and_ops("ai.onnx.ml.SVMRegressor", [f32(5, 4)], [f32(5, 1)], **rbf) == (15, 5 * (3 * (3 * 4 + 2) + 1))


# Attention of ONNX Runtime


def test_a_cache_that_is_shared_with_the_present_is_not_counted_twice():
    operands = [f32(2, 1, 64), f32(64, 192), f32(192), None, f32(2, 2, 4, 100, 16)]
    attrs: dict[str, Attr] = {"num_heads": 4, "past_present_share_buffer": 1}
    macs, _ = macs_and_ops("com.microsoft.Attention", operands, [f32(2, 1, 64)], **attrs)
    assert macs == 2 * 64 * 192 + 2 * 4 * 100 * 32


def test_packed_attention_counts_each_sequence_at_its_longest():
    offsets, lengths = TensorType("i32", (2, 10)), TensorType("i32", (3,))
    operands = [f32(15, 64), f32(64, 192), f32(192), offsets, lengths]
    macs, _ = macs_and_ops("com.microsoft.PackedAttention", operands, [f32(15, 64)], num_heads=4)
    assert macs == 15 * 64 * 192 + 2 * 4 * 10 * 10 * 32


def test_sparse_attention_counts_the_blocks_that_are_kept():
    past = f32(1, 2, 64, 8)
    layout = [TensorType("i32", (1, 5)), TensorType("i32", (1, 6))]
    operands = [f32(1, 64, 32), f32(1, 64, 16), f32(1, 64, 16), past, past, *layout]
    attrs: dict[str, Attr] = {"num_heads": 4, "kv_num_heads": 2, "sparse_block_size": 16}
    assert macs_and_ops("com.microsoft.SparseAttention", operands, [f32(1, 64, 32)], **attrs)[0] == 4 * 6 * 256 * 16


def test_an_attention_with_bodies_counts_what_they_do_to_its_scores():
    scores = Value("scores", f32(1, 2, 4, 4))
    modifier = Graph("score_mod", [scores], [None])
    modifier.outputs = [modifier.append(Node("onnx.Tanh", [scores], [Value("bent", f32(1, 2, 4, 4))])).results[0]]
    operands = [Value(name, f32(1, 2, 4, 8)) for name in "qkv"]
    flex = Node("ai.onnx.preview.FlexAttention", operands, [Value("y", f32(1, 2, 4, 8))], bodies=[modifier])
    assert node_work(flex, OPERATORS).work == Work(32 * 16, 32 * 6 + 32, 3 * 256, 256)


def test_a_branch_that_is_known_to_be_taken_is_the_one_that_counts():
    branches = [body([("onnx.Relu", 0)], slot=1), body([("onnx.Sigmoid", 0)], slot=1)]
    branches[1].name = "else_branch"
    operands = [Value("c", TensorType("bool", ())), Value("x", f32(8))]
    taken = Node("onnx.If", operands, [Value("y", f32(8))], {"taken_branch": branches[0].name}, bodies=branches)
    assert node_work(taken, OPERATORS) == NodeWork(Work(0, 8, 32, 32))


def test_control_flow_that_lost_its_body_is_unknown():
    assert counted("onnx.Loop", [None, None, f32(4)], [f32(4)]).unknown == "no work formula for onnx.Loop"


def test_suppression_plug_ins_sort_what_they_go_on_with_and_compare_it_with_what_is_kept():
    efficient = counted(
        "TRT.EfficientNMS_TRT", [f32(2, 8400, 4), f32(2, 8400, 80)], [f32(2, 100)] * 4, {"max_output_boxes": 100}
    )
    each = 8400 * 80 * (1 + 12) + 100 * 4096 * 13
    assert efficient.work.elementwise_ops == 2 * each and efficient.unknown is None
    batched = counted(
        "onnx.BatchedNMS_TRT", [f32(1, 512, 1, 4), f32(1, 512, 3)], [f32(1, 50)] * 4, {"topK": 64, "keepTopK": 50}
    )
    assert batched.work.elementwise_ops == 3 * (512 * 6 + 64 * 64 * 13) + 3 * 64 * 6
