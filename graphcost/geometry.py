"""Geometry: the matrix products inside a kernel, as plain numbers from which tiles and waves are counted.

A convolution is a matrix product of pixels by output channels over channels x window (implicit GEMM; methods of
cuDNN, Chetlur et al. 2014). What is fused around it changes its epilogue, not its geometry, so that the geometry of a
fused kernel is that of the products in its body.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from .ir import Node
from .operators import UnknownWork
from .work.sizes import integer, integers, operand_shape, result_elements, result_shape

ContractionKind = Literal["conv", "deconv", "wgrad", "gemm"]


@dataclass(frozen=True, slots=True)
class Contraction:
    """One convolution or matrix product: `batch` x `groups` products of [m, k] by [k, n], so that
    batch · groups · m · n · k are its multiply-adds.

    conv: m = N·P·Q pixels of the result, n = output channels of a group, k = input channels of a group x window.
    deconv: m = N·H·W pixels of the input, n = output channels of a group x window, k = input channels of a group. The
    gradient of a convolution by its input (dgrad) is one: its input is the gradient of the result.
    wgrad (the gradient by the weights): m = output channels of a group, n = input channels of a group x window,
    k = N·P·Q pixels of the result.
    gemm: m rows of the result, n columns, k summed; rows of a batch that share one right operand are one product.
    """

    kind: ContractionKind
    batch: int
    groups: int
    m: int
    n: int
    k: int
    window: tuple[int, ...] = ()
    """Size along each spatial axis; empty for a gemm."""
    strides: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    input_dims: tuple[int, ...] = ()
    """As stored: N, C, H, W, but for operators that store channels last; of a gemm the left operand."""
    output_dims: tuple[int, ...] = ()
    transposed: bool = False
    """The right operand of a gemm is stored as [n, k]."""

    @property
    def macs(self) -> int:
        return self.batch * self.groups * self.m * self.n * self.k


@dataclass(frozen=True, slots=True)
class Window:
    """The sliding window of a convolution or pooling: sizes and strides along the spatial axes."""

    sizes: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Geometry:
    """What a query says of the inside of a kernel."""

    contractions: tuple[Contraction, ...] = ()
    epilogue: tuple[str, ...] = ()
    """Operators behind the first contraction or pooling of the first body, without their world: ("Add", "Relu")."""
    window: Window | None = None
    """Of the first convolution or pooling."""


def geometry_of(node: Node) -> Geometry:
    """The geometry of a node, its bodies included. A product with an unknown dimension is left out."""
    if not node.bodies:
        return _of_one(node)
    found = [_of_one(inner) for inner in _leaves(node)]
    window = next((geometry.window for geometry in found if geometry.window), None)
    contractions = tuple(part for geometry in found for part in geometry.contractions)
    return Geometry(contractions, _epilogue(node), window)


def _of_one(node: Node) -> Geometry:
    count = _COUNTS.get(node.op)
    contraction = None if count is None else _known(count, node)
    return Geometry(() if contraction is None else (contraction,), (), _window(node))


def _known(count: Callable[[Node], Contraction | None], node: Node) -> Contraction | None:
    """None where a dimension is unknown or the file is damaged: the work of the node is then unknown as well."""
    try:
        return count(node)
    except (UnknownWork, ArithmeticError, LookupError, ValueError):
        return None


def _leaves(node: Node) -> Iterator[Node]:
    """The nodes inside, those of bodies inside bodies included."""
    for body in node.bodies:
        for inner in body:
            yield from _leaves(inner) if inner.bodies else (inner,)


def _epilogue(node: Node) -> tuple[str, ...]:
    names = [inner.op for inner in node.bodies[0]]
    anchor = next((at for at, op in enumerate(names) if op in _COUNTS or op in _POOLS), len(names))
    return tuple(op.rpartition(".")[2] for op in names[anchor + 1 :])


def _window(node: Node) -> Window | None:
    if node.op not in _POOLS and node.op not in _CONVOLUTIONS:
        return None
    sizes = integers(node, "kernel_shape")
    strides = integers(node, "strides") or (1,) * len(sizes)
    return Window(sizes, strides) if sizes else None


def _convolution(weight: int, node: Node) -> Contraction:
    groups, filters = integer(node, "group", 1), operand_shape(node, weight)
    window = integers(node, "kernel_shape") or filters[2:]
    channels = filters[0] // groups
    pixels = result_elements(node) // max(filters[0], 1)
    return Contraction(
        "conv", 1, groups, pixels, channels, math.prod(filters[1:]), window,
        *_steps(node, window), operand_shape(node), result_shape(node),
    )  # fmt: skip


def _transposed_convolution(node: Node) -> Contraction:
    groups, filters, given = integer(node, "group", 1), operand_shape(node, 1), operand_shape(node)
    window = integers(node, "kernel_shape") or filters[2:]
    pixels = math.prod(given) // max(given[1], 1)
    return Contraction(
        "deconv", 1, groups, pixels, math.prod(filters[1:]), filters[0] // groups, window,
        *_steps(node, window), given, result_shape(node),
    )  # fmt: skip


def _steps(node: Node, window: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Strides and dilations, 1 along each axis where the file says nothing."""
    ones = (1,) * len(window)
    return integers(node, "strides") or ones, integers(node, "dilations") or ones


