"""What each operator keeps for its backward, held to what PyTorch was measured to keep (operators.csv)."""

import csv

import pytest
from graphcost.passes.training.extra_results import give_extra_results
from graphcost.passes.training.framework_operators import FrameworkOperators
from graphcost.passes.training.saved import saved_of
from harness import make_context

from graphcost.ir import Graph
from graphcost.text import parse_graph

MAP, SMALL = "f32[2,8,16,16]", "f32[2,8,8,8]"


def unary(op, attrs="", operand="x"):
    return f"graph g(%{operand}: {MAP}) {{\n  %output: {MAP} = onnx.{op}(%{operand}) {attrs}\n  return %output\n}}"


def binary(op, other=MAP, name="b"):
    return f"graph g(%a: {MAP}, %{name}: {other}) {{\n  %output: {MAP} = onnx.{op}(%a, %{name})\n  return %output\n}}"


def pooled(op, result=SMALL):
    window = "kernel_shape=[2,2] strides=[2,2]" if result == SMALL else ""
    return f"graph g(%x: {MAP}) {{\n  %output: {result} = onnx.{op}(%x) {window}\n  return %output\n}}"


def convolution(op="Conv", weight="f32[8,8,3,3]", result=MAP, attrs="pads=[1,1,1,1]"):
    return (
        f"graph g(%x: {MAP}, %weight: {weight}) {{\n  %output: {result} = onnx.{op}(%x, %weight) {attrs}\n"
        "  return %output\n}"
    )


NORM = """graph g(%x: f32[2,4,16], %weight: f32[16], %bias: f32[16]) {
  %output: f32[2,4,16] = onnx.LayerNormalization(%x, %weight, %bias)
  return %output
}"""
BATCH_NORM = f"""graph g(%x: {MAP}, %weight: f32[8], %bias: f32[8], %const_mean: f32[8], %const_var: f32[8]) {{
  %output: {MAP} = onnx.BatchNormalization(%x, %weight, %bias, %const_mean, %const_var) training_mode=1
  return %output
}}"""
DROPOUT = f"""graph g(%x: {MAP}) {{
  weight %ratio: f32[] = [0.5]
  weight %on: bool[] = [true]
  %output: {MAP} = onnx.Dropout(%x, %ratio, %on)
  return %output
}}"""
SILU = f"""graph g(%x: {MAP}) {{
  %s: {MAP} = onnx.Sigmoid(%x)
  %output: {MAP} = onnx.Mul(%x, %s)
  return %output
}}"""

CASES = {
    "conv2d": convolution(),
    "conv2d depthwise": convolution(weight="f32[8,1,3,3]", attrs="pads=[1,1,1,1] group=8"),
    "conv_transpose2d": convolution("ConvTranspose", "f32[8,8,2,2]", "f32[2,8,17,17]", ""),
    "batch_norm, training": BATCH_NORM,
    "layer_norm": NORM,
    "relu": unary("Relu", operand="input"),
    "relu6": f"graph g(%input: {MAP}) {{\n  weight %lo: f32[] = [0.0]\n  weight %hi: f32[] = [6.0]\n"
    f"  %output: {MAP} = onnx.Clip(%input, %lo, %hi)\n  return %output\n}}",
    "leaky_relu": unary("LeakyRelu", operand="input"),
    "elu": unary("Elu", operand="input"),
    "gelu": unary("Gelu", operand="input"),
    "hardswish": unary("HardSwish", operand="input"),
    "hardsigmoid": unary("HardSigmoid", operand="input"),
    "sigmoid": unary("Sigmoid", operand="input"),
    "tanh": unary("Tanh", operand="input"),
    "softplus": unary("Softplus", operand="input"),
    "mish": unary("Mish", operand="input"),
    "softmax": unary("Softmax"),
    "log_softmax": unary("LogSoftmax"),
    "exp": unary("Exp"),
    "dropout, native_dropout (what CUDA runs)": DROPOUT,
    "add": binary("Add"),
    "sub": binary("Sub"),
    "mul": binary("Mul"),
    "mul by a broadcast gate (squeeze-excite)": binary("Mul", "f32[2,8,1,1]", "g"),
    "div": binary("Div"),
    "cat": binary("Concat").replace("(%a, %b)", "(%a, %b) axis=0").replace("%output: f32[2", "%output: f32[4"),
    "max_pool2d": pooled("MaxPool"),
    "avg_pool2d": pooled("AveragePool"),
    "adaptive_avg_pool2d(1)": pooled("GlobalAveragePool", "f32[2,8,1,1]"),
    "pad": unary("Pad"),
    "silu": SILU.replace("%x", "%input"),
}


@pytest.fixture(scope="module")
def measured(shared):
    with (shared / "data/training/operators.csv").open(encoding="utf-8") as file:
        return {row["operator"]: row for row in csv.DictReader(file)}


def kept_by(text):
    """Names of operands and results that the last node of a graph keeps, and the bytes of what it makes to keep."""
    graph: Graph = parse_graph(text)
    ctx = make_context(graph)
    FrameworkOperators(("silu",)).run(graph, ctx)
    node = give_extra_results(graph, list(graph)[-1])
    saved = saved_of(node, [True] * len(node.operands))
    own = {"output", *(value.name for value in node.inputs)}
    return {v.name for v in saved if v.name in own}, sum(v.type.size_bytes for v in saved if v.name not in own)


@pytest.mark.parametrize("operator", CASES)
def test_an_operator_keeps_what_pytorch_was_measured_to_keep(measured, operator):
    row = measured[operator]
    words = [word.strip() for word in row["kept_for_backward"].split(" + ")]
    named = {word for word in words if word != "nothing" and not word.startswith("new[")}
    operands, made_bytes = kept_by(CASES[operator])
    statistics = {"const_mean", "const_var", "bias"}  # of the parameters' size, and there anyway
    assert operands - statistics == named - statistics
    assert made_bytes == int(row["new_bytes"])
