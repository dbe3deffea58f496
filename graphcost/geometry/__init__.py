"""Geometry: the matrix products inside a kernel, as plain numbers from which tiles and waves are counted.

A convolution is a matrix product of pixels by output channels over channels x window (implicit GEMM; methods of
cuDNN, Chetlur et al. 2014). What is fused around it changes its epilogue, not its geometry, so that the geometry of a
fused kernel is that of the products in its body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from graphcost.ir import Node
from graphcost.operators import UnknownWork
from graphcost.work.attention import SCORES
from graphcost.work.sizes import integers

from .contraction import Contraction, ContractionKind
from .convolutions import convolution, convolution_gradient, deformable_convolution, transposed_convolution
from .products import attention, einsum, matmul, packed_matmul, product_gradient, recurrent

__all__ = ["Contraction", "ContractionKind", "Geometry", "Window", "geometry_of"]


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
    return Geometry(() if count is None else _known(count, node), (), _window(node))


_Found: TypeAlias = "Contraction | tuple[Contraction, ...] | None"


def _known(count: Callable[[Node], _Found], node: Node) -> tuple[Contraction, ...]:
    """Nothing where a dimension is unknown or the file is damaged: the work of the node is then unknown as well."""
    try:
        found = count(node)
    except (UnknownWork, ArithmeticError, LookupError, ValueError):
        return ()
    return (found,) if isinstance(found, Contraction) else found or ()


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


_COUNTS: Mapping[str, Callable[[Node], _Found]] = {
    **dict.fromkeys(
        (
            "onnx.Conv", "onnx.ConvInteger", "com.microsoft.FusedConv", "com.microsoft.nchwc.Conv",
            "com.microsoft.NhwcConv", "com.microsoft.NhwcFusedConv",
        ),
        partial(convolution, 1),
    ),
    "onnx.QLinearConv": partial(convolution, 3),
    "com.microsoft.QLinearConv": partial(convolution, 3),
    "onnx.ConvTranspose": transposed_convolution,
    "onnx.DeformConv": deformable_convolution,
    **dict.fromkeys(
        ("onnx.Gemm", "onnx.MatMul", "onnx.MatMulInteger", "com.microsoft.FusedGemm", "com.microsoft.FusedMatMul",
         "com.microsoft.GemmFastGelu", "com.microsoft.MatMulInteger16", "com.microsoft.MatMulIntegerToFloat",
         "com.microsoft.DynamicQuantizeMatMul"),
        partial(matmul, 1),
    ),
    "onnx.QLinearMatMul": partial(matmul, 3),
    "com.microsoft.QGemm": partial(matmul, 3),
    **dict.fromkeys(("com.microsoft.MatMulNBits", "com.microsoft.MatMulBnb4"), packed_matmul),
    "onnx.Einsum": einsum,
    **dict.fromkeys(SCORES, attention),
    **dict.fromkeys(("onnx.RNN", "onnx.GRU", "onnx.LSTM"), recurrent),
    "grad.Conv": convolution_gradient,
    "grad.Gemm": product_gradient,
    "grad.MatMul": product_gradient,
}  # fmt: skip

_POOLS = frozenset({
    "onnx.MaxPool", "onnx.AveragePool", "onnx.LpPool", "onnx.GlobalAveragePool", "onnx.GlobalMaxPool",
    "com.microsoft.QLinearAveragePool",
})  # fmt: skip
_CONVOLUTIONS = frozenset(op for op in _COUNTS if "Conv" in op)
