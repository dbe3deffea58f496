"""Chains and trees of elementwise operations, in one kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node
from graphcost.pipeline import Change, Context, Pass
from graphcost.rewrite import Anchor, FusionRule, Match, Reject, Versions

from .fusing import POINTWISE, PWN, anchor_precision, fuse, is_elementwise, nested

LARGEST = 16
"""Operations in one nest. Nests are limited in size (developer guide); the limit is not documented, this is assumed."""


@dataclass(frozen=True)
class FusePointwise(Pass):
    """Put activations, unary and elementwise operations over tensors of one size into one kernel (`PWN`), as long as
    one result leaves it. Other operands have the same size, or are known scalars.

    Evidence: PointWiseFusion in TensorRT's build logs, and PointWise fusion in its developer guide.
    """

    name: ClassVar[str] = "fuse-pointwise"

    def run(self, graph: Graph, ctx: Context) -> Change:
        return fuse(self.name, graph, RULES, ctx)


def _fits(node: Node, taken: tuple[Node, ...]) -> None:
    if not all(map(is_elementwise, (taken[0], node))):
        raise Reject(f"{node.name} is not elementwise over floating-point tensors of one size", node)
    if node.results[0].type.dims != taken[0].results[0].type.dims:  # type: ignore[union-attr]
        raise Reject(f"{node.name} works on another size than {taken[0].name}", node)
    if node.attrs.get("precision") != taken[0].attrs.get("precision"):
        raise Reject(f"{node.name} computes in another precision than {taken[0].name}", node)
    if sum(map(_size, (*taken, node))) > LARGEST:
        raise Reject(f"with {node.name} the kernel would have more than {LARGEST} operations", node)


def _size(node: Node) -> int:
    return sum(len(body) for body in node.bodies) if node.op == PWN else 1


def _name(match: Match) -> str:
    return nested(match.nodes)


RULES = (
    FusionRule(
        name="pointwise-nest",
        kernel=PWN,
        priority=10,
        evidence="PointWise fusion: developer guide, 'Types of Fusions'; layers `PWN(PWN(Sigmoid), Mul)` in engine "
        "lists of YOLOX and YOLOv5",
        anchor=Anchor(POINTWISE | {PWN}, POINTWISE | {PWN}, limit=LARGEST, fits=_fits),
        attrs=anchor_precision,
        names=_name,
        runtimes=(Versions("tensorrt"),),
    ),
)
