"""Operators that an exporter wrote out and that the framework runs as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.groups import GROUPS, Group
from graphcost.ir import Graph, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass

from ..ledger import Ledger
from ..outline_groups import outline_group
from .parameters import is_learnt


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
        if self.written_out:
            return UNCHANGED
        on_cpu = ctx.target.device is None
        ledger = Ledger(self.name, graph, ctx)
        chosen = [group for group in ctx.get(GROUPS) if group.kind in self.kinds and not (on_cpu and _biased(group))]
        count = sum(outline_group(graph, group, ledger) for group in chosen)
        ledger.close()
        return Change(count) if count else UNCHANGED


def _biased(group: Group) -> bool:
    """Attention with a learnt bias: PyTorch's CPU has no operator that gives its gradient, and falls to
    the written-out form (ATen/native/transformers/sdp_utils_cpp.cpp)."""
    masks = [value for role, value in group.inputs.items() if role.startswith("mask")]
    return group.kind == "attention" and any(_is_learnt(mask) for mask in masks)


def _is_learnt(value: Value, steps: int = 8) -> bool:
    """Whether a parameter is among what a value is computed from."""
    node = value.producer
    if node is None:
        return value.is_weight and is_learnt(value)
    return steps > 0 and any(_is_learnt(operand, steps - 1) for operand in node.inputs)
