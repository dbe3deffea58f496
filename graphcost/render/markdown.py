"""A report as Markdown, for a comment on a change: a sentence, a table of the biggest kernels, the rest folded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from graphcost.report import Report

from .rows import Row, moved_bytes, select
from .summary import LATENCY_MEANS, fits, headline, interval, model_line, notes, trust_cell
from .units import UNKNOWN, count, milliseconds, plural, rate, share, size

if TYPE_CHECKING:
    from . import Order

MOST = 250
"""Rows in a folded table: a comment on GitHub holds 65,536 characters."""

_BIGGEST = 10


def render_markdown(report: Report, sort: Order | None = None, top: int | None = None) -> str:
    """The comment. `top` is the number of kernels in the table that is not folded."""
    selection = select(report, sort, _BIGGEST if top is None else top)
    blocks = [
        f"### {escape(report.model.name)}: {_sentence(report)}",
        f"{escape(headline(report).removesuffix(f' · {LATENCY_MEANS}'))}  \n{escape(model_line(report))}",
        kernel_table(selection.shown),
        _totals(report),
        folded(f"{plural(len(selection.others), 'other kernel')}", kernel_table(selection.others[:MOST])),
        folded("Warnings and unknown nodes", bullets(notes(report, verbose=True))),
        f"<sub>{LATENCY_MEANS}</sub>" if report.target.device else "",
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


def grid(titles: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1, leading: int = 0) -> str:
    """A table; the first `leading` and the last `left` columns are texts, the others numbers. Empty without rows."""
    lines = [f"| {' | '.join(map(escape, row))} |" for row in rows]
    rule = [":---"] * leading + ["---:"] * (len(titles) - left - leading) + [":---"] * left
    return "\n".join([f"| {' | '.join(titles)} |", f"| {' | '.join(rule)} |", *lines]) if lines else ""


def folded(title: str, content: str) -> str:
    """Content that shows itself on a click; nothing where there is none."""
    return f"<details>\n<summary>{title}</summary>\n\n{content}\n\n</details>" if content else ""


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


def escape(text: str) -> str:
    """Names as they are: a pipe would end a cell, `<` begin a tag, `*` and `_` emphasis."""
    for special in "\\|*_`[]":
        text = text.replace(special, "\\" + special)
    return text.replace("<", "&lt;").replace("\n", " ")


def kernel_table(rows: Sequence[Row]) -> str:
    """The rows with their figures."""
    titles = ["#", "latency ms", "share", "MACs", "bytes", "bound", "trust", "type", "kernel"]
    return grid(titles, [_cells(row) for row in rows], left=4)


def _cells(row: Row) -> list[str]:
    kernel = row.kernel
    latency = UNKNOWN if kernel.latency_ms is None else f"{kernel.latency_ms:.4f}"
    figures = [str(row.number), latency, share(kernel.share), count(kernel.macs), size(moved_bytes(kernel))]
    return [*figures, kernel.bound, trust_cell(kernel), kernel.precision, kernel.name]


def _sentence(report: Report) -> str:
    what_if = f" if {report.target.runtime} took all of its operators" if report.unsupported else ""
    return _cost(report) + what_if


def _cost(report: Report) -> str:
    totals = report.totals
    if report.target.device is None:
        return f"{count(totals.macs)} MACs in {plural(totals.kernels, 'kernel')}"
    if totals.latency_ms is None:
        return "latency unknown"
    return f"{interval(totals)} on {report.target.device}"


def _totals(report: Report) -> str:
    totals = report.totals
    rows = [
        ("latency", milliseconds(totals.latency_ms)),
        ("inferences/s", rate(totals.inferences_per_s)),
        ("MACs", count(totals.macs)),
        ("flops", count(totals.flops)),
        ("bytes read", size(totals.bytes_read)),
        ("bytes written", size(totals.bytes_written)),
        ("peak activations", size(totals.peak_activation_bytes)),
        ("weights", size(totals.weight_bytes)),
        ("memory", f"{size(totals.total_memory_bytes)}, {fits(report.memory)}"),
        ("kernels", f"{totals.kernels:,}"),
        ("coverage", f"{share(totals.coverage.nodes)} of nodes, {share(totals.coverage.bytes)} of bytes"),
    ]
    return folded("Totals", grid(["total", ""], rows, left=2))
