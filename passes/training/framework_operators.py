"""Operators that an exporter wrote out and that the framework runs as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph
from graphcost.pipeline import UNCHANGED, Change, Context, Pass

from ..outline_groups import OutlineGroups


@dataclass(frozen=True)
class FrameworkOperators(Pass):
    """Put groups of `kinds` into one node each, as `outline-groups` does, unless `written_out` says to count them as
    they stand in the file.

    What one operator keeps for its backward is less than what its steps would: SiLU its input, not the sigmoid too.
    """

    name: ClassVar[str] = "framework-operators"
    kinds: tuple[str, ...] = ()
    written_out: bool = False

    def run(self, graph: Graph, ctx: Context) -> Change:
        return UNCHANGED if self.written_out else OutlineGroups(self.kinds).run(graph, ctx)
