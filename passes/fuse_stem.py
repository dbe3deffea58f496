"""The first convolution of an INT8 network, with the activation and the pooling behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph
from graphcost.pipeline import Change, Context, Pass
from graphcost.rewrite import FusionRule, Match, Operators, Pattern, Reject, Versions
from graphcost.types import Attr

from .fuse_epilogue import MOST_CHANNELS
from .fusing import CONVOLUTIONS, fuse
from .views import dims_of


@dataclass(frozen=True)
class FuseStem(Pass):
    """Fuse a convolution that reads an image, its ReLU and the MaxPool behind it into one kernel, where all three
    compute in INT8.

    Evidence: ConvActPoolFusion in TensorRT's build logs, layers of type ConvActPool in INT8 engines; in floats the
    pooling is a layer of its own.
    """

    name: ClassVar[str] = "fuse-stem"

    def run(self, graph: Graph, ctx: Context) -> Change:
        return fuse(self.name, graph, RULES, ctx)


def _stem(op: Operators) -> Pattern:
    return op.MaxPool(op["trt.conv_act"](...))


def _fits(match: Match) -> None:
    kernel, pool = match.nodes
    if kernel.attrs.get("precision") != "i8" or pool.attrs.get("precision") != "i8":
        raise Reject(f"{kernel.name} and {pool.name} do not both compute in i8", pool)
    inside = [inner for body in kernel.bodies for inner in body]
    conv = next((inner for inner in inside if inner.op in CONVOLUTIONS), None)
    if conv is None or not any(inner.op == "onnx.Relu" for inner in inside):
        raise Reject(f"{kernel.name} is no convolution with a ReLU", pool)
    dims = dims_of(conv.operand(0))
    channels = dims[1] if dims and len(dims) > 1 else None
    if not isinstance(channels, int) or channels > MOST_CHANNELS:
        raise Reject(f"{conv.name} reads more than {MOST_CHANNELS} channels, so it is no first layer", pool)


def _attrs(match: Match) -> Mapping[str, Attr]:
    return {"precision": "i8"}


RULES = (
    FusionRule(
        name="conv-activation-pooling",
        kernel="trt.conv_act_pool",
        priority=0,
        evidence="layer `conv1.weight + QuantizeLinear_7 + Conv_9 + MaxPool_12` of type ConvActPool "
        "(trex_tv-resnet18_A100_b32_qat-residual); ConvActPoolFusion in build logs (8.5.10)",
        pattern=_stem,
        when=_fits,
        attrs=_attrs,
        runtimes=(Versions("tensorrt", (8,)),),
    ),
)
