"""Concatenations whose parts are written side by side by those who make them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.origin import Origin
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import FLOATS, TensorType

from .ledger import PRESERVED, Ledger
from .values import FreshNames
from .views import VIEWS

_NO_STRIDES = frozenset({"onnx.Resize", "trt.merged", "trt.slice_view", "trt.concat_view"})
"""What cannot write into a part of a larger tensor: Resize and merged kernels (build logs), views of other tensors."""


@dataclass(frozen=True)
class RetargetConcats(Pass):
    """Replace a Concat of floating-point tensors by a view: those who make its parts write them into the whole.

    A part is copied into its place (`X copy`) where its producer has another reader, is a merged kernel, a Resize or a
    slice, or the part is an input or a weight of the network.

    Evidence: "Eliminating concatenation", "Generating copy for <merged layer>", "Retargeting" in the build log of
    GoogLeNet (TensorRT 3 to 5); copies "because input does not support striding" and "because of stomping hazard" in
    that of YOLOv5s. With these rules YOLOv8n in FP32 has 27 copies, which the
    layer counts of its build imply (10.3: 158 - 17 + 27 = 168).
    """

    name: ClassVar[str] = "retarget-concats"

    def run(self, graph: Graph, ctx: Context) -> Change:
        retargeting = _Retargeting(graph, Ledger(self.name, graph, ctx))
        count = sum(retargeting.visit(node) for node in graph if node.op == "onnx.Concat")
        retargeting.ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


@dataclass
class _Retargeting:
    graph: Graph
    ledger: Ledger
    names: FreshNames = field(default_factory=FreshNames)

    def visit(self, node: Node) -> bool:
        whole = node.results[0].type
        if len(node.operands) < 2:
            return False
        if not _is_placed(whole):
            self.ledger.refuse(node, f"%{node.results[0].name} is no tensor of numbers of known size")
            return False
        reasons = [None if part is None else _why_copied(part, whole) for part in node.operands]
        self._retarget(node, reasons)
        return True

    def _retarget(self, node: Node, reasons: list[str | None]) -> None:
        share = 1 / (1 + sum(reason is not None for reason in reasons))
        origin = [Origin(name, part * share) for name, part in node.own_origin]
        copies = [self._copy(node, part, origin) if part and reason else None
                  for part, reason in zip(node.operands, reasons)]  # fmt: skip
        parts = [copy.results[0] if copy else part for copy, part in zip(copies, node.operands)]
        made = [copy for copy in copies if copy is not None]
        attrs = {key: node.attrs[key] for key in ("axis", "precision") if key in node.attrs}
        view = Node("trt.concat_view", parts, node.results, attrs, name=node.name, origin=origin)
        copied = "; ".join(reason for reason in reasons if reason)
        self.ledger.replace(node, [*made, view], f"parts are written into their places; copied: {copied or 'none'}")

    def _copy(self, node: Node, part: Value, origin: list[Origin]) -> Node:
        """A kernel that brings a part into its place: a Concat of it alone."""
        producer = part.producer
        name = f"{part.name if producer is None else producer.name} copy"
        source, whole = part.type, node.results[0].type
        assert isinstance(source, TensorType) and isinstance(whole, TensorType)
        result = Value(self.names.unique(self.graph, f"{part.name}.copy"), TensorType(whole.dtype, source.dims))
        return Node("onnx.Concat", [part], [result], node.attrs, name=name, origin=origin)


def _is_placed(kind: object) -> bool:
    if not isinstance(kind, TensorType) or kind.dims is None or kind.dtype not in FLOATS | {"i8"}:
        return False
    return all(isinstance(dim, int) for dim in kind.dims)


def _why_copied(part: Value, whole: object) -> str | None:
    """Why what makes a part cannot write it into the whole; None where it can. Views are looked through."""
    made = part
    while True:
        producer = made.producer
        if producer is None:
            return f"%{made.name} is not made by a kernel"
        if made.use_count > 1:
            return f"%{made.name} has another reader"
        if producer.op not in VIEWS or not isinstance(producer.operand(0), Value):
            break
        made = producer.operands[0] or made
    if producer.op in _NO_STRIDES or len(producer.results) > 1:
        return f"{producer.name} cannot write into a part of a tensor"
    same = isinstance(part.type, TensorType) and isinstance(whole, TensorType) and part.type.dtype == whole.dtype
    return None if same and _is_placed(part.type) else f"%{part.name} is converted"
