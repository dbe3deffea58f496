"""Scales and the activations behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph
from graphcost.pipeline import Change, Context, Pass
from graphcost.rewrite import Anchor, FusionRule, Versions

from .fusing import anchor_precision, fuse

_ACTIVATIONS = frozenset({
    "onnx.Relu", "onnx.Clip", "onnx.LeakyRelu", "onnx.Elu", "onnx.Sigmoid", "onnx.Tanh", "onnx.HardSigmoid",
})  # fmt: skip
"""Activation layers of TensorRT with one parameter or two; what is made of several operations is a pointwise nest."""


@dataclass(frozen=True)
class FuseScale(Pass):
    """Fuse a batch norm that no convolution takes in (behind a Concat, or before the convolution) with the activation
    behind it.

    Evidence: "Scale and Activation" in TensorRT's fusion catalogue, ScaleActivationFusion in its build logs (8.5.10).
    """

    name: ClassVar[str] = "fuse-scale"

    def run(self, graph: Graph, ctx: Context) -> Change:
        return fuse(self.name, graph, RULES, ctx)


RULES = (
    FusionRule(
        name="scale-activation",
        kernel="trt.scale_act",
        priority=40,
        evidence="developer guide, 'Types of Fusions': a Scale layer followed by an Activation layer can be fused into "
        "a single Activation layer; ScaleActivationFusion in the build log of TensorRT 8.5.10",
        anchor=Anchor(frozenset({"onnx.BatchNormalization"}), _ACTIVATIONS, limit=1),
        attrs=anchor_precision,
        runtimes=(Versions("tensorrt"),),
    ),
)
