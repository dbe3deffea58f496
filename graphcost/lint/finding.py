"""What a rule finds: a hazard, where it is, what to do about it, and why it is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Severity: TypeAlias = Literal["note", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""From harmless to fatal: good to know; costs time or memory; the runtime would not build the network."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One hazard. `nodes` are names of ONNX nodes, the most important first; `help` explains and names the source."""

    rule: str
    severity: Severity
    nodes: tuple[str, ...]
    hazard: str
    mitigation: str
    help: str


@dataclass(frozen=True, slots=True)
class LintResult:
    """All findings for a model on a target, the gravest first. `device` is None when none was asked for."""

    model: str
    path: str | None
    device: str | None
    runtime: str
    precision: str
    findings: tuple[Finding, ...]

    def count(self, severity: Severity) -> int:
        return sum(finding.severity == severity for finding in self.findings)


def at_least(finding: Finding, severity: Severity) -> bool:
    """Whether a finding is as grave as that, or graver."""
    return SEVERITIES.index(finding.severity) >= SEVERITIES.index(severity)
