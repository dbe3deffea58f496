"""What is known of the operators of a training step: the storage that they share and their work."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from graphcost.ir import Node, Value
from graphcost.operators import Alias, CountWork, Effort, ListAliases, Operators, Relation
from graphcost.types import TensorType

from .in_place import IN_PLACE
from .optimizer import RECIPES

_VIEWS = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split", "Gather")


def inside(node: Node) -> Sequence[Alias]:
    """Every result is a part of operand 0, wherever in it."""
    return tuple(Alias(index, 0, Relation.INSIDE) for index in range(len(node.results)))


def written_over(node: Node) -> Sequence[Alias]:
    """The result lies where operand 0 was, on nodes that say so."""
    return (Alias(0, 0, Relation.IN_PLACE),) if node.attrs.get("in_place") else ()


ALIASES: Mapping[str, ListAliases] = {
    **{f"aten.{name}": inside for name in _VIEWS},
    "grad.view": inside,
    "grad.part": inside,
    **dict.fromkeys(("grad.accumulate", *IN_PLACE), written_over),
}


def elementwise(each: int, *, reads: int = 2) -> CountWork:
    """{each} for each element of the results; reads {reads} tensors of that size."""

    def count(node: Node) -> Effort:
        size = _bytes(node.results)
        return Effort(elementwise_ops=each * _elements(node.results), bytes_read=reads * size, bytes_written=size)

    return count


def summed(node: Node) -> Effort:
    """One addition for each element of the gradient (operand 0), which is read once."""
    return Effort(elementwise_ops=_elements(node.inputs[:1]), bytes_read=_bytes(node.inputs[:1]))


def convolution(node: Node) -> Effort:
    """dgrad and wgrad: as many multiply-adds as forward (output elements · channels of a group · window), each reading
    the gradient and the other factor. The bias is a sum over the gradient."""
    gradient, _, weight = node.inputs[0], *_pair(node)
    if node.attrs.get("wrt") == 2:
        return summed(node)
    dims = _dims(weight)
    outputs = gradient if node.op == "grad.Conv" else _pair(node)[0]
    macs = _elements([outputs]) * math.prod(dims[1:])
    return Effort(macs, bytes_read=_bytes([gradient, _pair(node)[0 if node.attrs.get("wrt") == 1 else 1]]))


def _pair(node: Node) -> tuple[Value, Value]:
    """The input and the weight that a convolution kept, behind the gradient."""
    return node.inputs[1], node.inputs[2]


def product(node: Node) -> Effort:
    """A gradient of a matrix product has as many multiply-adds as forward: elements of dY times the elements that the
    gradient's rows share."""
    gradient, made = node.inputs[0], node.results[0]
    rows, shared = _dims(gradient), _dims(made)
    inner = shared[-1] if node.attrs.get("wrt") == 0 else shared[-2] if len(shared) > 1 else 1
    if node.attrs.get("wrt") == 0 and node.attrs.get("transA"):
        inner = shared[0]
    if node.attrs.get("wrt") == 1 and node.attrs.get("transB"):
        inner = shared[-1]
    return Effort(math.prod(rows) * inner)


def attention(node: Node) -> Effort:
    """Five products where forward has two: scores again, dV, dP, dQ, dK (Dao et al., arXiv 2205.14135, algorithm 4)."""
    body = node.results[0].type.elements or 0
    rows = _dims(node.results[0])
    keys = rows[-2] if len(rows) > 1 else 1
    return Effort(5 * body * keys, elementwise_ops=8 * body)


def normalization(each: int = 11) -> CountWork:
    """{each} for each element: two sums over the rows, then scale and shift of the gradient."""
    return lambda node: Effort(elementwise_ops=each * _elements(node.results[:1]))


def optimizer(node: Node) -> Effort:
    """A pass over all parameters for each kernel of the recipe; parameters, gradients and states are read, parameters
    and states written."""
    count = node.attrs.get("parameters")
    first = node.inputs[: count if isinstance(count, int) else 0]
    kernels = node.attrs.get("kernels")
    passes = kernels if isinstance(kernels, int) else 1
    return Effort(elementwise_ops=2 * passes * _elements(first), bytes_read=2 * passes * _bytes(first))


