"""Activations and residual sums that a convolution takes in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from graphcost.ir import Graph, Node
from graphcost.pipeline import Change, Context, Pass
from graphcost.rewrite import Anchor, FusionRule, Reject, Versions

from .fusing import CONVOLUTIONS, anchor_precision, fuse, is_elementwise

_CLAMPS = frozenset({"onnx.Relu", "onnx.Clip"})


@dataclass(frozen=True)
class FuseConvolution(Pass):
    """Fuse Conv or ConvTranspose with the residual Add behind it and a ReLU or Clip; fuse Gemm with ReLU.

    The inner results must have no other reader. Of two convolutions that feed one Add, the one with fewer nodes before
    it takes it in, the shortcut of a residual block; of two with as many, the one that runs later. Inferred: so it is
    in seven recorded engines; in others, whose graphs were sorted again, the main branch does, at nearly the same cost.
    """

    name: ClassVar[str] = "fuse-convolution"

    def run(self, graph: Graph, ctx: Context) -> Change:
        return fuse(self.name, graph, rules_of(graph), ctx)


def rules_of(graph: Graph) -> tuple[FusionRule, ...]:
    """The rules, for the order of execution of this graph."""
    return (_residual(_claims(graph)), CONV_ACT, GEMM_ACT)


Claim: TypeAlias = tuple[int, int]
"""Of two convolutions the one with the larger claim takes in their sum: minus the nodes on the longest way to it from
the inputs, and its place in the order of execution."""


def _claims(graph: Graph) -> dict[Node, Claim]:
    depth: dict[Node, int] = {}
    for node in graph:
        depth[node] = 1 + max((depth[value.producer] for value in node.inputs if value.producer is not None), default=0)
    return {node: (-depth[node], time) for time, node in enumerate(graph) if node.op in CONVOLUTIONS}


CONV_ACT = FusionRule(
    name="conv-activation",
    kernel="trt.conv_act",
    priority=20,
    evidence="layer `Conv_0 + Relu_1` (trex_tv-resnet18_A100_b32_fp32); Conv+ReLU and Conv+Clip, any convolution: "
    "developer guide, 'Types of Fusions'",
    anchor=Anchor(CONVOLUTIONS, _CLAMPS, limit=1),
    attrs=anchor_precision,
    runtimes=(Versions("tensorrt"),),
)

GEMM_ACT = FusionRule(
    name="gemm-activation",
    kernel="trt.conv_act",
    priority=20,
    evidence="layer `/classifier/classifier.1/Gemm + (Unnamed Layer* 25) [ElementWise] + "
    "/classifier/classifier.2/Relu` (fuzzy_onnx-api_alexnet_RTX3060L_fp16);"
    " not in a profile of TensorRT 7, whose fully connected tail stays apart",
    anchor=Anchor(frozenset({"onnx.Gemm"}), frozenset({"onnx.Relu"}), limit=1),
    attrs=anchor_precision,
    runtimes=(Versions("tensorrt", (8,)),),
)


def _residual(claims: Mapping[Node, Claim]) -> FusionRule:
    def fits(node: Node, taken: tuple[Node, ...]) -> None:
        if len(taken) == 1:
            _refuse_sum(node, taken[0], claims)
        elif node.op == "onnx.Add":
            raise Reject(f"{node.name} is a second sum, and a convolution takes in one", node)

    return FusionRule(
        name="conv-residual",
        kernel="trt.conv_act",
        priority=30,
        evidence="layer `Conv_5 + Add_6 + Relu_7` (trex_tv-resnet18_A100_b32_fp32); shortcut: "
        "`resnet50/conv2_block1_0_conv/Conv2D + resnet50/conv2_block1_add/add + resnet50/conv2_block1_out/Relu` "
        "(trex_tf-resnet_RTX3090_fp32); from TensorRT 7 on: NVIDIA/TensorRT#305",
        anchor=Anchor(CONVOLUTIONS, _CLAMPS | {"onnx.Add"}, limit=2, fits=fits),
        attrs=anchor_precision,
        runtimes=(Versions("tensorrt", (7,)),),
    )


def _refuse_sum(node: Node, conv: Node, claims: Mapping[Node, Claim]) -> None:
    """Raise Reject unless the node is a sum of the convolution's result and another tensor of the same size."""
    if node.op != "onnx.Add":
        raise Reject(f"{node.name} is {node.op}, not a residual sum", node)
    others = [value for value in node.inputs if value.producer is not conv]
    if len(others) != 1 or not is_elementwise(node) or others[0].is_weight:
        raise Reject(f"{node.name} does not add two tensors of one size", node)
    rival = others[0].producer
    if rival is not None and rival in claims and others[0].use_count == 1 and claims[rival] > claims[conv]:
        raise Reject(f"{rival.name} takes in {node.name}: it needs fewer nodes than {conv.name}, or runs later", node)
