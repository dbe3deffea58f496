"""Convolutions that read one tensor, side by side in one kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.rewrite import Reject, merge_horizontal

from .ledger import Ledger
from .siblings import siblings


@dataclass(frozen=True)
class MergeSiblings(Pass):
    """Merge convolutions that read one tensor and have equal windows, strides, pads, dilations, precision and
    activation into one kernel with several results (`a || b`). Their filters may differ in number.

    Not merged: grouped convolutions (inferred: none is seen), convolutions with a residual sum or a pointwise nest.

    Evidence: `inception_3a/1x1 + inception_3a/relu_1x1 || inception_3a/3x3_reduce + ...` in a build log of GoogLeNet
    (TensorRT 3 to 5, and 8.5.2); three merges in the head of YOLOv8n (10.3).
    """

    name: ClassVar[str] = "merge-siblings"

    def run(self, graph: Graph, ctx: Context) -> Change:
        ledger = Ledger(self.name, graph, ctx)
        count = sum(_merge(graph, group, ledger) for group in siblings(graph))
        ledger.close()
        return Change(count) if count else UNCHANGED


def _merge(graph: Graph, group: Sequence[Node], ledger: Ledger) -> bool:
    precision = group[0].attrs.get("precision")
    attrs = {} if precision is None else {"precision": precision}
    name = " || ".join(node.name for node in group)
    reason = f"{len(group)} convolutions that read one tensor run as one"
    try:
        ledger.gather(group, lambda: merge_horizontal(graph, group, "trt.merged", attrs, name), reason)
    except Reject as refusal:
        for node in group:
            ledger.refuse(node, refusal.reason)
        return False
    return True
