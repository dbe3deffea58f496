"""Convolutions that read one tensor, side by side in one kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.rewrite import Reject, merge_horizontal
from graphcost.runtime import Version

from .ledger import PRESERVED, Ledger
from .siblings import CONV, GEMM, siblings

_DEQUANTIZING = (8, 4)
"""The first TensorRT that merges convolutions which read through DequantizeLinear."""


@dataclass(frozen=True)
class MergeSiblings(Pass):
    """Merge convolutions that read one tensor and have equal windows, strides, pads, dilations, precision and
    activation into one kernel with several results (`a || b`). Their filters may differ in number. From TensorRT 8 on
    fully connected layers too (queries, keys and values of an attention).

    Where Q/DQ stand in the network, those that read through DequantizeLinear merge from 8.4 on.

    Not merged: grouped convolutions (inferred: none is seen), convolutions with a residual sum or a pointwise nest.

    Evidence: `inception_3a/1x1 + inception_3a/relu_1x1 || inception_3a/3x3_reduce + ...` in a build log of GoogLeNet
    (TensorRT 3 to 5, and 8.5.2); three merges in the head of YOLOv8n (10.3); `k_proj || q_proj` in the layer list of a
    DETR engine (8.x), where the profile of a TensorRT 7 engine has its matrix multiplications apart; `cv_occ.0.0 ||
    cv3.0.0 || cv2.0.0`, all quantized, in a build log of a YOLOv8 with Q/DQ (8.4.12), which 8.0 to 8.2 did not merge
    (NVIDIA/TensorRT#1602).
    """

    name: ClassVar[str] = "merge-siblings"

    def run(self, graph: Graph, ctx: Context) -> Change:
        ledger = Ledger(self.name, graph, ctx)
        version = ctx.target.runtime.version
        groups = siblings(graph, merged_ops(version), dequantizing=version is None or version >= _DEQUANTIZING)
        count = sum(_merge(graph, group, ledger) for group in groups)
        ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


def merged_ops(version: Version | None) -> frozenset[str]:
    """What merges in a version of TensorRT."""
    return frozenset({CONV} if version is not None and version < (8,) else {CONV, GEMM})


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
