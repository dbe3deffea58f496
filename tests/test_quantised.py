"""Quantised and mixed networks: bytes as they are stored, precisions as they are computed."""

from __future__ import annotations

import runpy
from collections.abc import Iterable, Sequence
from math import prod
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

import graphcost
from graphcost.report import Kernel, Report, Tensor
from graphcost.types import TensorType

ROOT = Path(__file__).parents[1]

FLOAT, HALF, BF16, INT8, UINT8 = (
    TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT8, TensorProto.UINT8,
)  # fmt: skip
INT4, UINT4, INT32, FP8 = TensorProto.INT4, TensorProto.UINT4, TensorProto.INT32, TensorProto.FLOAT8E4M3FN

C, K, H = 8, 16, 10  # channels in and out, height and width: a 3x3 convolution without padding gives 8 x 8
WEIGHTS, INPUT, RESULT = K * C * 9, C * H * H, K * 8 * 8


def weight(name: str, dtype: int, *dims: int) -> onnx.TensorProto:
    """A weight whose numbers are all ones (zeros where the type has no one to write)."""
    count = prod(dims)
    if dtype in (INT4, UINT4):
        return helper.make_tensor(name, dtype, dims, b"\x11" * ((count + 1) // 2), raw=True)
    if dtype == FP8:
        return helper.make_tensor(name, dtype, dims, b"\x38" * count, raw=True)
    return helper.make_tensor(name, dtype, dims, [1] * count)


def model(
    nodes: Iterable[onnx.NodeProto],
    inputs: Sequence[tuple[str, int, Sequence[int]]],
    outputs: Sequence[tuple[str, int]],
    weights: Sequence[onnx.TensorProto],
    opset: int = 21,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(name, dtype, dims) for name, dtype, dims in inputs],
        [helper.make_tensor_value_info(name, dtype, None) for name, dtype in outputs],
        list(weights),
    )
    domains = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=domains, ir_version=10)


def node(op: str, inputs: str, output: str, **attrs: object) -> onnx.NodeProto:
    """`inputs` are names separated by spaces."""
    return helper.make_node(op, inputs.split(), [output], name=output, **attrs)


def quantised_conv(stored: int, per_axis: bool = False) -> onnx.ModelProto:
    """x → Q → DQ → Conv(·, DQ(w)) → Q → y."""
    scale = weight("sw", FLOAT, *((K,) if per_axis else ()))
    axis = {"axis": 0} if per_axis else {}
    nodes = [
        node("QuantizeLinear", "x s z", "qx"),
        node("DequantizeLinear", "qx s z", "dx"),
        node("DequantizeLinear", "w sw", "dw", **axis),
        node("Conv", "dx dw", "c"),
        node("QuantizeLinear", "c s z", "y"),
    ]
    weights = [weight("w", stored, K, C, 3, 3), scale, weight("s", FLOAT), weight("z", INT8)]
    return model(nodes, [("x", FLOAT, (1, C, H, H))], [("y", INT8)], weights)


def kernel(report: Report, name: str) -> Kernel:
    return next(row for row in report.kernels if name in (row.name, *row.origin))


def moved(row: Kernel) -> tuple[int | None, int | None]:
    return row.bytes_read, row.bytes_written


# Weights


