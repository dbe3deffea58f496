"""Convolutions that read one tensor, side by side in one kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.rewrite import Reject, merge_horizontal

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
        count = sum(_merge(graph, group, ctx) for group in siblings(graph))
        return Change(count) if count else UNCHANGED


def _merge(graph: Graph, group: Sequence[Node], ctx: Context) -> bool:
    precision = group[0].attrs.get("precision")
    attrs = {} if precision is None else {"precision": precision}
    name = " || ".join(node.name for node in group)
    try:
        kernel = merge_horizontal(graph, group, "trt.merged", attrs, name)
    except Reject as refusal:
        for node in group:
            ctx.journal.refused(MergeSiblings.name, node, refusal.reason)
        return False
    ctx.journal.did(MergeSiblings.name, kernel, f"{len(group)} convolutions that read one tensor run as one")
    return True
