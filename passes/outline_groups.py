"""Recognised groups that a runtime computes in one kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.groups import GROUPS, KINDS, Group
from graphcost.ir import Graph
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.rewrite import Reject, outline

from .ledger import PRESERVED, Ledger


@dataclass(frozen=True)
class OutlineGroups(Pass):
    """Put each recognised group of one of `kinds` (gelu, layer_norm, attention, …) into one kernel `group.KIND`,
    whether an exporter wrote it out or has an operator for it. Known scalars become part of the kernel.

    Which kinds a runtime computes in one kernel is listed where its pipeline is, with the evidence. What stays between
    the nodes of a group no longer goes through memory; that is booked.
    """

    name: ClassVar[str] = "outline-groups"
    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.kinds) - KINDS):
            raise ValueError(f"'{unknown[0]}' is no kind of group; there are {', '.join(sorted(KINDS))}")

    def run(self, graph: Graph, ctx: Context) -> Change:
        ledger = Ledger(self.name, graph, ctx)
        chosen = [group for group in ctx.get(GROUPS) if group.kind in self.kinds]
        count = sum(outline_group(graph, group, ledger) for group in chosen)
        ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


def outline_group(graph: Graph, group: Group, ledger: Ledger) -> bool:
    """Put a group into one kernel; False, with the reason in the journal, where that cannot be done."""
    nodes = group.nodes
    name = " + ".join(node.name for node in nodes)
    try:
        ledger.gather(
            nodes,
            lambda: outline(graph, nodes, f"group.{group.kind}", group.attrs, name, inlines=True),
            f"{group.kind} in one kernel",
        )
    except Reject as refusal:
        ledger.refuse(nodes[-1], refusal.reason)
        return False
    return True
