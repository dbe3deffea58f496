"""A report as a table for people: what it is for, a row per kernel, totals by kind and by bound, memory, coverage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphcost.report import Kernel, Report

from .columns import PLAIN, Column, Screen, fold, lay_out
from .rows import Amount, Row, Selection, add_up, moved_bytes, select
from .summary import headline, model_line, notes, summary, trust_cell
from .units import UNKNOWN, count_cell, plural, share, size_cell

if TYPE_CHECKING:
    from . import Order


def render_table(
    report: Report, sort: Order | None = None, top: int | None = None, detail: int = 0, screen: Screen = PLAIN
) -> str:
    """The whole table, with a newline at its end. `detail` 1 shows every kernel and lists the eliminated nodes, -1
    shows the summary alone."""
    all_or_some = 0 if detail > 0 and top is None else top
    head = [screen.paint(line, "bold") for line in fold(headline(report), screen, 2)]
    chart: list[str] = []
    if report.totals.training is not None:
        from .training import step_timeline

        chart = step_timeline(report, screen)
    blocks = [
        head + fold(model_line(report), screen, 2),
        *(_tables(report, select(report, sort, all_or_some), screen) if detail >= 0 else []),
        summary(report, screen),
        chart,
        notes(report, detail > 0, screen),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


_REGIONS_SHOWN = 4
_RANKS = {"MACs": 1}  # what a narrow terminal can do without


@dataclass(frozen=True)
class _Line:
    """A row of figures: one kernel, several taken together, or all of them. `number` is the place of the one, the
    number of the several."""

    name: str
    number: str
    latency: Amount
    share: Amount
    macs: Amount
    bytes: Amount
    live_bytes: int | None = None
    kind: str = ""
    precision: str = ""
    bound: str = ""
    trust: str = ""


def _tables(report: Report, selection: Selection, screen: Screen) -> list[list[str]]:
    """Kernels, kinds and bounds, one below the other with their figures in line."""
    kernels = _kernel_lines(report, selection)
    kinds = _grouped(report, lambda kernel: kernel.kind)
    bounds = _grouped(report, lambda kernel: kernel.bound) if _timed(report) else []
    regions = _regions(report)
    figures = _figures(report, [*kernels, *kinds, *bounds, *regions])
    tables = [lay_out([*figures(kernels), *_words(report, kernels, selection.order)], screen, last_bold=True)]
    for lines, title in ((kinds, "by kind"), (bounds, "by bound"), (regions, "by region of Myelin")):
        names = Column(title, [line.name for line in lines], "<")
        tables += [lay_out([*figures(lines), names], screen)] if lines else []
    return tables


def _figures(report: Report, every: Sequence[_Line]) -> Callable[[Sequence[_Line]], list[Column]]:
    """Columns of figures for some lines, as wide as `every` line needs."""
    shows = _shows(report)
    widths = {title: max((len(show(line)) for line in every), default=0) for title, show in shows.items()}
    return lambda lines: [
        Column(title, [show(line) for line in lines], rank=_RANKS.get(title, 0), least=widths[title])
        for title, show in shows.items()
    ]


def _shows(report: Report) -> dict[str, Callable[[_Line], str]]:
    """The columns of figures: title, and what stands in it. Times and shares only where there are any."""
    milliseconds = _milliseconds(report)
    times: dict[str, Callable[[_Line], str]] = {"latency ms": lambda line: _cell(line.latency, milliseconds)}
    shares: dict[str, Callable[[_Line], str]] = {"share": lambda line: _cell(line.share, share)}
    return {
        "#": lambda line: line.number,
        **(times if _timed(report) else {}),
        **(shares if report.totals.latency_ms else {}),
        "MACs": lambda line: _cell(line.macs, count_cell),
        "bytes": lambda line: _cell(line.bytes, size_cell),
    }


def _words(report: Report, lines: Sequence[_Line], order: Order) -> list[Column]:
    """What is said of a kernel beside its figures, its name last: however long, it moves nothing."""
    live = [Column("live", [size_cell(line.live_bytes) if line.precision else "" for line in lines])]
    verdicts = [
        Column("bound", [line.bound for line in lines], "<"),
        Column("trust", [line.trust for line in lines], "<", rank=2),
    ]
    return [
        *(live if order == "memory" else []),
        *(verdicts if _timed(report) else []),
        Column("type", [line.precision for line in lines], "<"),
        Column("kind", [line.kind for line in lines], "<", rank=3),
        Column("kernel", [line.name for line in lines], "<"),
    ]


def _kernel_lines(report: Report, selection: Selection) -> list[_Line]:
    lines = [_of_kernel(row) for row in selection.shown]
    if selection.others:
        rest = [row.kernel for row in selection.others]
        lines.append(replace(_of_several(f"[{plural(len(rest), 'other')}]", rest), number=""))
    return [*lines, _of_all(report)]


def _grouped(report: Report, key: Callable[[Kernel], str]) -> list[_Line]:
    """Totals of the kernels that have something in common, the biggest first."""
    groups: dict[str, list[Kernel]] = {}
    for kernel in report.kernels:
        groups.setdefault(key(kernel), []).append(kernel)
    return sorted((_of_several(name, kernels) for name, kernels in groups.items()), key=_weight, reverse=True)


def _regions(report: Report) -> list[_Line]:
    """What TensorRT shows as one layer each: the biggest regions, and the others together."""
    regions = _grouped(replace(report, kernels=tuple(k for k in report.kernels if k.region)), lambda k: k.region or "")
    if len(regions) <= _REGIONS_SHOWN + 1:
        return regions
    others = {line.name for line in regions[_REGIONS_SHOWN:]}
    rest = _of_several(f"[{plural(len(others), 'other')}]", [k for k in report.kernels if k.region in others])
    return [*regions[:_REGIONS_SHOWN], rest]


def _weight(line: _Line) -> tuple[float, float, float]:
    return (line.latency.value or 0, line.macs.value or 0, line.bytes.value or 0)


def _of_kernel(row: Row) -> _Line:
    kernel = row.kernel
    return _Line(
        name=kernel.name,
        number=str(row.number),
        latency=Amount(kernel.latency_ms),
        share=Amount(kernel.share),
        macs=Amount(kernel.macs),
        bytes=Amount(moved_bytes(kernel)),
        live_bytes=row.live_bytes,
        kind=kernel.kind,
        precision=kernel.precision,
        bound=kernel.bound,
        trust=trust_cell(kernel),
    )


def _of_several(name: str, kernels: Sequence[Kernel]) -> _Line:
    return _Line(
        name=name,
        number=f"{len(kernels):,}",
        latency=add_up(kernel.latency_ms for kernel in kernels),
        share=add_up(kernel.share for kernel in kernels),
        macs=add_up(kernel.macs for kernel in kernels),
        bytes=add_up(moved_bytes(kernel) for kernel in kernels),
    )


def _of_all(report: Report) -> _Line:
    totals, kernels = report.totals, report.kernels
    known = Amount(totals.latency_known_ms, partial=True)
    views = len(kernels) - totals.kernels
    beside = f", {plural(views, 'view')}" if views > 0 else ""
    return _Line(
        name=f"TOTAL {plural(totals.kernels, 'kernel')}{beside}",
        number="",
        latency=known if totals.latency_ms is None else Amount(totals.latency_ms),
        share=Amount(1.0),
        macs=Amount(totals.macs, _any_unknown(kernel.macs for kernel in kernels)),
        bytes=Amount(totals.bytes_read + totals.bytes_written, _any_unknown(map(moved_bytes, kernels))),
    )


def _any_unknown(values: Iterable[float | None]) -> bool:
    return any(value is None for value in values)


def _timed(report: Report) -> bool:
    """Whether times were asked for: without a device nobody can tell any."""
    return report.target.device is not None


def _milliseconds(report: Report) -> Callable[[float | None], str]:
    """Milliseconds with four decimals; three where the fourth would only be noise."""
    decimals = 4 if (report.totals.latency_known_ms or 0) < 100 else 3
    return lambda ms: UNKNOWN if ms is None else f"{ms:.{decimals}f}"


def _cell(amount: Amount, show: Callable[[float | None], str]) -> str:
    """A sum of which a part is unknown is a lower limit, and says so."""
    text = show(amount.value)
    return f"≥{text}" if amount.partial and amount.value is not None else text
