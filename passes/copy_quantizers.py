"""Quantizers that no kernel took in: they convert a tensor in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph
from graphcost.pipeline import Change, Context, Pass
from graphcost.rewrite import FusionRule, Match, Operators, Pattern, Versions, either

from .fusing import fuse


@dataclass(frozen=True)
class CopyQuantizers(Pass):
    """Turn each QuantizeLinear and DequantizeLinear that is left over into a kernel that copies and converts
    (`trt.reformat`); a DequantizeLinear that only a QuantizeLinear reads goes with it, from one scale to another.

    Evidence: QDQToCopy in TensorRT's build logs; layers of type Reformat that bear the names of such nodes.
    """

    name: ClassVar[str] = "copy-quantizers"

    def run(self, graph: Graph, ctx: Context) -> Change:
        return fuse(self.name, graph, RULES, ctx)


def _requantizer(op: Operators, x: Pattern) -> Pattern:
    return op.QuantizeLinear(op.DequantizeLinear(x, ...), ...)


def _quantizer(op: Operators, x: Pattern) -> Pattern:
    return either(op.QuantizeLinear(x, ...), op.DequantizeLinear(x, ...))


def _name(match: Match) -> str:
    return match.last.name


_SINCE_8 = (Versions("tensorrt", (8,)),)

RULES = (
    FusionRule(
        name="requantizer-to-copy",
        kernel="trt.reformat",
        priority=1,
        evidence="QDQToCopy in build logs (8.4.12, 8.5.10); that a DequantizeLinear and a QuantizeLinear without "
        "anything between are one copy is inferred",
        pattern=_requantizer,
        names=_name,
        runtimes=_SINCE_8,
    ),
    FusionRule(
        name="quantizer-to-copy",
        kernel="trt.reformat",
        priority=0,
        evidence="QDQToCopy in build logs (8.4.12, 8.5.10); layers QuantizeLinear_2 and DequantizeLinear_291 of type "
        "Reformat (trex_tv-resnet18_A100_b32_qat-residual)",
        pattern=_quantizer,
        names=_name,
        runtimes=_SINCE_8,
    ),
)
