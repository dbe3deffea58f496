"""Reports as text. Nothing is computed here but sums of rows; a format that is not asked for is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from graphcost.report import Report

    from .columns import Screen
    from .rows import Order

Format: TypeAlias = Literal["table", "json", "csv", "markdown"]
FORMATS: tuple[Format, ...] = get_args(Format)


def render(
    report: Report,
    format: Format = "table",
    *,
    sort: Order | None = None,
    top: int | None = None,
    verbose: bool = False,
    screen: Screen | None = None,
) -> str:
    """The report as text, with a newline at its end.

    `sort` and `top` choose rows of a table (`top=0`: all); JSON is always complete. A `screen` says how wide the
    terminal is and whether it shows colours; without one the text is for a file.
    """
    if format == "json":
        from .as_json import render_json

        return render_json(report)
    if format == "csv":
        from .csv_rows import render_csv

        return render_csv(report, sort, top)
    if format == "markdown":
        from .markdown import render_markdown

        return render_markdown(report, sort, top)
    from .columns import PLAIN
    from .table import render_table

    return render_table(report, sort, top, verbose, screen or PLAIN)
