"""A comparison as Markdown, for a comment on a change: the verdict, what changed most, the rest folded."""

from __future__ import annotations

from collections.abc import Sequence

from graphcost.diff import Diff, DiffRow

from .diff_table import total_lines
from .diff_text import cell, changed_rows, diff_sentence, part, remark
from .markdown import MOST, bullets, escape, folded, grid
from .units import UNKNOWN, plural, signed

_BIGGEST = 10


def render_diff_markdown(diff: Diff, top: int | None = None) -> str:
    """The comment. `top` is the number of rows in the table that is not folded."""
    rows = changed_rows(diff)
    limit = _BIGGEST if top is None else top or len(rows)
    blocks = [
        f"### {escape(diff.after.model.name)}: {diff_sentence(diff)}",
        _table(diff, rows[:limit]),
        folded(plural(len(rows) - limit, "other change"), _table(diff, rows[limit : limit + MOST])),
        folded("Totals", "```\n" + "\n".join(total_lines(diff)) + "\n```"),
        bullets(diff.warnings),
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _table(diff: Diff, rows: Sequence[DiffRow]) -> str:
    show = cell(diff.measure)
    titles = [f"{diff.measure} before", "after", "change", "%", "what", "kernel"]
    return grid(titles, [_cells(row, show(row.amount.before), show(row.amount.after), diff) for row in rows], left=2)


def _cells(row: DiffRow, before: str, after: str, diff: Diff) -> list[str]:
    change = row.amount.change
    text = UNKNOWN if change is None else signed(cell(diff.measure)(change).strip(), change)
    return [before.strip(), after.strip(), text, part(row.amount), remark(row), row.name]
