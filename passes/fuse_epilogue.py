"""Pointwise nests that a convolution takes in."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import Change, Context, Pass
from graphcost.rewrite import Anchor, FusionRule, Match, Reject, Versions

from .fusing import CONVOLUTIONS, POINTWISE, PWN, anchor_precision, fuse, is_elementwise, nested
from .siblings import siblings
from .views import dims_of

MOST_CHANNELS = 4
"""Channels of an image. Engines show three; that it is a matter of the first layer is inferred."""
_INT8_VECTOR = 32
_NARROW = ("f16", "i8")
_AMPERE_AND_LATER = frozenset(f"sm_{sm}" for sm in (80, 86, 87, 89, 90, 100, 101, 103, 110, 120, 121))
_FOLLOWERS = (POINTWISE | {PWN}) - {"onnx.Relu", "onnx.Clip"}


@dataclass(frozen=True)
class FuseEpilogue(Pass):
    """Fuse a convolution in FP16 or INT8 with the pointwise kernel behind it: SiLU, hard swish, sigmoid and others.

    Never in FP32. A kernel that reads a second tensor, such as SiLU and a residual sum, only from TensorRT 10 on, and
    in INT8 only where its channels fill whole vectors. In FP16 convolutions that can be merged side by side keep theirs
    apart. The first convolution, which reads an image, keeps it apart.
    """

    name: ClassVar[str] = "fuse-epilogue"

    def run(self, graph: Graph, ctx: Context) -> Change:
        return fuse(self.name, graph, rules_of(graph), ctx)


def rules_of(graph: Graph) -> tuple[FusionRule, ...]:
    """The rules, for the siblings of this graph."""
    merged = {node for group in siblings(graph) for node in group if node.attrs.get("precision") != "i8"}
    evidence = (
        "layer counts of YOLOv8n on Orin Nano, TensorRT 10.3: fp32 0, fp16 44 + 6, int8 50 + 5 of 51 + 6; that the one "
        "which is missing in both is the first, and the other the sum over 16 channels, is inferred"
    )
    return (
        _rule("conv-pointwise", 2, Versions("tensorrt", (10,)), merged, evidence),
        _rule(
            "conv-activation-nest",
            1,
            Versions("tensorrt", (8, 5), (10,)),
            merged,
            "layer lists of YOLOX-s (FP32: Conv and PWN apart, FP16: fused) and of YOLOv5s INT8 on Orin; only on "
            "Ampere and Hopper, not in 8.2.5: NVIDIA/TensorRT#2572",
        ),
    )


def _rule(name: str, tensors: int, versions: Versions, merged: Set[Node], evidence: str) -> FusionRule:
    def fits(node: Node, taken: tuple[Node, ...]) -> None:
        conv = taken[0]
        precision = conv.attrs.get("precision")
        if precision not in _NARROW:
            raise Reject(f"{conv.name} computes in {precision}; this fusion is for f16 and i8", node)
        if conv in merged:
            raise Reject(f"{conv.name} merges with others that read the same tensor, which goes first", node)
        _refuse_image(conv, node)
        _refuse_operands(node, tensors)
        if precision == "i8":
            _refuse_odd_vectors(node)

    return FusionRule(
        name=name,
        kernel="trt.conv_pointwise",
        priority=0,
        evidence=evidence,
        anchor=Anchor(CONVOLUTIONS, _FOLLOWERS, limit=1, fits=fits),
        attrs=anchor_precision,
        names=_name,
        runtimes=(versions,),
        architectures=_AMPERE_AND_LATER,
    )


def _refuse_image(conv: Node, node: Node) -> None:
    dims = dims_of(conv.operand(0))
    if dims and len(dims) > 1 and isinstance(dims[1], int) and dims[1] <= MOST_CHANNELS:
        raise Reject(f"{conv.name} reads an image of {dims[1]} channels, whose kernels take in a ReLU at most", node)


def _refuse_odd_vectors(node: Node) -> None:
    """Of two tensors in INT8 the channels must fill vectors of 32 (CHW32)."""
    dims = dims_of(node.results[0])
    channels = dims[1] if dims and len(dims) > 1 else None
    if len(_tensors(node)) > 1 and (not isinstance(channels, int) or channels % _INT8_VECTOR):
        raise Reject(
            f"{node.name} reads two tensors whose {channels} channels do not fill vectors of {_INT8_VECTOR}", node
        )


def _tensors(node: Node) -> list[Value]:
    return [value for value in node.inputs if not value.is_weight]


def _refuse_operands(node: Node, most: int) -> None:
    if not is_elementwise(node):
        raise Reject(f"{node.name} is not elementwise over floating-point tensors of one size", node)
    count = len(_tensors(node))
    if count > most:
        raise Reject(f"{node.name} reads {count} tensors, and this TensorRT takes in at most {most}", node)


def _name(match: Match) -> str:
    conv, *rest = match.nodes
    return f"{conv.name} + {nested(rest)}"
