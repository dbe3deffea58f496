"""What a build may ask of a comparison: how many layers must be the same, how far the total may be off."""

from __future__ import annotations

from graphcost.gate import Outcome, Verdict

from .comparison import Comparison


def judge(found: Comparison, min_same: float | None, max_error: float | None) -> list[Verdict]:
    """What each limit (a share of one, None where there is none) says. An unknown total passes no limit."""
    verdicts = [] if min_same is None else [_same(found.same_share, min_same)]
    return verdicts + ([] if max_error is None else [_error(found.error, max_error)])


def _same(share: float, least: float) -> Verdict:
    outcome = Outcome.PASSED if share >= least else Outcome.BROKEN
    relation = "reach" if share >= least else "are below"
    return Verdict(outcome, f"{share:.1%} same layers {relation} the required {least:.1%}")


def _error(error: float | None, most: float) -> Verdict:
    if error is None:
        return Verdict(Outcome.CANNOT_TELL, "cannot tell how far the total is off: predicted or measured is unknown")
    outcome = Outcome.PASSED if abs(error) <= most else Outcome.BROKEN
    relation = "keeps to" if abs(error) <= most else "breaks"
    return Verdict(outcome, f"the predicted total is {error:+.1%} off, which {relation} the limit of {most:.1%}")
