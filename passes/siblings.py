"""Convolutions or fully connected layers that read one tensor and differ only in their filters."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Set

from graphcost.ir import Graph, Node, Value
from graphcost.types import TensorType

from .quantizers import DEQUANTIZE

CONV, GEMM = "onnx.Conv", "onnx.Gemm"
_ATTRS = ("strides", "pads", "dilations", "auto_pad", "transA", "transB", "alpha", "beta")

WIDEST = 8
"""Convolutions in one merged kernel. Engines show two and three; that there is a limit is assumed."""


def siblings(graph: Graph, ops: Set[str] = frozenset({CONV}), *, dequantizing: bool = True) -> list[list[Node]]:
    """Groups of two or more of `ops`, each in execution order, in the order of their first members. Those that read
    through DequantizeLinear are left out unless `dequantizing`."""
    groups: dict[tuple[Value, Hashable], list[Node]] = {}
    for node in graph:
        if (key := _key(node, ops)) is not None and (dequantizing or not _dequantizes(node)):
            groups.setdefault(key, []).append(node)
    parts = [group[at : at + WIDEST] for group in groups.values() for at in range(0, len(group), WIDEST)]
    return [part for part in parts if len(part) > 1]


def _key(node: Node, ops: Set[str]) -> tuple[Value, Hashable] | None:
    """The tensor that it reads, and what must be equal; None for what never merges."""
    data = node.operand(0)
    if data is None or data.use_count < 2:
        return None
    inside = _inside(node, ops)
    conv = inside[0] if inside else None
    if conv is None or conv.op not in ops or conv.attrs.get("group", 1) != 1:
        return None
    if any(value is not data and not value.is_weight for value in node.inputs):
        return None
    weight, kind = conv.operand(1), node.results[0].type
    if weight is None or not isinstance(weight.type, TensorType) or not isinstance(kind, TensorType):
        return None
    window = None if weight.type.dims is None else weight.type.dims[2:]  # none of a Gemm
    geometry = tuple(conv.attrs.get(name) for name in _ATTRS)
    epilogue = tuple(step.op for step in inside[1:])
    return data, (conv.op, window, geometry, epilogue, node.attrs.get("precision"), kind.dtype)


def _inside(node: Node, ops: Set[str]) -> list[Node]:
    """A convolution alone, or with the activation of its kernel. What dequantizes its operands stands before it."""
    if node.op in ops:
        return [node]
    return [step for step in _first_body(node) if step.op != DEQUANTIZE] if node.op == "trt.conv_act" else []


def _dequantizes(node: Node) -> bool:
    return any(step.op == DEQUANTIZE for step in _first_body(node))


def _first_body(node: Node) -> Iterable[Node]:
    return node.bodies[0] if node.bodies else ()
