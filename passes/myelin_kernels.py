"""Which nodes of a Myelin region run in one kernel.

A product of matrices has a bias, a scalar factor and an activation inside. Everything else between two products runs in
generated kernels ("kgen"): elementwise operations, broadcasts, gathers and copies together with one normalization,
softmax or reduction over rows. Views, transposes and slices only say how a kernel addresses memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from graphcost.ir import Node

from .myelin_roles import ATTENTION, GEMM, LAYOUT, POINTWISE, ROWS, elements_of, role_of, rows_of, tensors_of
from .views import VIEWS

LARGEST = 48
"""Nodes in one kernel. That there is a limit is assumed; kernels of more than a dozen operations are seen in names such
as `__myl_ResAddMeaSubMulMeaAddSqrDivMulAdd_…`."""

_EPILOGUES = frozenset({"onnx.Relu", "onnx.Gelu", "group.gelu", "onnx.Tanh", "onnx.Sigmoid", "onnx.Clip",
                        "onnx.QuantizeLinear"})  # fmt: skip
_LINEAR = frozenset({"onnx.Add", "onnx.Mul"})

KGEN = "kgen"


@dataclass(frozen=True)
class Kernel:
    """What is known of a kernel in the making: `kind` (gemm, attention, kgen; layout while it only moves positions),
    how many nodes it has, over which rows it reduces, whether a value inside has several readers."""

    kind: str
    size: int = 1
    rows: tuple[int, int] | None = None
    shared: bool = False
    virtual: bool = False
    """Nothing but views so far, of what another kernel makes: their results are in memory already."""

    @property
    def moves_only(self) -> bool:
        return self.kind == LAYOUT


def floats(kernel: Kernel) -> bool:
    """What only moves positions for one reader can wait for it."""
    return kernel.moves_only and not kernel.shared


Parts: TypeAlias = Sequence[tuple[Node, Kernel]]


def joined(node: Node, parts: Parts) -> Kernel | None:
    """The kernel of a node and of those that make what it reads; None where it cannot be one."""
    role = role_of(node)
    if role is None:
        return None
    if sum(kernel.size for _, kernel in parts) >= LARGEST or any(k.virtual and k.shared for _, k in parts):
        return None
    made = _BY_ROLE[role](node, parts)
    return None if made is None else replace(made, shared=made.shared or _is_shared(node))


def _is_shared(node: Node) -> bool:
    return any(result.use_count > 1 for result in node.results)


def _gemm(node: Node, parts: Parts) -> Kernel | None:
    """It reads through what only moves positions, for it alone."""
    if not all(floats(kernel) for _, kernel in parts):
        return None
    return Kernel(GEMM, _size(parts))


def _attention(node: Node, parts: Parts) -> Kernel | None:
    """Begins a kernel: what moves positions before it has joined it already."""
    return None if parts else Kernel(ATTENTION)


def _layout(node: Node, parts: Parts) -> Kernel | None:
    """A view joins what makes it, if it is the only reader; other movements join what is no product."""
    if not parts:
        return Kernel(LAYOUT, virtual=node.op in VIEWS)
    maker, kernel = parts[0]
    if node.op in VIEWS and _is_shared(maker):
        return None
    if kernel.kind in (GEMM, ATTENTION) and node.op not in VIEWS:
        return None
    return replace(kernel, size=_size(parts), virtual=kernel.virtual and node.op in VIEWS)


def _rows(node: Node, parts: Parts) -> Kernel | None:
    """One geometry of rows for each kernel: it has no way to wait for others between two."""
    rows = rows_of(node)
    if any(kernel.rows not in (None, rows) for _, kernel in parts):
        return None
    merged = _generated(parts)
    return None if merged is None else replace(merged, rows=rows)


def _pointwise(node: Node, parts: Parts) -> Kernel | None:
    if any(kernel.kind == GEMM for _, kernel in parts):
        return _epilogue(node, parts)
    merged = _generated(parts)
    if merged is None or merged.rows is not None and _elements(node) > merged.rows[0]:
        return None
    grows = any(_is_shared(maker) and _elements(maker) < _elements(node) for maker, _ in parts)
    return None if grows else merged


def _epilogue(node: Node, parts: Parts) -> Kernel | None:
    """A bias, a factor or an activation behind a product that nobody else reads."""
    maker, kernel = parts[0]
    reads_more = len(parts) > 1 or len(tensors_of(node)) > 1
    if reads_more or _is_shared(maker) or node.op not in _EPILOGUES | _LINEAR or _elements(node) != _elements(maker):
        return None
    return replace(kernel, size=_size(parts))


def _generated(parts: Parts) -> Kernel | None:
    """What movements and generated kernels make together."""
    if any(kernel.kind in (GEMM, ATTENTION) for _, kernel in parts):
        return None
    rows = {kernel.rows for _, kernel in parts if kernel.rows is not None}
    if len(rows) > 1:
        return None
    return Kernel(KGEN, _size(parts), next(iter(rows), None), any(kernel.shared for _, kernel in parts))


def _size(parts: Parts) -> int:
    return 1 + sum(kernel.size for _, kernel in parts)


def _elements(node: Node) -> int:
    return max((elements_of(result) or 0 for result in node.results), default=0)


_BY_ROLE: Mapping[str, Callable[[Node, Parts], Kernel | None]] = {
    GEMM: _gemm,
    ATTENTION: _attention,
    LAYOUT: _layout,
    ROWS: _rows,
    POINTWISE: _pointwise,
}
