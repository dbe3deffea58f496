"""Layers whose precision the user decides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.target import Target

from .int8 import INT8_CONTRACTIONS, INT8_PASSING
from .precisions import TF32_OPS, float_of

_PRECISIONS = {"fp32": "f32", "fp16": "f16", "int8": "i8"}


@dataclass(frozen=True)
class PinPrecision(Pass):
    """Fix the precision of layers by name: trtexec's `--layerPrecisions=/conv1/Conv:fp32,*:fp16`. A name may hold one
    `*`; a later spec overrides an earlier one. What the hardware lacks, what names no layer and what cannot run so is
    said in a warning and left to `assign-precision`. FP32 lets TF32 stand in where the target does.

    Evidence: `trtexec --help`, "the specs are read left-to-right, and later ones override earlier ones. Each layer name
    can contain at most one wildcard ('*') character"; the builder is then assumed to obey
    (`--precisionConstraints=obey`).
    """

    name: ClassVar[str] = "pin-precision"
    layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for spec in self.layers:
            _parse(spec)

    def run(self, graph: Graph, ctx: Context) -> Change:
        wanted: dict[Node, str] = {}
        nodes = [node for node in graph if float_of(node) is not None]
        for spec in self.layers:
            name, precision = _parse(spec)
            found = [node for node in nodes if name.fullmatch(node.name)]
            wanted.update((node, precision) for node in found)
            if not found:
                ctx.journal.warn(f"precision of layers: '{spec}' names none of this network")
        return Change(count) if (count := sum(_pin(node, p, ctx) for node, p in wanted.items())) else UNCHANGED


def _parse(spec: str) -> tuple[re.Pattern[str], str]:
    """`conv*:fp16` as the names that it stands for and a precision. ValueError where it is no such text."""
    name, _, precision = spec.strip().rpartition(":")
    if not name or precision.lower() not in _PRECISIONS or name.count("*") > 1:
        raise ValueError(f"'{spec}' is not layer:precision, of {', '.join(_PRECISIONS)}, with one * at most")
    return re.compile(re.escape(name).replace(r"\*", ".*")), _PRECISIONS[precision.lower()]


def _pin(node: Node, precision: str, ctx: Context) -> bool:
    if (reason := _why_not(node, precision, ctx.target)) is not None:
        ctx.journal.fell_back("pin-precision", node, precision, reason)
        ctx.journal.warn(f"{node.name} is not pinned: {reason}")
        return False
    stands_in = precision == "f32" and "tf32" in ctx.target.allowed() and node.op in TF32_OPS
    decided = "tf32" if stands_in else precision
    if node.attrs.get("precision") == decided:
        return False
    node.set_attr("precision", decided)
    ctx.journal.did("pin-precision", node, f"computes in {decided}, as asked")
    return True


def _why_not(node: Node, precision: str, target: Target) -> str | None:
    if target.device is not None and precision in ("f16", "i8") and not target.device.supports(precision):  # type: ignore[arg-type]
        return f"{target.device.id} does not compute in {precision}"
    if precision == "i8" and node.op not in INT8_CONTRACTIONS | INT8_PASSING:
        return f"{node.op} has no INT8 kernel"
    return None
