"""A comparison as JSON: both totals, then a line for each row; a missing value is null."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from graphcost.diff import Delta, Diff, DiffRow
from graphcost.report import Kernel, Report

from .as_json import dump
from .diff_text import diff_sentence

SCHEMA = "graphcost.diff/1"


def render_diff_json(diff: Diff) -> str:
    """The comparison as a document of its own; amounts are in ms, bytes, MACs or flops, as `measure` says."""
    return dump(
        {
            "schema": SCHEMA,
            "summary": diff_sentence(diff),
            "measure": diff.measure,
            "before": _side(diff.before),
            "after": _side(diff.after),
            "totals": {key: _delta(delta) for key, delta in diff.totals.items()},
            "kinds": {kind: _delta(delta) for kind, delta in diff.kinds.items()},
            "rows": [_row(row) for row in diff.rows],
            "warnings": list(diff.warnings),
        }
    )


def _side(report: Report) -> dict[str, Any]:
    return {"model": report.model.name, "path": report.model.path, "target": asdict(report.target)}


def _delta(delta: Delta) -> dict[str, float | None]:
    return {"before": delta.before, "after": delta.after, "change": delta.change, "part": delta.part}


def _row(row: DiffRow) -> dict[str, object]:
    return {
        "name": row.name,
        "status": row.status,
        **_delta(row.amount),
        "before_kernels": _names(row.before),
        "after_kernels": _names(row.after),
        "origin": list(row.origin),
    }


def _names(kernels: Sequence[Kernel]) -> list[str]:
    return [kernel.name for kernel in kernels]