def _convolution_gradient(node: Node) -> Contraction | None:
    """Operands: the gradient of the result, input, weight. That of the bias (`wrt` 2) is a sum and no product."""
    gradient, given, filters = (operand_shape(node, at) for at in range(3))
    groups, wrt = integer(node, "group", 1), integer(node, "wrt")
    if wrt not in (0, 1):
        return None
    channels, window = filters[0] // groups, filters[2:]
    pixels, taps = math.prod(gradient) // max(filters[0], 1), math.prod(filters[1:])
    steps = _steps(node, window)
    if wrt == 1:
        return Contraction("wgrad", 1, groups, channels, taps, pixels, window, *steps, given, gradient)
    return Contraction("deconv", 1, groups, pixels, taps, channels, window, *steps, gradient, given)


def _product_gradient(node: Node) -> Contraction | None:
    """Operands: the gradient of the result, left and right factor; `wrt` 0 or 1 says whose gradient is made. Where all
    rows share one right factor they are one product."""
    gradient, factors, wrt = operand_shape(node), (operand_shape(node, 1), operand_shape(node, 2)), integer(node, "wrt")
    if wrt not in (0, 1) or min(map(len, (gradient, *factors))) < 2:
        return None
    batch = 1 if len(factors[1]) == 2 else math.prod(gradient[:-2])
    rows, columns = math.prod(gradient[:-1]) // max(batch, 1), gradient[-1]
    inner = math.prod(factors[1]) // max(columns * math.prod(factors[1][:-2]), 1)
    m, n, k = (rows, inner, columns) if wrt == 0 else (inner, columns, rows)
    return Contraction("gemm", batch, 1, m, n, k, input_dims=gradient, output_dims=result_shape(node))


def _matmul(right: int, node: Node) -> Contraction:
    """Gemm and MatMul: with one right operand of two dimensions all rows of the left one are one product."""
    a, b, out = operand_shape(node), operand_shape(node, right), result_shape(node)
    flipped = bool(integer(node, "transB"))
    k = a[-2] if integer(node, "transA") else a[-1]
    n = 1 if len(b) == 1 else b[-2] if flipped else b[-1]
    rows = math.prod(out) // max(n, 1)
    shared = len(b) <= 2
    m = rows if shared else out[-2] if len(a) > 1 else 1
    batch = 1 if shared else rows // max(m, 1)
    return Contraction("gemm", batch, 1, m, n, k, input_dims=a, output_dims=out, transposed=flipped)


_COUNTS: Mapping[str, Callable[[Node], Contraction | None]] = {
    **dict.fromkeys(
        (
            "onnx.Conv", "onnx.ConvInteger", "com.microsoft.FusedConv", "com.microsoft.nchwc.Conv",
            "com.microsoft.NhwcConv", "com.microsoft.NhwcFusedConv",
        ),
        partial(_convolution, 1),
    ),
    "onnx.QLinearConv": partial(_convolution, 3),
    "com.microsoft.QLinearConv": partial(_convolution, 3),
    "onnx.ConvTranspose": _transposed_convolution,
    **dict.fromkeys(
        ("onnx.Gemm", "onnx.MatMul", "onnx.MatMulInteger", "com.microsoft.FusedGemm", "com.microsoft.FusedMatMul",
         "com.microsoft.GemmFastGelu", "com.microsoft.MatMulInteger16", "com.microsoft.MatMulIntegerToFloat"),
        partial(_matmul, 1),
    ),
    "onnx.QLinearMatMul": partial(_matmul, 3),
    "com.microsoft.QGemm": partial(_matmul, 3),
    "grad.Conv": _convolution_gradient,
    "grad.Gemm": _product_gradient,
    "grad.MatMul": _product_gradient,
}  # fmt: skip

_POOLS = frozenset({
    "onnx.MaxPool", "onnx.AveragePool", "onnx.LpPool", "onnx.GlobalAveragePool", "onnx.GlobalMaxPool",
    "com.microsoft.QLinearAveragePool",
})  # fmt: skip
_CONVOLUTIONS = frozenset(op for op in _COUNTS if "Conv" in op)
