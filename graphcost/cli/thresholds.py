"""`--fail-if`, `--min-coverage` and `--strict`: read before the work begins, judged after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from .failures import tell

if TYPE_CHECKING:
    from graphcost.gate import Verdict
    from graphcost.report import Report

Judge: TypeAlias = "Callable[[Report, Report | None], int]"
"""From a report, and the one before it in a comparison, to the exit code."""


def read_thresholds(
    fail_if: Sequence[str] | None, min_coverage: str | None, compares: bool, verbose: int, strict: bool = False
) -> Judge:
    """What judges reports by the thresholds. UsageError where one of them cannot be read."""
    if not fail_if and min_coverage is None and not strict:
        return lambda report, before: 0
    from graphcost.gate import check, check_coverage, check_support, parse_gates, parse_share

    gates = parse_gates(fail_if or (), compares)
    least = None if min_coverage is None else parse_share(min_coverage)

    def judge(report: Report, before: Report | None) -> int:
        verdicts = check(gates, report, before)
        verdicts += [] if least is None else [check_coverage(least, report)]
        verdicts += [check_support(report)] if strict else []
        return _tell(verdicts, verbose)

    return judge


def _tell(verdicts: Sequence[Verdict], verbose: int) -> int:
    """Say which thresholds did not pass, or with `verbose` all of them; the exit code."""
    from graphcost.gate import Outcome, exit_code

    for verdict in verdicts:
        if verbose or verdict.outcome is not Outcome.PASSED:
            tell(verdict.sentence)
    return exit_code(verdicts)
