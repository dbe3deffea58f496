"""Slices whose readers can look at the whole tensor instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.rewrite import Reject
from graphcost.types import FLOATS, Attr, TensorType

from .ledger import PRESERVED, Ledger
from .views import VIEWS


@dataclass(frozen=True)
class RetargetSlices(Pass):
    """Replace a Slice of floating-point numbers along one axis by a view: its readers read from the whole tensor.

    Copied as before: steps other than one, several axes, parts whose readers give them another shape (only a part along
    the first axis is contiguous), network outputs, slices that also convert, and what a convolution with a pointwise
    nest reads as its second tensor.

    Evidence: "Eliminating slice … by retargeting" in TensorRT's build logs; of YOLOv8n's 18 slices all are removed in
    FP32, 14 in FP16 and 15 in INT8 (10.3). That the others are those which a fused residual sum reads is inferred: 4
    of the 6 such sums in FP16 read a slice, 3 of the 5 in INT8.
    """

    name: ClassVar[str] = "retarget-slices"

    def run(self, graph: Graph, ctx: Context) -> Change:
        ledger = Ledger(self.name, graph, ctx)
        count = sum(_retarget(graph, node, ledger) for node in graph if node.op == "onnx.Slice")
        ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


def _retarget(graph: Graph, node: Node, ledger: Ledger) -> bool:
    try:
        place = _place(graph, node)
    except Reject as refusal:
        ledger.refuse(node, refusal.reason)
        return False
    bounds = [value for value in node.inputs[1:] if value.is_weight and value.use_count == 1]
    view = Node("trt.slice_view", [node.operand(0)], node.results, place, name=node.name, origin=node.own_origin)
    ledger.replace(node, [view], "its readers read from the whole tensor")
    for value in bounds:
        graph.remove_weight(value)
    return True


def _place(graph: Graph, node: Node) -> dict[str, Attr]:
    """Axis and first index of the part. Raises Reject when it cannot be looked at."""
    whole, part = node.operand(0), node.results[0]
    kind = None if whole is None else whole.type
    if not isinstance(kind, TensorType) or not isinstance(part.type, TensorType) or kind.dtype not in FLOATS | {"i8"}:
        raise Reject(f"{node.name} does not slice a tensor of floating-point numbers")
    if kind.dtype != part.type.dtype:
        raise Reject(f"{node.name} also converts {kind.dtype} to {part.type.dtype}")
    starts, axes, steps = (_numbers(node.operand(slot)) for slot in (1, 3, 4))
    if starts is None or axes is None or len(axes) != 1 or (node.operand(4) is not None and steps != (1,)):
        raise Reject(f"{node.name} takes parts along several axes or in steps, or does not say which")
    for reader in part.readers:
        if reader is graph.exit or (reader.op in VIEWS and axes[0] != 0):
            what = "an output of the network" if reader is graph.exit else f"given another shape by {reader.name}"
            raise Reject(f"%{part.name} is {what}, so it must be contiguous")
        if reader.op == "trt.conv_pointwise" and reader.operand(0) is not part:
            raise Reject(f"{reader.name} reads %{part.name} beside its convolution, so it must be contiguous")
    return _along(node, kind, axes[0], starts[0])


def _along(node: Node, kind: TensorType, axis: int, start: int) -> dict[str, Attr]:
    length = kind.dims[axis] if kind.dims and -len(kind.dims) <= axis < len(kind.dims) else None
    if not isinstance(length, int) or kind.dims is None:
        raise Reject(f"the length of what {node.name} slices is not known")
    first = max(start + length, 0) if start < 0 else min(start, length)
    place: dict[str, Attr] = {"axis": axis % len(kind.dims), "start": first}
    precision = node.attrs.get("precision")
    return place if precision is None else {**place, "precision": precision}


def _numbers(value: Value | None) -> tuple[int, ...] | None:
    if value is None or value.constant is None:
        return None
    return tuple(int(number) for number in value.constant.values)
