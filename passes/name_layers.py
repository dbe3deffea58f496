"""The names of layers in the style of the TensorRT version."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.rewrite import Versions

_PART = re.compile(r" \+ | \|\| ")


@dataclass(frozen=True)
class NameLayers(Pass):
    """Name layers as this version of TensorRT does. Other passes name them in the style of TensorRT 10.

    TensorRT 8 turns a Clip into a pointwise layer before a convolution takes it in: `Conv_12 + PWN(Clip_16)`.
    """

    name: ClassVar[str] = "name-layers"

    def run(self, graph: Graph, ctx: Context) -> Change:
        runtime = ctx.target.runtime
        styles = [style for style in STYLES if style.versions.hold(runtime.family, runtime.version)]
        count = sum(_rename(node, style) for style in styles for node in graph)
        return Change(count) if count else UNCHANGED


@dataclass(frozen=True)
class Style:
    """How some versions name some layers. `rename` gives the name that a node has there."""

    versions: Versions
    evidence: str
    rename: Callable[[Node], str]


def _rename(node: Node, style: Style) -> bool:
    before, node.name = node.name, style.rename(node)
    return node.name != before


def _with_nested_clips(node: Node) -> str:
    clips = {inner.name for inner in _inside(node) if inner.op == "onnx.Clip"}
    if not clips:
        return node.name
    parts, joints = _PART.split(node.name), _PART.findall(node.name)
    named = [f"PWN({part})" if part in clips else part for part in parts]
    return named[0] + "".join(joint + part for joint, part in zip(joints, named[1:]))


def _inside(node: Node) -> Iterator[Node]:
    for body in node.bodies:
        for inner in body:
            yield inner
            yield from _inside(inner)


STYLES = (
    Style(
        Versions("tensorrt", (8,), (10,)),
        "layer `features.0.0.weight + QuantizeLinear_8 + Conv_12 + PWN(Clip_16)` (trex_mobilenet_TITANRTX_qat, 8.x); "
        "ActivationToPointwiseConversion in build logs of 8.5",
        _with_nested_clips,
    ),
)
