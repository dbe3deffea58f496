"""A prediction beside a real engine as Markdown: the sentences, the rows that differ most, the rest folded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphcost.engine.comparison import Comparison, Match

from .comparison_text import differing, in_order, overhead, ratio, sides, tally, verdict, what
from .markdown import MOST, bullets, escape, folded, grid
from .summary import LATENCY_MEANS, headline
from .units import UNKNOWN, plural

if TYPE_CHECKING:
    from . import Sorting

_BIGGEST = 10


def render_comparison_markdown(found: Comparison, sorting: Sorting | None = None, top: int | None = None) -> str:
    """The comment. `top` is the number of rows in the table that is not folded."""
    matches = in_order(found, sorting)
    limit = _BIGGEST if top is None else top or len(matches)
    target = headline(found.report).removesuffix(f" · {LATENCY_MEANS}")
    blocks = [
        f"### {escape(found.report.model.name)} beside its engine: {verdict(found)}",
        "  \n".join(filter(None, [escape(target), tally(found), overhead(found)])),
        _table(matches[:limit]),
        folded(plural(len(matches) - limit, "other row"), _table(matches[limit : limit + MOST])),
        folded("Merged differently", _groups(differing(matches)[:MOST])),
        folded("Apart", _apart(found)),
        bullets(found.warnings),
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _table(matches: Sequence[Match]) -> str:
    titles = ["measured ms", "predicted ms", "ratio", "what", "layer"]
    return grid(titles, map(_cells, matches), left=2)


def _cells(match: Match) -> list[str]:
    times = [match.measured_ms, match.predicted_ms]
    shown = [UNKNOWN if time is None else f"{time:.4f}" for time in times]
    return [*shown, ratio(match.predicted_ms, match.measured_ms), what(match), match.name]


def _groups(matches: Sequence[Match]) -> str:
    rows = [[side, name] for match in matches for side, name in [*sides(match), ("", "")]]
    return grid(["side", "name"], rows, left=2)


def _apart(found: Comparison) -> str:
    titles = ["in engine", "predicted", "measured ms", "predicted ms", ""]
    rows = [
        [f"{len(part.measured)}", f"{len(part.predicted)}", *(UNKNOWN if time is None else f"{time:.4f}" for time in
         (part.measured_ms, part.predicted_ms)), part.name]
        for part in found.apart
    ]  # fmt: skip
    return grid(titles, rows)