@pytest.mark.parametrize(("stored", "bits"), [(INT8, 8), (UINT8, 8), (INT4, 4), (UINT4, 4), (FP8, 8)])
@pytest.mark.parametrize("per_axis", [False, True])
def test_weights_behind_a_dequantizer_take_the_bytes_in_which_they_are_stored(stored: int, bits: int, per_axis: bool):
    report = graphcost.analyze(quantised_conv(stored, per_axis), pipeline="")
    scales = 4 * (K if per_axis else 1)
    assert report.totals.weight_bytes == WEIGHTS * bits // 8 + scales + 4 + 1
    assert moved(kernel(report, "dw")) == (WEIGHTS * bits // 8 + scales, 4 * WEIGHTS)


def test_an_odd_number_of_four_bit_weights_fills_the_last_byte():
    made = model(
        [node("DequantizeLinear", "w s", "d"), node("Mul", "x d", "y")],
        [("x", FLOAT, (3, 5))], [("y", FLOAT)], [weight("w", INT4, 3, 5), weight("s", FLOAT)],
    )  # fmt: skip
    report = graphcost.analyze(made, pipeline="")
    assert report.totals.weight_bytes == 8 + 4


@pytest.mark.parametrize("scale", [FLOAT, HALF])
def test_blocks_of_weights_have_a_scale_and_a_zero_point_each(scale: int):
    rows, columns, block = 64, 32, 16
    made = model(
        [node("DequantizeLinear", "w s z", "d", axis=0, block_size=block), node("MatMul", "x d", "y")],
        [("x", scale, (4, rows))], [("y", scale)],
        [weight("w", UINT4, rows, columns), weight("s", scale, rows // block, columns),
         weight("z", UINT4, rows // block, columns)],
    )  # fmt: skip
    report = graphcost.analyze(made, "orin-nano", pipeline="")
    blocks, size = rows // block * columns, 4 if scale == FLOAT else 2
    stored = rows * columns // 2 + blocks * size + blocks // 2
    assert report.totals.weight_bytes == stored
    assert moved(kernel(report, "d")) == (stored, rows * columns * size)
    assert report.totals.macs == 4 * rows * columns


def test_wide_weights_that_pass_through_a_quantizer_are_stored_narrow_by_tensorrt_and_wide_as_exported():
    made = model(
        [node("QuantizeLinear", "w s z", "q", axis=0), node("DequantizeLinear", "q s z", "d", axis=0),
         node("Conv", "x d", "y")],
        [("x", FLOAT, (1, C, H, H))], [("y", FLOAT)],
        [weight("w", FLOAT, K, C, 3, 3), weight("s", FLOAT, K), weight("z", INT8, K)],
    )  # fmt: skip
    parameters = 4 * K + K
    assert graphcost.analyze(made).totals.weight_bytes == 4 * WEIGHTS + parameters
    built = graphcost.analyze(made, "orin-nano", precision="int8")
    assert built.totals.weight_bytes == WEIGHTS + parameters
    assert "q" in [name for row in built.kernels for name in row.origin]


# Precisions


@pytest.mark.parametrize("precision", ["as-exported", "fp32", "tf32", "fp16", "int8", "best"])
@pytest.mark.parametrize("runtime", ["tensorrt-8.5", "tensorrt-10.3"])
@pytest.mark.parametrize("per_axis", [False, True])
def test_a_convolution_between_quantizers_computes_in_int8_whatever_the_flags(
    precision: str, runtime: str, per_axis: bool
):
    report = graphcost.analyze(quantised_conv(INT8, per_axis), "orin-nano", runtime=runtime, precision=precision)
    assert kernel(report, "c").precision == "i8"
    assert kernel(report, "c").macs == RESULT * C * 9


def test_without_int8_in_hardware_it_computes_in_what_there_is():
    report = graphcost.analyze(quantised_conv(INT8), "nano", precision="fp16")
    assert kernel(report, "c").precision == "f16"


def test_fp8_is_computed_as_such_where_the_hardware_can():
    nodes = [
        node("QuantizeLinear", "x s z", "qx"), node("DequantizeLinear", "qx s z", "dx"),
        node("DequantizeLinear", "w s z", "dw"), node("MatMul", "dx dw", "y"),
    ]  # fmt: skip
    weights = [weight("w", FP8, 64, 32), weight("s", FLOAT), weight("z", FP8)]
    made = model(nodes, [("x", FLOAT, (4, 64))], [("y", FLOAT)], weights)
    precisions = {
        device: {row.precision for row in graphcost.analyze(made, device, precision="fp16").kernels if row.macs}
        for device in ("rtx4090", "h100-sxm", "orin-nano")
    }
    assert precisions == {"rtx4090": {"f8e4m3fn"}, "h100-sxm": {"f8e4m3fn"}, "orin-nano": {"f16"}}


def test_narrow_weights_alone_do_not_make_a_narrow_product():
    made = model(
        [node("DequantizeLinear", "w s", "d", axis=1), node("MatMul", "x d", "y")],
        [("x", FLOAT, (4, 64))], [("y", FLOAT)], [weight("w", INT4, 64, 32), weight("s", FLOAT, 32)],
    )  # fmt: skip
    report = graphcost.analyze(made, "orin-nano", precision="int8")
    assert {row.precision for row in report.kernels if row.macs} == {"tf32"}


def test_views_between_a_dequantizer_and_a_product_do_not_hide_it():
    nodes = [
        node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "d"),
        node("Reshape", "d shape", "r"), node("Transpose", "r", "t", perm=[1, 0]),
        node("DequantizeLinear", "w s z", "dw"), node("MatMul", "t dw", "y"),
    ]  # fmt: skip
    shape = helper.make_tensor("shape", TensorProto.INT64, (2,), [64, 12])
    weights = [weight("w", INT8, 64, 32), weight("s", FLOAT), weight("z", INT8), shape]
    report = graphcost.analyze(model(nodes, [("x", FLOAT, (4, 16, 12))], [("y", FLOAT)], weights), "orin-nano")
    assert {row.precision for row in report.kernels if row.macs} == {"i8"}


# Activations


def padded_bytes(tensor: Tensor) -> int | None:
    """What a tensor takes in memory: channels in whole groups, as its format asks."""
    return TensorType(tensor.dtype, tuple(map(int, tensor.shape or ())), tensor.format).size_bytes


def test_quantised_activations_take_one_byte():
    report = graphcost.analyze(quantised_conv(INT8), "orin-nano")
    written = padded_bytes(kernel(report, "qx").outputs[0])
    assert moved(kernel(report, "qx")) == (4 * INPUT + 4 + 1, written)
    assert moved(kernel(report, "c"))[0] == written + WEIGHTS + 4 + 4 + 1
    assert {"dx", "dw", "y"} <= set(kernel(report, "c").origin)


# Operators over integers


def test_the_operator_form_of_a_convolution_reads_and_writes_bytes_and_computes_in_int8():
    made = model(
        [node("QLinearConv", "x s z w s z s z", "y")], [("x", UINT8, (1, C, H, H))], [("y", UINT8)],
        [weight("w", UINT8, K, C, 3, 3), weight("s", FLOAT), weight("z", UINT8)],
    )  # fmt: skip
    row = kernel(graphcost.analyze(made, "orin-nano", precision="as-exported"), "y")
    assert (row.precision, row.macs) == ("i8", RESULT * C * 9)
    assert moved(row) == (INPUT + WEIGHTS + 4 + 1, RESULT)


def test_the_operator_form_of_a_product():
    made = model(
        [node("QLinearMatMul", "x s z w s z s z", "y")], [("x", INT8, (4, 64))], [("y", INT8)],
        [weight("w", INT8, 64, 32), weight("s", FLOAT), weight("z", INT8)],
    )  # fmt: skip
    row = kernel(graphcost.analyze(made, "orin-nano", precision="as-exported"), "y")
    assert (row.precision, row.macs, moved(row)) == ("i8", 4 * 64 * 32, (4 * 64 + 64 * 32 + 4 + 1, 4 * 32))


def test_dynamic_quantisation_accumulates_in_int32():
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"], name="q"),
        node("MatMulInteger", "q w qz", "a"),
        node("Cast", "a", "f", to=FLOAT),
        node("Mul", "f qs", "y"),
    ]
    made = model(nodes, [("x", FLOAT, (4, 64))], [("y", FLOAT)], [weight("w", INT8, 64, 32)])
    report = graphcost.analyze(made, "orin-nano", precision="as-exported")
    assert moved(kernel(report, "q")) == (4 * 256, 256 + 4 + 1)
    assert moved(kernel(report, "a")) == (256 + 64 * 32 + 1, 4 * 128)
    assert (kernel(report, "a").precision, kernel(report, "a").macs) == ("i8", 4 * 64 * 32)


def test_weights_in_blocks_of_few_bits_in_one_operator():
    n, k, block, bits = 32, 64, 16, 4
    packed = (n, k // block, block * bits // 8)
    attrs = {"K": k, "N": n, "bits": bits, "block_size": block, "domain": "com.microsoft"}
    made = model(
        [node("MatMulNBits", "x w s", "y", **attrs)], [("x", HALF, (4, k))], [("y", HALF)],
        [weight("w", UINT8, *packed), weight("s", HALF, n * k // block)],
    )  # fmt: skip
    report = graphcost.analyze(made, "orin-nano", precision="as-exported")
    row = kernel(report, "y")
    assert (row.precision, row.macs) == ("f16", 4 * n * k)
    assert report.totals.weight_bytes == n * k // 2 + 2 * n * k // block
    assert moved(row) == (2 * 4 * k + n * k // 2 + 2 * n * k // block, 2 * 4 * n)


# Half precision and casts


@pytest.mark.parametrize(("dtype", "precision"), [(HALF, "f16"), (BF16, "bf16"), (TensorProto.DOUBLE, "f64")])
def test_a_file_in_another_floating_type_moves_its_bytes_and_computes_in_it(dtype: int, precision: str):
    made = model(
        [node("Conv", "x w", "c"), node("Relu", "c", "y")], [("x", dtype, (1, C, H, H))], [("y", dtype)],
        [weight("w", dtype, K, C, 3, 3)], opset=22,
    )  # fmt: skip
    size = 8 if precision == "f64" else 2
    report = graphcost.analyze(made, "orin-nano", precision="as-exported")
    assert {row.precision for row in report.kernels} == {precision}
    assert report.totals.weight_bytes == size * WEIGHTS
    assert moved(kernel(report, "c + y")) == (size * (INPUT + WEIGHTS), size * RESULT)


def test_islands_of_float32_in_a_half_file_stay_what_they_are():
    nodes = [
        node("Cast", "x", "wide", to=FLOAT),
        node("Softmax", "wide", "p", axis=-1),
        node("Cast", "p", "half", to=HALF),
        node("MatMul", "half w", "y"),
    ]
    made = model(nodes, [("x", HALF, (4, 64))], [("y", HALF)], [weight("w", HALF, 64, 32)])
    exported = graphcost.analyze(made, "nano", precision="as-exported")
    assert [kernel(exported, name).precision for name in ("p", "y")] == ["f32", "f16"]
    assert moved(kernel(exported, "wide")) == (512, 1024)
    assert moved(kernel(exported, "p")) == (1024, 1024)
    assert kernel(exported, "half").elementwise_ops == 256
    in_one_kernel = kernel(graphcost.analyze(made, "orin-nano", precision="as-exported"), "half")
    assert (in_one_kernel.op, in_one_kernel.precision, moved(in_one_kernel)) == ("trt.kgen", "f32", (512, 512))


def test_casts_between_what_is_one_type_under_fp16_move_nothing():
    nodes = [node("Relu", "x", "a"), node("Cast", "a", "h", to=HALF), node("Cast", "h", "f", to=FLOAT),
             node("Relu", "f", "y")]  # fmt: skip
    made = model(nodes, [("x", FLOAT, (4, 64))], [("y", FLOAT)], [])
    report = graphcost.analyze(made, "orin-nano", precision="fp16")
    assert {row.name: row.bytes_read for row in report.kernels if row.op == "onnx.Cast"} == {"h": 0, "f": 0}


# Real networks


QUANTISED = ("resnet18_qat_b32", "resnet18_qat_residual_b32", "mobilenet_v2_qdq")


@pytest.mark.parametrize("name", QUANTISED)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "as-exported"])
def test_every_convolution_of_a_quantised_network_computes_in_int8(shared: Path, name: str, precision: str):
    report = graphcost.analyze(shared / "models" / "engines" / f"{name}.onnx", "orin-nano", precision=precision)
    convolutions = [row for row in report.kernels if row.kind in ("conv", "depthwise")]
    assert convolutions
    assert {row.precision for row in convolutions} == {"i8"}


@pytest.mark.parametrize("name", QUANTISED)
def test_weights_of_a_quantised_network_take_a_quarter(shared: Path, name: str):
    path = shared / "models" / "engines" / f"{name}.onnx"
    wide = graphcost.analyze(path, pipeline="fold-batch-norm,dce").totals.weight_bytes
    built = graphcost.analyze(path, "orin-nano").totals.weight_bytes
    assert 0.25 < built / wide < 0.28


@pytest.mark.parametrize("name", QUANTISED)
def test_quantised_activations_of_a_network_are_bytes(shared: Path, name: str):
    report = graphcost.analyze(shared / "models" / "engines" / f"{name}.onnx", "orin-nano")
    quantizers = [row for row in report.kernels if row.outputs[0].dtype == "i8" and row.kind == "quantize"]
    assert quantizers
    for row in quantizers:
        assert row.bytes_written == padded_bytes(row.outputs[0])
        assert (row.bytes_read or 0) >= 4 * prod(row.outputs[0].shape or ())


def test_the_page_tells_of_its_example_what_explain_tells():
    network = runpy.run_path(str(ROOT / "examples" / "quantized_residual.py"))["network"]()
    run = graphcost.run(network, "orin-nano")
    told = graphcost.explain(run, "/block1/add/quantize")
    page = (ROOT / "docs" / "quantization.md").read_text(encoding="utf-8")
    why = next(line for line in told if "stays apart" in line)
    assert why in page
    assert sum(kernel.kind == "quantize" for kernel in run.report.kernels) == 3
