"""Kernels that bring tensors from one type or format to another, where neighbours disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph
from graphcost.pipeline import UNCHANGED, Change, Context, Pass

from .formats.reformats import Reformatting, name_of_7, name_of_8


@dataclass(frozen=True)
class InsertReformats(Pass):
    """Write the formats that were chosen into the types of values, and put a `trt.reformat` wherever a kernel reads
    another element type or format than its producer writes, inputs and outputs of the network included. A step that
    moves no byte is a `trt.noop`, which launches nothing. Readers who want the same share one.

    Evidence: `Reformatting CopyNode for Input Tensor 0 to …` in every layer list, of type Reformat where bytes move and
    NoOp where they do not; in a profile of TensorRT 7 `… input reformatter 0`.
    """

    name: ClassVar[str] = "insert-reformats"

    def run(self, graph: Graph, ctx: Context) -> Change:
        version = ctx.target.runtime.version
        naming = name_of_7 if version is not None and version < (8,) else name_of_8
        count = Reformatting(graph, ctx, self.name, naming).run()
        return Change(count) if count else UNCHANGED
