"""`graphcost explain`: what became of one ONNX node, which rules were tried on it, and why they refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import TYPE_CHECKING

from .errors import UnknownName
from .ir import Node
from .journal import Did, Entry, FellBack, Refused, Removed

if TYPE_CHECKING:
    from .api import Run


_LABEL = 10  # the width of what a line is about


def explain_node(run: Run, name: str) -> list[str]:
    """Lines about an ONNX node, or about the nodes of the layer that has this name: what they became, which rules
    applied, which refused and why. Raises UnknownName when the model has neither."""
    layer = next((node for node in run.graph if node.name == name), None)
    names = [name] if layer is None else [name, *(origin.name for origin in layer.origin)]
    standing = [node for node in run.graph if any(origin.name in names for origin in node.origin)]
    entries = list(dict.fromkeys(entry for each in names for entry in run.journal.about(each)))
    eliminated = [e.reason for e in run.report.eliminated if e.node in names]
    if not standing and not entries and not eliminated:
        raise UnknownName("node", name, _known_names(run))
    told = {
        "became": [line for node in standing for line in _became(node, run)],
        "eliminated": eliminated,
        "applied": [f"{entry.rule}: {entry.text}" for entry in entries if isinstance(entry, Did)],
        "saved": [entry.reason for entry in entries if isinstance(entry, Removed) and entry.reason not in eliminated],
        "fell back": [_fall(entry) for entry in entries if isinstance(entry, FellBack)],
        "refused": [f"{entry.rule}: {entry.reason}" for entry in entries if isinstance(entry, Refused)],
        "closest": _closest(entries, {origin.name for node in standing for origin in node.origin}),
    }
    return [name, *(line for label, lines in told.items() for line in _labelled(label, lines))]


def _labelled(label: str, lines: Iterable[str]) -> list[str]:
    """Lines under one label, each told once."""
    return [f"{'' if number else label:<{_LABEL}}  {line}" for number, line in enumerate(dict.fromkeys(lines))]


def _fall(entry: FellBack) -> str:
    return f"{entry.rule}: not in {entry.asked}: {entry.reason}"


def _known_names(run: Run) -> list[str]:
    names = [origin.name for node in run.graph for origin in node.origin]
    return [*dict.fromkeys(names), *(e.node for e in run.report.eliminated)]


def _closest(entries: Sequence[Entry], own: Set[str]) -> list[str]:
    """Of the rules that never applied here and that began at one of the kernel's own nodes, the one that had matched
    most nodes when it refused."""
    applied = {entry.rule for entry in entries if isinstance(entry, Did)}
    refused = [entry for entry in entries if isinstance(entry, Refused) and entry.rule not in applied]
    partial = [entry for entry in refused if len(entry.origins) > 1 and entry.origins[0] in own]
    if not partial:
        return []
    best = max(partial, key=lambda entry: len(entry.origins))
    return [f"{best.rule}, which had matched {', '.join(best.origins)}"]


def _became(node: Node, run: Run) -> list[str]:
    """The kernel, what it is, and what it takes."""
    cost, row = run.costs[node], next(kernel for kernel in run.report.kernels if kernel.name == node.name)
    kinds = [row.layer_type, row.precision, cost.tactic and f"tactic {cost.tactic}", row.region and f"in {row.region}"]
    lines = [f"kernel {node.name} ({node.op})", f"  {', '.join(kind for kind in kinds if kind)}"]
    if cost.latency_ms is None:
        return lines + [f"  latency unknown: {'; '.join(cost.reasons)}"]
    return lines + [f"  {cost.latency_ms:.4f} ms, bound by {cost.bound.value}, {cost.trust.value} ({cost.model})"]
