"""What operators take, counted a second time: from the arrays that the reference evaluator of the onnx package really
computes with, by arithmetic that shares nothing with `graphcost.work`.

Formulas over single elements are not counted by hand: `steps` runs them on a number that counts what is done to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

Array = numpy.ndarray


@dataclass(frozen=True)
class Ran:
    """One run of one node: the arrays that went in (None where absent) and came out, and its attributes."""

    x: Sequence[Array | None]
    y: Sequence[Array]
    attrs: Mapping[str, Any]

    def given(self, slot: int) -> bool:
        return slot < len(self.x) and self.x[slot] is not None

    def axis(self, default: int = -1) -> int:
        return self.attrs.get("axis", default) % self.x[0].ndim


@dataclass(frozen=True)
class Counts:
    """None stands for the plain case: every operand read once, every result written once."""

    macs: int = 0
    ops: int = 0
    read: int | None = None
    written: int | None = None


class Counting:
    """A number that counts the operations in which it takes part."""

    def __init__(self) -> None:
        self.count = 0

    def step(self, *_: Any) -> Counting:
        self.count += 1
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = step
    __neg__ = __abs__ = step


def exp(x: Counting, *_: Any) -> Counting:
    """Any elementary function, comparison or choice."""
    return x.step()


log = tanh = erf = sqrt = most = least = choose = rounded = exp


def steps(formula: Callable[[Counting], Any]) -> int:
    number = Counting()
    formula(number)
    return number.count


def each(formula: Callable[[Counting], Any]) -> Callable[[Ran], Counts]:
    """A formula for each element of the first result."""
    return lambda ran: Counts(ops=ran.y[0].size * steps(formula))


def sigmoid(x: Counting) -> Counting:
    return 1 / (1 + exp(-x))


ONE = each(lambda x: exp(x))


# Contractions


def conv(ran: Ran, weight: int = 1, bias: int = 2) -> Counts:
    """For each image, group and output position: the kernel over the group's channels, for each of its filters."""
    x, w, y = ran.x[0], ran.x[weight], ran.y[0]
    groups = ran.attrs.get("group", 1)
    positions = math.prod(y.shape[2:])
    macs = x.shape[0] * groups * positions * (w.shape[0] // groups) * (x.shape[1] // groups) * math.prod(w.shape[2:])
    return Counts(macs, x.shape[0] * w.shape[0] * positions * ran.given(bias))


def conv_transpose(ran: Ran) -> Counts:
    x, w = ran.x[:2]
    spread = math.prod(w.shape[1:])
    return Counts(sum(spread for _ in range(x.size)), ran.y[0].size * ran.given(2))


def deform_conv(ran: Ran) -> Counts:
    x, w, offset = ran.x[:3]
    positions = math.prod(ran.y[0].shape[2:])
    macs = x.shape[0] * w.shape[0] * positions * w[0].size
    samples = x.shape[0] * x.shape[1] * math.prod(w.shape[2:]) * positions
    blend = steps(lambda n: n * 1 + n * 1 + n * 1 + n * 1)  # four weighted neighbours
    return Counts(macs, samples * (blend + ran.given(4)) + offset.size + (ran.y[0].size if ran.given(3) else 0))


def matmul(ran: Ran, b: int = 1, per_output: int = 0) -> Counts:
    left, right = ran.x[0].shape, ran.x[b].shape
    rows, columns = left[-2] if len(left) > 1 else 1, right[-1] if len(right) > 1 else 1
    batch = math.prod(numpy.broadcast_shapes(left[:-2], right[:-2]))
    return Counts(batch * rows * left[-1] * columns, per_output * batch * rows * columns)


def gemm(ran: Ran) -> Counts:
    a = ran.x[0].T if ran.attrs.get("transA") else ran.x[0]
    b = ran.x[1].T if ran.attrs.get("transB") else ran.x[1]
    extra = (ran.attrs.get("alpha", 1.0) != 1.0) + ran.given(2) * (1 + (ran.attrs.get("beta", 1.0) != 1.0))
    return Counts(a.shape[0] * a.shape[1] * b.shape[1], a.shape[0] * b.shape[1] * extra)


def einsum(ran: Ran) -> Counts:
    """One or two operands without ellipsis: every assignment of all indices is a product; what is not summed is no
    multiply-add."""
    terms, _, out = ran.attrs["equation"].replace(" ", "").partition("->")
    if "." in terms or terms.count(",") > 1:
        raise NotImplementedError
    sizes = {i: n for term, x in zip(terms.split(","), ran.x) for i, n in zip(term, x.shape)}
    everything, kept = math.prod(sizes.values()), math.prod(sizes[i] for i in out)
    if len(ran.x) == 1:
        return Counts(0, everything - kept)
    shared = set(terms.split(",")[0]) & set(terms.split(",")[1])
    if set(sizes) - set(out) - shared:
        raise NotImplementedError
    return Counts(everything, 0) if set(sizes) - set(out) else Counts(0, everything)


def attention(ran: Ran) -> Counts:
    q, k, v = ran.x[:3]
    heads, shared = (q.shape[1], k.shape[1]) if q.ndim == 4 else (ran.attrs["q_num_heads"], ran.attrs["kv_num_heads"])
    if q.ndim == 3:
        q = q.reshape(q.shape[0], q.shape[1], heads, -1).swapaxes(1, 2)
        k, v = (t.reshape(t.shape[0], t.shape[1], shared, -1).swapaxes(1, 2) for t in (k, v))
    keys = k.shape[2] + (ran.x[4].shape[2] if ran.given(4) else 0)
    scores = q.shape[0] * heads * q.shape[2] * keys
    cap = 3 if ran.attrs.get("softcap") else 0
    each_score = 1 + softmax_steps() + ran.given(3) + bool(ran.attrs.get("is_causal")) + cap
    return Counts(scores * (q.shape[3] + v.shape[3]), scores * each_score)


def recurrent(gates: int, unit: Callable[[Counting], Any], peepholes: int | None = None) -> Callable[[Ran], Counts]:
    """`unit`: what is done for one hidden unit beside the two products, biases and peepholes."""

    def count(ran: Ran) -> Counts:
        x, w, r = ran.x[:3]
        hidden, directions = r.shape[-1], w.shape[0]
        turns = x.shape[0] * x.shape[1] * directions
        macs = turns * gates * hidden * (x.shape[-1] + hidden)
        own = steps(unit) + 2 * gates * ran.given(3) + (6 if peepholes and ran.given(peepholes) else 0)
        return Counts(macs, turns * hidden * own)

    return count


def lstm_unit(n: Counting) -> None:
    gates = [n + n for _ in range(4)]
    i, o, f = (sigmoid(gate) for gate in gates[:3])
    cell = f * n + i * tanh(gates[3])
    o * tanh(cell)


def gru_unit(n: Counting) -> None:
    z, r = sigmoid(n + n), sigmoid(n + n)
    candidate = tanh(n + r * n)
    (1 - z) * candidate + z * n


# Normalisations


def row_count(ran: Ran, axis: int) -> int:
    return math.prod(ran.x[0].shape[:axis])


def layer_norm(ran: Ran) -> Counts:
    element = steps(lambda n: (exp(n - exp(n) ** 2)) * 1 * 1)  # mean, subtract, square, mean, scale twice
    rows = row_count(ran, ran.axis())
    return Counts(ops=ran.x[0].size * (element + ran.given(2)) + rows * steps(lambda n: 1 / sqrt(n + 1e-5)))


def rms_norm(ran: Ran) -> Counts:
    rows = row_count(ran, ran.axis())
    return Counts(ops=ran.x[0].size * steps(lambda n: exp(n**2) * 1 * 1) + rows * steps(lambda n: 1 / sqrt(n + 1e-5)))


def channel_norm(groups: Callable[[Ran], int]) -> Callable[[Ran], Counts]:
    """Mean and deviation of each group of channels; scale and shift."""

    def count(ran: Ran) -> Counts:
        element = steps(lambda n: exp(n - exp(n) ** 2) * 1 * 1 + 1)
        means = ran.x[0].shape[0] * groups(ran)
        return Counts(ops=ran.x[0].size * element + means * steps(lambda n: 1 / sqrt(n + 1e-5)))

    return count


def batch_norm(ran: Ran) -> Counts:
    """(x - mean) / deviation · scale + shift; in training the batch's mean (sum), its variance (subtract, square, sum)
    and both running statistics beside it."""
    x, training = ran.x[0], bool(ran.attrs.get("training_mode"))
    element = steps(lambda n: (n - 0) / 1 * 1 + 0) + 4 * training
    return Counts(ops=x.size * element + x.shape[1] * (steps(lambda n: sqrt(n + 1)) + 6 * training))


def lrn(ran: Ran) -> Counts:
    size = ran.attrs["size"]
    return Counts(ops=ran.y[0].size * (1 + (size - 1) + steps(lambda n: 1 / (1 + 1 * n) ** 1)))


def softmax_steps() -> int:
    """Every element joins the maximum and the sum."""
    joined_to_maximum, joined_to_sum = 1, 1
    return joined_to_maximum + joined_to_sum + steps(lambda n: exp(n - 1) / 1)


def softmax(ran: Ran) -> Counts:
    return Counts(ops=ran.x[0].size * softmax_steps())


def mean_variance(ran: Ran) -> Counts:
    """(x - E[x]) / (√(E[x²] - E[x]²) + 1e-9)"""
    axes = ran.attrs.get("axes", (0, 2, 3))
    means = math.prod(n for axis, n in enumerate(ran.x[0].shape) if axis not in axes)
    element = steps(lambda n: (n - exp(n)) / exp(n**2))
    return Counts(ops=ran.x[0].size * element + means * steps(lambda n: sqrt(n - n**2) + 1e-9))


def lp_norm(ran: Ran) -> Counts:
    lines = ran.x[0].size // ran.x[0].shape[ran.axis()]
    return Counts(ops=3 * ran.x[0].size + lines * (ran.attrs.get("p", 2) == 2))


# Reductions and pooling


def reduce(before: int = 0, after: int = 0) -> Callable[[Ran], Counts]:
    """Join every element to another of its result: one fewer than there are, for each result."""

    def count(ran: Ran) -> Counts:
        data, result = ran.x[0].size, ran.y[0].size
        joins = sum(data // result - 1 for _ in range(result)) if result else 0
        return Counts(ops=max(joins + before * data + after * result, 0), read=ran.x[0].nbytes)

    return count


def pool(per_position: int, per_output: int) -> Callable[[Ran], Counts]:
    def count(ran: Ran) -> Counts:
        window = math.prod(ran.attrs["kernel_shape"])
        return Counts(ops=ran.y[0].size * (window * per_position + per_output))

    return count


def whole_pool(after: int) -> Callable[[Ran], Counts]:
    def count(ran: Ran) -> Counts:
        image = math.prod(ran.x[0].shape[2:])
        return Counts(ops=ran.x[0].shape[0] * ran.x[0].shape[1] * (image - 1 + after))

    return count


def top_k(ran: Ran) -> Counts:
    """A heap of k for each line: every element goes down its log2(k) levels."""
    length = ran.x[0].shape[ran.axis()]
    levels = max(math.ceil(math.log2(max(int(ran.x[1][0]), 2))), 1)
    return Counts(ops=ran.x[0].size // length * length * levels, read=ran.x[0].nbytes)


def running(ran: Ran) -> Counts:
    return Counts(ops=ran.x[0].size, read=ran.x[0].nbytes)


# Movement


def view(ran: Ran) -> Counts:
    return Counts(read=0, written=0)


def copy(ran: Ran) -> Counts:
    return Counts()


def first_copied(ran: Ran) -> Counts:
    return Counts(read=ran.x[0].nbytes)


def result_read(ran: Ran) -> Counts:
    return Counts(read=min(ran.y[0].nbytes, ran.x[0].nbytes))


def filled(ran: Ran) -> Counts:
    return Counts(read=0)


def gathered(ran: Ran) -> Counts:
    """The elements that are really given, and the places where they are."""
    return Counts(read=min(ran.y[0].nbytes, ran.x[0].nbytes) + ran.x[1].nbytes)


def scattered(ran: Ran) -> Counts:
    joined = ran.attrs.get("reduction", "none") != "none"
    return Counts(ops=ran.x[2].size * joined)


def cast(ran: Ran) -> Counts:
    return view(ran) if ran.x[0].dtype == ran.y[0].dtype else ONE(ran)


def variadic(finish: int = 0) -> Callable[[Ran], Counts]:
    return lambda ran: Counts(ops=ran.y[0].size * (len(ran.x) - 1 + finish))


def clip(ran: Ran) -> Counts:
    return Counts(ops=ran.x[0].size * (ran.given(1) + ran.given(2)))


def rotary(ran: Ran) -> Counts:
    """x·cos ± y·sin for the part of each head that rotates: twice the width of the table of cosines."""
    x, heads = ran.x[0], ran.attrs.get("num_heads")
    head = x.shape[-1] if x.ndim == 4 else x.shape[-1] // heads
    return Counts(ops=3 * x.size // head * 2 * ran.x[1].shape[-1])


def quantize(ran: Ran) -> Counts:
    """Divide, round, clamp from both sides; the zero point where there is one."""
    return Counts(ops=ran.x[0].size * (4 + ran.given(2)))


def dequantize(ran: Ran) -> Counts:
    return Counts(ops=ran.x[0].size * (1 + ran.given(2)))


def resize(ran: Ran) -> Counts:
    """n neighbours are weighed and summed along every axis that is scaled; of the image at most these are read."""
    x, y = ran.x[0], ran.y[0]
    along = {"nearest": 1, "linear": 2, "cubic": 4}[ran.attrs.get("mode", "nearest")]
    neighbours = along ** sum(a != b for a, b in zip(x.shape, y.shape))
    weighing = neighbours + neighbours - 1 if neighbours > 1 else 0
    return Counts(ops=y.size * weighing, read=min(x.nbytes, neighbours * y.size * x.itemsize))


def grid_sample(ran: Ran) -> Counts:
    along = {"nearest": 1, "bilinear": 2, "linear": 2, "cubic": 4, "bicubic": 4}[ran.attrs.get("mode", "linear")]
    neighbours = along ** (ran.x[0].ndim - 2)
    weighing = neighbours + neighbours - 1 if neighbours > 1 else 0
    return Counts(ops=ran.y[0].size * weighing + 2 * ran.x[1].size)


def det(ran: Ran) -> Counts:
    """Elimination: for each pivot a division and a product and difference for each element below and right of it."""
    *batch, n, _ = ran.x[0].shape
    return Counts(ops=math.prod(batch) * (2 * n**3 // 3))


def nll(ran: Ran, before: int = 0) -> Counts:
    """For each label: negate, weigh; join the losses, and the weights for the mean."""
    labels, weighted = ran.x[1].size, ran.given(2)
    joined = ran.attrs.get("reduction", "mean") != "none"
    return Counts(ops=before + labels * (1 + weighted + joined * (1 + weighted)))


_UNARY = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Ceil", "Cos", "Cosh", "Erf", "Exp",
    "Floor", "IsInf", "IsNaN", "Log", "Neg", "Not", "Reciprocal", "Round", "Sign", "Sin", "Sinh", "Sqrt", "Tan", "Tanh",
)  # fmt: skip
_BINARY = (
    "Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual",
    "Less", "LessOrEqual", "Mod", "Mul", "Or", "Pow", "Sub", "Where", "Xor",
)  # fmt: skip

COUNTS: Mapping[str, Callable[[Ran], Counts]] = {
    **dict.fromkeys((*_UNARY, *_BINARY), ONE),
    "Relu": each(lambda x: most(x, 0)),
    "LeakyRelu": each(lambda x: choose(x, x * 0.01)),
    "PRelu": each(lambda x: choose(x, x * 0.01)),
    "Sigmoid": each(sigmoid),
    "HardSigmoid": each(lambda x: most(least(x * 0.2 + 0.5))),
    "HardSwish": each(lambda x: x * most(least(x / 6 + 0.5))),
    "Elu": each(lambda x: choose(x, 1.0 * (exp(x) - 1))),
    "Selu": each(lambda x: 1.05 * choose(x, 1.67 * (exp(x) - 1))),
    "Celu": each(lambda x: most(x) + least(1.0 * (exp(x / 1.0) - 1))),
    "Softplus": each(lambda x: log(exp(x) + 1)),
    "Softsign": each(lambda x: x / (1 + abs(x))),
    "Mish": each(lambda x: x * tanh(log(1 + exp(x)))),
    "ThresholdedRelu": each(lambda x: choose(x)),
    "Shrink": each(lambda x: choose(x, x + 0.5) and choose(x, x - 0.5)),
    "Gelu": lambda ran: each(_gelu_tanh if ran.attrs.get("approximate") == "tanh" else _gelu)(ran),
    "Swish": lambda ran: each(lambda x: x * sigmoid(x * 2 if ran.attrs.get("alpha", 1.0) != 1.0 else x))(ran),
    "Sum": variadic(), "Max": variadic(), "Min": variadic(), "Mean": variadic(finish=1),
    "Clip": clip, "Cast": cast, "CastLike": cast, "RotaryEmbedding": rotary,
    "Conv": conv, "ConvInteger": lambda ran: conv(ran, bias=99), "ConvTranspose": conv_transpose,
    "DeformConv": deform_conv, "MatMul": matmul, "MatMulInteger": matmul,
    "QLinearMatMul": lambda ran: matmul(ran, b=3, per_output=5), "Gemm": gemm, "Einsum": einsum,
    "Attention": attention,
    "LSTM": recurrent(4, lstm_unit, peepholes=7), "GRU": recurrent(3, gru_unit),
    "RNN": recurrent(1, lambda n: tanh(n + n)),
    "LayerNormalization": layer_norm, "RMSNormalization": rms_norm, "BatchNormalization": batch_norm,
    "InstanceNormalization": channel_norm(lambda ran: ran.x[0].shape[1]),
    "GroupNormalization": channel_norm(lambda ran: ran.attrs["num_groups"]),
    "LRN": lrn, "LpNormalization": lp_norm, "MeanVarianceNormalization": mean_variance,
    "Softmax": softmax, "LogSoftmax": softmax, "Hardmax": lambda ran: Counts(ops=2 * ran.x[0].size),
    "ReduceSum": reduce(), "ReduceProd": reduce(), "ReduceMax": reduce(), "ReduceMin": reduce(),
    "ReduceMean": reduce(after=1), "ReduceL1": reduce(before=1), "ReduceL2": reduce(before=1, after=1),
    "ReduceSumSquare": reduce(before=1), "ReduceLogSum": reduce(after=1), "ReduceLogSumExp": reduce(before=1, after=1),
    "ArgMax": reduce(), "ArgMin": reduce(), "CumSum": running, "CumProd": running, "TopK": top_k,
    "MaxPool": pool(1, -1), "AveragePool": pool(1, 0), "LpPool": pool(2, 0),
    "GlobalMaxPool": whole_pool(0), "GlobalAveragePool": whole_pool(1),
    "Identity": view, "Reshape": view, "Flatten": view, "Squeeze": view, "Unsqueeze": view, "Shape": view, "Size": view,
    "Concat": copy, "Transpose": copy, "DepthToSpace": copy, "SpaceToDepth": copy, "ReverseSequence": copy,
    "Expand": first_copied, "Tile": first_copied, "Split": first_copied, "Trilu": first_copied,
    "Slice": result_read, "CenterCropPad": result_read, "Pad": result_read,
    "Gather": gathered, "GatherElements": gathered, "GatherND": gathered, "Compress": gathered,
    "Scatter": scattered, "ScatterElements": scattered, "ScatterND": scattered,
    "ConstantOfShape": filled, "EyeLike": filled, "OneHot": ONE,
    "QuantizeLinear": quantize, "DequantizeLinear": dequantize,
    "DynamicQuantizeLinear": lambda ran: Counts(ops=ran.x[0].size * (2 + 5)),
    "Resize": resize, "GridSample": grid_sample, "Det": det,
    "NegativeLogLikelihoodLoss": nll,
    "SoftmaxCrossEntropyLoss": lambda ran: nll(ran, before=softmax(ran).ops),
    "NonZero": running,
}  # fmt: skip


def _gelu(x: Counting) -> Counting:
    return 0.5 * x * (1 + erf(x / 1.41))


def _gelu_tanh(x: Counting) -> Counting:
    return 0.5 * x * (1 + tanh(0.8 * (x + 0.044715 * x**3)))
