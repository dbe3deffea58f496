"""Automatic mixed precision: which operators run in the lower type, and the copies that this makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import BITS, FLOATS, TensorType

LOWER = frozenset({
    "onnx.Conv", "onnx.ConvTranspose", "onnx.Gemm", "onnx.MatMul", "onnx.Einsum", "group.attention", "onnx.PRelu",
})  # fmt: skip
"""Contractions: they run in the lower type, on CPUs and on CUDA."""

CUDA_FLOAT = frozenset({
    "onnx.Softmax", "group.softmax", "onnx.LogSoftmax", "onnx.LayerNormalization", "group.layer_norm",
    "onnx.GroupNormalization", "group.group_norm", "onnx.Exp", "onnx.Log", "onnx.Pow", "onnx.Reciprocal",
    "onnx.ReduceSum", "onnx.ReduceProd", "onnx.ReduceL2", "onnx.CumSum", "onnx.Softplus", "onnx.Acos", "onnx.Asin",
    "onnx.Cosh", "onnx.Sinh", "onnx.Tan", "onnx.Erf",
})  # fmt: skip
"""Run in FP32 on CUDA (docs.pytorch.org, Autocast Op Reference); on CPUs they take what they are given."""

_FIRST_DECIDES = frozenset({
    "onnx.BatchNormalization", "onnx.LayerNormalization", "group.layer_norm", "onnx.InstanceNormalization",
    "onnx.GroupNormalization", "group.group_norm", "group.rms_norm", "onnx.Dropout", "onnx.Resize", "onnx.Gather",
})  # fmt: skip
"""Operators whose result has the type of operand 0, whatever their parameters have."""

_TYPES: Mapping[str, str] = {"fp16": "f16", "bf16": "bf16"}


@dataclass(frozen=True)
class Autocast(Pass):
    """Cast the operands of contractions to the type that `amp` names and let types flow on as PyTorch promotes them.

    A weight is cast once for all its readers, an activation for each. Without `amp` nothing changes. With a device the
    lists are those of CUDA, without one those of the CPU, on which the figures were measured.
    """

    name: ClassVar[str] = "autocast"
    amp: str = ""

    def run(self, graph: Graph, ctx: Context) -> Change:
        if not self.amp:
            return UNCHANGED
        floats = frozenset() if ctx.target.device is None else CUDA_FLOAT
        casting = _Casting(graph, _TYPES[self.amp], floats)
        for node in list(graph):
            casting.visit(node)
        return Change(casting.count) if casting.count else UNCHANGED


@dataclass
class _Casting:
    graph: Graph
    lower: str
    floats: frozenset[str]
    count: int = 0
    _weights: dict[tuple[Value, str], Value] = field(default_factory=dict)

    def visit(self, node: Node) -> None:
        """Cast what the node reads, then type what it gives."""
        if node.op in LOWER or node.op in self.floats:
            wanted = self.lower if node.op in LOWER else "f32"
            for slot, value in enumerate(node.operands):
                if value is not None and _is_float(value) and _dtype(value) != wanted:
                    node.set_operand(slot, self._cast(node, value, wanted))
            self._give(node, wanted)
        elif node.op not in ("onnx.Cast", "onnx.CastLike"):
            self._give(node, _promoted(node))

    def _cast(self, node: Node, value: Value, dtype: str) -> Value:
        if (made := self._weights.get((value, dtype))) is not None:
            return made
        assert isinstance(value.type, TensorType)
        made = Value(f"{value.name}.{dtype}.{self.count}", value.type.with_dtype(dtype))
        self.graph.insert_before(node, Node("onnx.Cast", [value], [made], {"to": dtype}, origin=()))
        self.count += 1
        if value.is_weight:
            self._weights[value, dtype] = made
        return made

    def _give(self, node: Node, dtype: str | None) -> None:
        """Type the results; where it was decided in what the node computes, decide anew."""
        if dtype is not None and node.attrs.get("precision", dtype) != dtype and any(map(_is_float, node.results)):
            node.set_attr("precision", dtype)
        for result in node.results:
            if dtype is not None and _is_float(result) and _dtype(result) != dtype:
                assert isinstance(result.type, TensorType)
                result.type = result.type.with_dtype(dtype)
                self.count += 1


def _promoted(node: Node) -> str | None:
    """The widest type among operands with dimensions; scalars do not promote."""
    read = [v for v in node.inputs if _is_float(v) and isinstance(v.type, TensorType) and v.type.dims]
    if not read:
        return None
    return _dtype(read[0]) if node.op in _FIRST_DECIDES else max(map(_dtype, read), key=lambda d: (BITS[d] or 0, d))


def _is_float(value: Value) -> bool:
    return _dtype(value) in FLOATS


def _dtype(value: Value) -> str:
    return value.type.dtype if isinstance(value.type, TensorType) else "?"
