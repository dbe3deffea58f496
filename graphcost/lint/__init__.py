"""Lint: what in a model costs time or will not build on a target, with what to do about it.

    Subject (subject)   the model as imported, its target, its report
    Rule (rule)         one kind of hazard; the rules are listed in `rules`
    Finding (finding)   hazard, nodes, mitigation, help
"""

from __future__ import annotations

from .check import lint
from .finding import SEVERITIES, Finding, LintResult, Severity, at_least
from .rule import Rule
from .rules import RULES
from .subject import Subject

__all__ = ["RULES", "SEVERITIES", "Finding", "LintResult", "Rule", "Severity", "Subject", "at_least", "lint"]
