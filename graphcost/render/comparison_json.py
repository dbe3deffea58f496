"""A prediction beside a real engine as JSON: totals, then a line for each match; a missing value is null."""

from __future__ import annotations

from dataclasses import asdict

from graphcost.engine.comparison import STATUSES, Apart, Comparison, Match, Member

from .as_json import dump
from .comparison_text import tally

SCHEMA = "graphcost.comparison/1"


def render_comparison_json(found: Comparison) -> str:
    """The comparison as a document of its own; times in milliseconds."""
    low_ms, high_ms = found.profiler_ms
    return dump(
        {
            "schema": SCHEMA,
            "summary": tally(found),
            "model": found.report.model.name,
            "target": asdict(found.report.target),
            "counts": {status: found.count(status) for status in STATUSES},
            "same_share": found.same_share,
            "predicted_ms": found.predicted_ms,
            "measured_ms": found.measured_ms,
            "error": found.error,
            "profiler_ms": None if found.measured_ms is None else [low_ms, high_ms],
            "matches": [_match(match, found.members.get(match.name, ())) for match in found.matches],
            "apart": [_apart(part) for part in found.apart],
            "warnings": list(found.warnings),
        }
    )


def _match(match: Match, members: tuple[Member, ...]) -> dict[str, object]:
    return {
        "status": match.status,
        "by": match.by,
        "predicted_ms": match.predicted_ms,
        "measured_ms": match.measured_ms,
        "predicted": [kernel.name for kernel in match.predicted],
        "engine": [layer.name for layer in match.measured],
        "nodes": list(dict.fromkeys(node for kernel in match.predicted for node in kernel.origin)),
        "members": [asdict(member) for member in members],
    }


def _apart(part: Apart) -> dict[str, object]:
    return {
        "name": part.name,
        "predicted_ms": part.predicted_ms,
        "measured_ms": part.measured_ms,
        "predicted": [kernel.name for kernel in part.predicted],
        "engine": [layer.name for layer in part.measured],
    }
