"""`graphcost explain`: what became of one ONNX node, which rules were tried on it, and why they refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .cost import Cost
from .errors import UnknownName
from .ir import Node
from .journal import Did, Refused, Removed

if TYPE_CHECKING:
    from .api import Run


def explain_node(run: Run, name: str) -> list[str]:
    """Lines about an ONNX node. Raises UnknownName when the model has none of that name."""
    standing = [node for node in run.graph if any(origin.name == name for origin in node.origin)]
    entries = list(run.journal.about(name))
    eliminated = {e.node: e.reason for e in run.report.eliminated}
    if not standing and not entries and name not in eliminated:
        raise UnknownName("node", name, _known_names(run))
    lines = [f"{name}"]
    lines += [f"  {line}" for line in map(_entry, entries)]
    lines += [f"  {line}" for line in _closest(entries)]
    lines += [f"  eliminated: {eliminated[name]}"] if name in eliminated else []
    lines += [f"  {line}" for node in standing for line in _became(node, run.costs[node], name)]
    return lines


def _known_names(run: Run) -> list[str]:
    names = [origin.name for node in run.graph for origin in node.origin]
    return [*dict.fromkeys(names), *(e.node for e in run.report.eliminated)]


def _entry(entry: Did | Refused | Removed) -> str:
    if isinstance(entry, Did):
        return f"{entry.rule}: {entry.text}"
    if isinstance(entry, Refused):
        return f"{entry.rule}: no, {entry.reason}"
    return f"work removed: {entry.reason}"


def _closest(entries: Sequence[Did | Refused | Removed]) -> list[str]:
    """Of the rules that never applied here, the one that had matched most nodes when it refused."""
    applied = {entry.rule for entry in entries if isinstance(entry, Did)}
    partial = [e for e in entries if isinstance(e, Refused) and e.rule not in applied and len(e.origins) > 1]
    if not partial:
        return []
    best = max(partial, key=lambda entry: len(entry.origins))
    return [f"closest: {best.rule} had matched {', '.join(best.origins)}"]


def _became(node: Node, cost: Cost, name: str) -> list[str]:
    others = [origin.name for origin in node.origin if origin.name != name]
    together = f" together with {', '.join(others)}" if others else ""
    lines = [f"kernel {node.name} ({node.op}){together}"]
    lines += [f"  tactic {cost.tactic}"] if cost.tactic else []
    if cost.latency_ms is None:
        return lines + [f"  latency unknown: {'; '.join(cost.reasons)}"]
    return lines + [f"  {cost.latency_ms:.4f} ms, bound by {cost.bound.value}, {cost.trust.value} ({cost.model})"]