def _elements(values: Sequence[Value]) -> int:
    return sum(value.type.elements or 0 for value in values)


def _bytes(values: Sequence[Value]) -> int:
    return sum(value.type.size_bytes or 0 for value in values)


def _dims(value: Value) -> tuple[int, ...]:
    dims = value.type.dims if isinstance(value.type, TensorType) else None
    return tuple(dim if isinstance(dim, int) else 1 for dim in dims or ())


_EACH: Mapping[str, int] = {
    "Relu": 1, "LeakyRelu": 2, "Clip": 2, "Sigmoid": 3, "Tanh": 3, "Elu": 3, "Selu": 3, "Celu": 3, "HardSigmoid": 2,
    "HardSwish": 4, "Softplus": 4, "Mish": 10, "Gelu": 12, "gelu": 12, "silu": 6, "Swish": 6, "swish": 6, "mish": 10,
    "hard_swish": 4, "hard_sigmoid": 2, "Exp": 1, "Log": 1, "Sqrt": 2, "Neg": 1, "Abs": 2, "Erf": 4, "Reciprocal": 3,
    "Pow": 3, "Mul": 1, "Sub": 1, "Div": 3, "Where": 1, "Max": 2, "Min": 2, "PRelu": 2, "Dropout": 2, "Cast": 1,
    "CastLike": 1, "Softmax": 4, "softmax": 4, "LogSoftmax": 4, "log_softmax": 4, "MaxPool": 1, "AveragePool": 1,
    "GlobalAveragePool": 1, "GlobalMaxPool": 1, "LpPool": 3, "GlobalLpPool": 3, "Resize": 4, "ReduceMean": 1,
    "ReduceMax": 2, "ReduceMin": 2, "ReduceProd": 2, "ReduceL1": 2, "ReduceL2": 2, "ReduceSumSquare": 2,
    "ReduceLogSum": 2, "ReduceLogSumExp": 3, "CumSum": 1, "Split": 0, "Slice": 0, "Gather": 1, "Pad": 0, "Tile": 1,
    "Trilu": 0, "GatherElements": 1, "GatherND": 1, "TopK": 0, "ScatterElements": 1, "ScatterND": 1, "nll": 1, "mse": 2,
    "Sin": 2, "Cos": 2, "Tan": 3, "Asin": 4, "Acos": 4, "Atan": 3, "Sinh": 2, "Cosh": 2, "Asinh": 4, "Acosh": 4,
    "Atanh": 3, "Softsign": 3, "ThresholdedRelu": 1, "LRN": 8, "GridSample": 8, "DepthToSpace": 0, "SpaceToDepth": 0,
    "Col2Im": 1, "MaxUnpool": 1, "RoiAlign": 4, "Upsample": 4, "accumulate": 1, "zeros": 0, "ones": 0,
}  # fmt: skip
"""Operations for each element of the gradient that is made, from PyTorch's formulas (derivatives.yaml)."""

_NORMS = (
    "BatchNormalization InstanceNormalization GroupNormalization LayerNormalization layer_norm group_norm rms_norm "
    "RMSNormalization"
)

WORK: Mapping[str, CountWork] = {
    **{f"aten.{name}": elementwise(0) for name in _VIEWS},
    "aten.clone": elementwise(0, reads=1),
    **{f"grad.{name}": elementwise(each) for name, each in _EACH.items()},
    **{f"grad.{name}": normalization() for name in _NORMS.split()},
    **{f"optim.{name.replace('-', '_')}": optimizer for name in RECIPES},
    "grad.view": elementwise(0),
    "grad.part": elementwise(0),
    "grad.sum": summed,
    "grad.Conv": convolution,
    "grad.ConvTranspose": convolution,
    "grad.Gemm": product,
    "grad.MatMul": product,
    "grad.attention": attention,
    "loss.log_softmax": elementwise(5, reads=1),
    "loss.nll": summed,
    "loss.mse": summed,
}

OPERATORS = Operators(work=WORK, aliases=ALIASES)
"""What the plug-in of the built-in passes brings."""
