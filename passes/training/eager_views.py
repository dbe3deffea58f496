"""PyTorch looks at tensors where ONNX has operators that move them; and it copies where a view is not enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.journal import Journal
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import TensorType
from graphcost.work.node import Work

from .strides import Strides, contiguous, permuted, viewed

_KEEPS = frozenset({
    "onnx.Conv", "onnx.ConvTranspose", "onnx.BatchNormalization", "onnx.MaxPool", "onnx.AveragePool",
    "onnx.InstanceNormalization", "onnx.Resize",
})  # fmt: skip
"""Operators that write their result in the memory format of operand 0: channels last stays channels last."""

_CONTIGUOUS = frozenset({
    "onnx.Softmax", "onnx.LogSoftmax", "group.softmax", "onnx.MatMul", "onnx.Gemm", "onnx.Einsum",
    "onnx.LayerNormalization", "group.layer_norm", "group.rms_norm", "group.attention", "onnx.Concat", "onnx.Gather",
    "onnx.ReduceMean", "onnx.GlobalAveragePool",
})  # fmt: skip


@dataclass(frozen=True)
class EagerViews(Pass):
    """Rename Transpose, Reshape, Slice, Split, … to `aten.*` where PyTorch gives a view of the operand, and to
    `aten.clone` where a reshape must copy; put a copy before a batched product whose heads cannot be viewed as one
    batch.

    Decided by strides, with PyTorch's own rule.
    """

    name: ClassVar[str] = "eager-views"

    def run(self, graph: Graph, ctx: Context) -> Change:
        walk = _Walk(graph, ctx.journal)
        for node in list(graph):
            walk.visit(node)
        return Change(walk.count) if walk.count else UNCHANGED


@dataclass
class _Walk:
    """Strides of the values seen so far; row-major where nothing is said."""

    graph: Graph
    journal: Journal
    strides: dict[Value, Strides] = field(default_factory=dict)
    count: int = 0

    def visit(self, node: Node) -> None:
        view = _VIEWS.get(node.op)
        if view is not None:
            return view(self, node)
        if node.op == "onnx.MatMul":
            self._batch(node)
        if node.op not in _CONTIGUOUS:
            self._keep(node)
        return None

    def of(self, value: Value) -> Strides:
        return self.strides.get(value) or contiguous(_dims(value))

    def rename(self, node: Node, op: str, strides: Sequence[Strides]) -> None:
        node.op = op
        node.set_attr("view", 1)
        self.strides.update(zip(node.results, strides))
        self.count += 1

    def _keep(self, node: Node) -> None:
        """The axes of the result lie in the order in which those of the first operand of its shape do, without gaps
        (at::TensorIteratorBase::allocate_or_resize_outputs)."""
        for result in node.results[:1]:
            dims = _dims(result)
            like = next((v for v in node.inputs if len(_dims(v)) == len(dims) and self._lends(node, v, dims)), None)
            strides = None if like is None else self.of(like)
            if like is None or strides is None or strides == contiguous(_dims(like)):
                return
            self.strides[result] = _same_order(dims, strides)

    def _lends(self, node: Node, value: Value, dims: Sequence[int]) -> bool:
        return not value.is_weight and (node.op in _KEEPS or _dims(value) == tuple(dims))

    def _batch(self, node: Node) -> None:
        """`matmul` views all leading axes as one; where it cannot it copies (at::native::matmul)."""
        for slot, value in enumerate(node.operands):
            dims = () if value is None else _dims(value)
            if value is None or len(dims) < 3:
                continue
            merged = (_product(dims[:-2]), *dims[-2:])
            if viewed(dims, self.of(value), merged) is None:
                self._copy(node, slot, value)

    def _copy(self, node: Node, slot: int, value: Value) -> None:
        copy = Value(f"{value.name}.copy{value.use_count}", value.type)
        made = Node("aten.clone", [value], [copy], name=f"{node.name}.copy{slot}", origin=())
        self.graph.insert_before(node, made)
        node.set_operand(slot, copy)
        self.count += 1


def _transpose(walk: _Walk, node: Node) -> None:
    source, perm = node.operand(0), node.attrs.get("perm")
    if source is None:
        return
    strides = walk.of(source)
    axes = [int(axis) for axis in perm] if isinstance(perm, tuple) else list(range(len(strides)))[::-1]  # type: ignore[arg-type]
    walk.rename(node, "aten.Transpose", [permuted(strides, axes)])


def _reshape(walk: _Walk, node: Node) -> None:
    source, name = node.operand(0), node.op.rpartition(".")[2]
    if source is None:
        return
    dims = _dims(node.results[0])
    strides = viewed(_dims(source), walk.of(source), dims)
    if strides is None:
        walk.rename(node, "aten.clone", [contiguous(dims)])
    else:
        walk.rename(node, f"aten.{name}", [strides])


def _slice(walk: _Walk, node: Node) -> None:
    """Slices with step 1, parts of a split: the strides stay."""
    source = node.operand(0)
    if source is not None and node.results[0].type.elements:
        walk.rename(node, f"aten.{node.op.rpartition('.')[2]}", [walk.of(source)] * len(node.results))


def _select(walk: _Walk, node: Node) -> None:
    """Gather with one known index is `select`: a view without that axis."""
    source, index, axis = node.operand(0), node.operand(1), node.attrs.get("axis", 0)
    if source is None or source.is_weight or index is None or index.constant is None or not isinstance(axis, int):
        return
    if len(_dims(node.results[0])) == len(_dims(source)) - 1:
        strides = walk.of(source)
        axis %= len(strides)
        walk.rename(node, "aten.Gather", [strides[:axis] + strides[axis + 1 :]])


def _expand(walk: _Walk, node: Node) -> None:
    """`expand` is a view without a tensor of its own: operators that broadcast read the operand itself."""
    result, source = node.results[0], node.operand(0)
    if source is None or len(_dims(source)) != len(_dims(result)) or not result.readers:
        return
    if any(not _broadcasts(reader, result) for reader in result.readers):
        return
    result.replace_by(source)
    walk.graph.remove(node)
    walk.journal.removed(node.origin, "its readers broadcast", Work())
    walk.count += 1


def _broadcasts(reader: Node, value: Value) -> bool:
    """Whether a node would give the same where it read the value before it was expanded."""
    others = [other for other in reader.inputs if other is not value]
    full = any(_dims(other) == _dims(reader.results[0]) for other in others) if reader.results else False
    return reader.op in _BROADCASTING and full


_BROADCASTING = frozenset({"onnx.Add", "onnx.Sub", "onnx.Mul", "onnx.Div", "onnx.Pow", "onnx.Where"})

_VIEWS: Mapping[str, Callable[[_Walk, Node], None]] = {
    "onnx.Transpose": _transpose,
    "onnx.Reshape": _reshape,
    "onnx.Flatten": _reshape,
    "onnx.Squeeze": _reshape,
    "onnx.Unsqueeze": _reshape,
    "onnx.Slice": _slice,
    "onnx.Split": _slice,
    "onnx.Gather": _select,
    "onnx.Expand": _expand,
}


def _dims(value: Value) -> tuple[int, ...]:
    dims = value.type.dims if isinstance(value.type, TensorType) else None
    return tuple(dim if isinstance(dim, int) else 1 for dim in dims or ())


def _product(dims: Sequence[int]) -> int:
    made = 1
    for dim in dims:
        made *= dim
    return made


def _same_order(dims: Sequence[int], strides: Strides) -> Strides:
    """Dense strides for other dims with the same order of axes."""
    made, step = [0] * len(dims), 1
    for axis in sorted(range(len(dims)), key=lambda axis: (strides[axis], -axis)):
        made[axis], step = step, step * dims[axis]
    return tuple(made)
