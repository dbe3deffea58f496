"""What post-training calibration leaves alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph
from graphcost.pipeline import UNCHANGED, Change, Context, Pass

from .myelin import regions_of
from .precisions import float_of, precisions_of
from .retype import CALIBRATED_FROM


@dataclass(frozen=True)
class PinMyelin(Pass):
    """Where INT8 is calibrated rather than written into the network by Q/DQ, let what Myelin takes over compute in
    floating point: FP16 if allowed, else FP32 (TF32 in products). From TensorRT 10 on, where Myelin takes over whole
    transformers.

    Evidence: Myelin works in INT8 "only with QDQ, not PTQ" (NVIDIA/TensorRT#2323, 2022). In an INT8 engine of DETR
    (8.x) norms are ForeignNodes and products are not, so nothing is pinned before TensorRT 10.
    """

    name: ClassVar[str] = "pin-myelin"

    def run(self, graph: Graph, ctx: Context) -> Change:
        rules, version = precisions_of(ctx.target, graph), ctx.target.runtime.version or ()
        if not rules.calibrates or version < (10,):
            return UNCHANGED
        free = [node for node in regions_of(graph, ctx.target.runtime) if "precision" not in node.attrs]
        pinned = [node for node in free if float_of(node) in CALIBRATED_FROM]
        for node in pinned:
            node.set_attr("precision", rules.without_int8(node))
            ctx.journal.fell_back(self.name, node, "i8", "Myelin takes it over, and calibration does not reach it")
        return Change(len(pinned)) if pinned else UNCHANGED
