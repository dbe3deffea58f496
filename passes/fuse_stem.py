"""The first convolution of an INT8 network, with the activation and the pooling behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node
from graphcost.pipeline import Change, Context, Pass
from graphcost.rewrite import Anchor, FusionRule, Reject, Versions

from .fuse_epilogue import MOST_CHANNELS
from .fusing import CONVOLUTIONS, anchor_precision, fuse
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


def _fits(node: Node, taken: tuple[Node, ...]) -> None:
    kernel = taken[0]
    if kernel.attrs.get("precision") != "i8" or node.attrs.get("precision") != "i8":
        raise Reject(f"{kernel.name} and {node.name} do not both compute in i8", node)
    inside = [inner for body in kernel.bodies for inner in body]
    conv = next((inner for inner in inside if inner.op in CONVOLUTIONS), None)
    if conv is None or not any(inner.op == "onnx.Relu" for inner in inside):
        raise Reject(f"{kernel.name} is no convolution with a ReLU", node)
    dims = dims_of(conv.operand(0))
    channels = dims[1] if dims and len(dims) > 1 else None
    if not isinstance(channels, int) or channels > MOST_CHANNELS:
        raise Reject(f"{conv.name} reads more than {MOST_CHANNELS} channels, so it is no first layer", node)


RULES = (
    FusionRule(
        name="conv-activation-pooling",
        kernel="trt.conv_act_pool",
        priority=0,
        evidence="layer `conv1.weight + QuantizeLinear_7 + Conv_9 + MaxPool_12` of type ConvActPool "
        "(trex_tv-resnet18_A100_b32_qat-residual); ConvActPoolFusion in build logs (8.5.10)",
        anchor=Anchor(frozenset({"trt.conv_act"}), frozenset({"onnx.MaxPool"}), limit=1, fits=_fits),
        attrs=anchor_precision,
        runtimes=(Versions("tensorrt", (8,)),),
    ),
)
