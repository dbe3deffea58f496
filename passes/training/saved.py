"""What each operator keeps for its backward, a table per runtime.

A word names a tensor: `i1` is operand 1, `o0` result 0. `i1:0` is kept only where operand 0 needs a gradient;
`inputs` are all operands. What an
operator gives only to keep it (statistics, indices, masks) are further results, which `extra_results` describes.
Operators that are not listed keep nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphcost.ir import Node, Value

_OUTPUT = "Relu Sigmoid Tanh Softmax LogSoftmax Exp Reciprocal"
_INPUT = (
    "LeakyRelu Elu Selu Celu HardSigmoid HardSwish Softplus Softsign Mish Gelu Swish Clip Log Sin Cos Tan Asin Acos "
    "Atan Sinh Cosh Asinh Acosh Atanh Abs Erf ThresholdedRelu AveragePool LpPool Pow LRN"
)
_NORMALISED = "i0 i1 o1 o2"

PYTORCH: Mapping[str, str] = {
    **dict.fromkeys((f"onnx.{name}" for name in _OUTPUT.split()), "o0"),
    **dict.fromkeys((f"onnx.{name}" for name in _INPUT.split()), "i0"),
    **dict.fromkeys(("group.gelu", "group.silu", "group.swish", "group.mish"), "i0"),
    **dict.fromkeys(("group.hard_swish", "group.hard_sigmoid"), "i0"),
    "group.softmax": "o0",
    "onnx.Sqrt": "o0",
    "onnx.Conv": "i0 i1",
    "onnx.ConvTranspose": "i0 i1",
    "onnx.Gemm": "i0:1 i1:0",
    "onnx.MatMul": "i0:1 i1:0",
    "onnx.Einsum": "i0:1 i1:0",
    "onnx.BatchNormalization": "i0 i1 o3 o4",
    "onnx.InstanceNormalization": _NORMALISED,
    "onnx.GroupNormalization": _NORMALISED,
    "group.group_norm": _NORMALISED,
    "onnx.LayerNormalization": _NORMALISED,
    "group.layer_norm": _NORMALISED,
    "group.rms_norm": "i0 i1 o1 o2",
    "onnx.RMSNormalization": "i0 i1 o1 o2",
    "onnx.Mul": "i1:0 i0:1",
    "onnx.Div": "i1 i0:1",
    "onnx.PRelu": "i0 i1",
    "onnx.Where": "i0",
    "onnx.Max": "i0 i1",
    "onnx.Min": "i0 i1",
    "onnx.MaxPool": "i0 o1",
    "onnx.GlobalMaxPool": "i0 o1",
    "onnx.Dropout": "o1",
    "onnx.ReduceMax": "i0 o0",
    "onnx.ReduceMin": "i0 o0",
    "onnx.ReduceL2": "i0 o0",
    "onnx.ReduceProd": "i0 o0",
    "onnx.ReduceLogSumExp": "i0 o0",
    "onnx.TopK": "o1",
    "onnx.Gather": "i1",
    "onnx.GatherElements": "i1",
    "onnx.GatherND": "i1",
    "onnx.ScatterElements": "i1",
    "onnx.ScatterND": "i1",
    "onnx.GridSample": "i0 i1",
    "group.attention": "inputs o0 o1",
    "loss.log_softmax": "o0",
    "loss.nll": "i0 i1 o1",
    "loss.mse": "i0 i1",
}
"""PyTorch 2.13, measured: tests/evidence/training_operators.csv. CUDA's own kernels for attention and dropout (the
memory-efficient one and native_dropout) keep the same tensors; that is inferred from their signatures."""

PYTORCH_1: Mapping[str, str] = {**PYTORCH, "onnx.Clip": "o0"}
"""PyTorch before 1.11: hardtanh_ in place, which is how networks use ReLU6, keeps its output (derivatives.yaml of 1.6:
`hardtanh_: self: hardtanh_backward(grad, result, min_val, max_val)`); later versions clone the input."""

SAVED: Mapping[str, Mapping[str, str]] = {"pytorch": PYTORCH, "pytorch-1": PYTORCH_1}
"""By runtime, or by family and major version."""


def saved_of(node: Node, needs: Sequence[bool], runtime: str = "pytorch") -> tuple[Value, ...]:
    """The tensors that a node keeps, each once; `needs` says which operands need a gradient."""
    words = SAVED[runtime].get(node.op, "").split()
    return tuple(dict.fromkeys(value for word in words for value in _named(node, word, needs)))


def _named(node: Node, word: str, needs: Sequence[bool]) -> Iterator[Value]:
    name, _, slot = word.partition(":")
    if slot and not (int(slot) < len(needs) and needs[int(slot)]):
        return
    if name == "inputs":
        yield from node.inputs
        return
    index = int(name[1:])
    value = node.operand(index) if name[0] == "i" else node.results[index] if index < len(node.results) else None
    if value is not None:
        yield value
