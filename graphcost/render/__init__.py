"""Reports and comparisons as text. Nothing is computed here but sums of rows; what is not asked for is not imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, get_args

from graphcost.errors import UnknownName

if TYPE_CHECKING:
    from graphcost.diff import Diff
    from graphcost.engine import Comparison
    from graphcost.report import Report

    from .columns import Screen

Format: TypeAlias = Literal["table", "json", "csv", "markdown"]
FORMATS: tuple[Format, ...] = get_args(Format)

DiffFormat: TypeAlias = Literal["table", "json", "markdown"]
DIFF_FORMATS: tuple[DiffFormat, ...] = get_args(DiffFormat)

ComparisonFormat: TypeAlias = Literal["table", "json", "markdown"]
COMPARISON_FORMATS: tuple[ComparisonFormat, ...] = get_args(ComparisonFormat)

Order: TypeAlias = Literal["latency", "flops", "macs", "bytes", "memory", "name", "order"]
"""What rows are sorted by; `order` is that of execution, `memory` what lives while a kernel runs."""
ORDERS: tuple[Order, ...] = get_args(Order)

Sorting: TypeAlias = Literal["difference", "ratio", "measured", "predicted", "order"]
"""What the rows of a comparison with an engine are sorted by; `order` is that of the engine."""
SORTINGS: tuple[Sorting, ...] = get_args(Sorting)

Name = TypeVar("Name", bound=str)


def one_of(kind: str, text: str, accepted: Sequence[Name]) -> Name:
    """The accepted name that `text` is. UnknownName lists them."""
    for name in accepted:
        if name == text.lower():
            return name
    raise UnknownName(kind, text, accepted)


def render(
    report: Report,
    format: Format = "table",
    *,
    sort: Order | None = None,
    top: int | None = None,
    detail: int = 0,
    screen: Screen | None = None,
) -> str:
    """The report as text, with a newline at its end.

    `sort` and `top` choose rows (`top=0`: all); JSON is always complete. A table shows its summary alone with
    `detail=-1`, and every row and note with `detail=1`. A `screen` says how wide the terminal is and whether it shows
    colours; without one the text is for a file.
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

    return render_table(report, sort, top, detail, screen or PLAIN)


def render_diff(
    diff: Diff, format: DiffFormat = "table", top: int | None = None, detail: int = 0, screen: Screen | None = None
) -> str:
    """The comparison as text; `top`, `detail` and `screen` as in `render`."""
    if format == "json":
        from .diff_json import render_diff_json

        return render_diff_json(diff)
    if format == "markdown":
        from .diff_markdown import render_diff_markdown

        return render_diff_markdown(diff, top)
    from .columns import PLAIN
    from .diff_table import render_diff_table

    return render_diff_table(diff, top, detail, screen or PLAIN)


def render_comparison(
    found: Comparison,
    format: ComparisonFormat = "table",
    sort: Sorting | None = None,
    top: int | None = None,
    detail: int = 0,
    screen: Screen | None = None,
) -> str:
    """A prediction beside a real engine as text; `top`, `detail` and `screen` as in `render`."""
    if format == "json":
        from .comparison_json import render_comparison_json

        return render_comparison_json(found)
    if format == "markdown":
        from .comparison_markdown import render_comparison_markdown

        return render_comparison_markdown(found, sort, top)
    from .columns import PLAIN
    from .comparison_table import render_comparison_table

    return render_comparison_table(found, sort, top, detail, screen or PLAIN)
