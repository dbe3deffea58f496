"""Findings of `graphcost lint` as a table, as JSON and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Literal, TypeAlias, get_args

from graphcost.lint import SEVERITIES, Finding, LintResult, Severity

from .as_json import dump
from .columns import PLAIN, Screen, fold
from .markdown import bullets, escape, grid
from .units import plural

LintFormat: TypeAlias = Literal["table", "json", "markdown"]
LINT_FORMATS: tuple[LintFormat, ...] = get_args(LintFormat)

SCHEMA = "graphcost.lint/1"

_COLOURS: dict[Severity, str] = {"note": "cyan", "warning": "yellow", "error": "red"}
_INDENT = 9
_FEW = 3


def render_findings(
    result: LintResult, format: LintFormat = "table", *, detail: int = 0, screen: Screen = PLAIN
) -> str:
    """The findings as text. A table names a few nodes of each finding, with `detail=1` all of them, and leaves out the
    help with `detail=-1`; JSON is always complete."""
    if format == "json":
        return _json(result)
    return _markdown(result) if format == "markdown" else _table(result, detail, screen)


def tally(result: LintResult) -> str:
    """`1 error, 2 warnings, 0 notes`."""
    return ", ".join(plural(result.count(severity), severity) for severity in reversed(SEVERITIES))


def headline(result: LintResult) -> str:
    """`yolov8n · nano@MAXN · tensorrt-8.2 · fp16`."""
    return " · ".join([result.model, result.device or "no device", result.runtime, result.precision])


def _table(result: LintResult, detail: int, screen: Screen) -> str:
    lines = [headline(result), ""]
    helped: set[str] = set()
    for finding in result.findings:
        lines += _paragraph(finding, detail, screen, with_help=detail >= 0 and finding.rule not in helped)
        helped.add(finding.rule)
    return "\n".join([*lines, screen.paint(tally(result), "bold")]) + "\n"


def _paragraph(finding: Finding, detail: int, screen: Screen, with_help: bool) -> list[str]:
    label = screen.paint(f"{finding.severity:<{_INDENT}}", _COLOURS[finding.severity])
    first, *rest = fold(f"{'':{_INDENT}}{finding.hazard} [{finding.rule}]", screen, _INDENT)
    lines = [label + first[_INDENT:], *rest]
    lines += _told("at", _some(finding.nodes, detail > 0), screen) if finding.nodes else []
    lines += _told("do", finding.mitigation, screen)
    lines += [screen.paint(line, "dim") for line in _told("why", finding.help, screen)] if with_help else []
    return [*lines, ""]


def _told(label: str, text: str, screen: Screen) -> list[str]:
    return fold(f"{'':{_INDENT}}{label:<4}{text}", screen, _INDENT + 4)


def _some(nodes: tuple[str, ...], all_of_them: bool) -> str:
    if all_of_them or len(nodes) <= _FEW:
        return ", ".join(nodes)
    return f"{', '.join(nodes[:_FEW])} and {len(nodes) - _FEW:,} more (-v lists them)"


def _json(result: LintResult) -> str:
    counts = {severity: result.count(severity) for severity in reversed(SEVERITIES)}
    document = asdict(result)
    findings = [{**finding, "nodes": list(finding["nodes"])} for finding in document.pop("findings")]
    return dump({"schema": SCHEMA, **document, "counts": counts, "findings": findings})


def _markdown(result: LintResult) -> str:
    rows = [_cells(finding) for finding in result.findings]
    table = grid(["severity", "rule", "hazard", "nodes", "mitigation"], rows, left=5)
    blocks = [f"### {escape(result.model)}: {tally(result)}", escape(headline(result)), table, _why(result.findings)]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _cells(finding: Finding) -> list[str]:
    nodes, more = finding.nodes[:_FEW], len(finding.nodes) - _FEW
    where = ", ".join(nodes) + (f" and {more:,} more" if more > 0 else "")
    return [finding.severity, finding.rule, finding.hazard, where, finding.mitigation]


def _why(findings: Iterable[Finding]) -> str:
    helps = {finding.rule: finding.help for finding in findings}
    return bullets(f"{rule}: {help}" for rule, help in helps.items())
