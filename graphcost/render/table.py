"""A report as a table for people: what it is for, a row per kernel, totals by kind and by bound, memory, coverage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from graphcost.report import Kernel, Report, Totals

from .columns import PLAIN, Column, Screen, lay_out
from .rows import Amount, Order, Row, Selection, add_up, moved_bytes, select
from .summary import headline, model_line, notes, summary
from .units import UNKNOWN, count_cell, plural, share, size_cell


def render_table(
    report: Report, sort: Order | None = None, top: int | None = None, verbose: bool = False, screen: Screen = PLAIN
) -> str:
    """The whole table, with a newline at its end. `verbose` shows every kernel and lists the eliminated nodes."""
    selection = select(report, sort, 0 if verbose and top is None else top)
    blocks = [
        [screen.paint(headline(report), "bold"), model_line(report)],
        _kernel_lines(report, selection, screen),
        _grouped(report, "kind", lambda kernel: kernel.kind, screen),
        _grouped(report, "bound", lambda kernel: kernel.bound, screen) if _timed(report) else [],
        summary(report, screen),
        notes(report, verbose, screen),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


@dataclass(frozen=True)
class _Line:
    """A row of figures: one kernel, several taken together, or all of them."""

    name: str
    latency: Amount
    share: Amount
    macs: Amount
    bytes: Amount
    live_bytes: int | None = None
    number: str = ""
    kernels: int = 1
    kind: str = ""
    precision: str = ""
    bound: str = ""
    trust: str = ""


def _kernel_lines(report: Report, selection: Selection, screen: Screen) -> list[str]:
    lines = [_of_kernel(row) for row in selection.shown]
    if selection.others:
        rest = [row.kernel for row in selection.others]
        lines.append(_of_several(f"[{plural(len(rest), 'other')}; --top 0 shows all]", rest))
    lines.append(_of_all(report))
    return lay_out(_kernel_columns(report, lines, selection.order), screen, last_bold=True)


def _kernel_columns(report: Report, lines: Sequence[_Line], order: Order) -> list[Column]:
    live = [Column("live", [size_cell(line.live_bytes) if line.number else "" for line in lines])]
    return [
        Column("#", [line.number for line in lines], rank=1),
        *(_time_columns(report, lines) if _timed(report) else []),
        Column("MACs", [_cell(line.macs, count_cell) for line in lines]),
        Column("bytes", [_cell(line.bytes, size_cell) for line in lines]),
        *(live if order == "memory" else []),
        *(_verdict_columns(lines) if _timed(report) else []),
        Column("type", [line.precision for line in lines], "<"),
        Column("kind", [line.kind for line in lines], "<", rank=3),
        Column("kernel", [line.name for line in lines], "<"),
    ]


def _time_columns(report: Report, lines: Sequence[_Line]) -> list[Column]:
    show = _milliseconds(report)
    return [
        Column("latency ms", [_cell(line.latency, show) for line in lines]),
        Column("share", [_cell(line.share, share) for line in lines]),
    ]


def _verdict_columns(lines: Sequence[_Line]) -> list[Column]:
    return [
        Column("bound", [line.bound for line in lines], "<"),
        Column("trust", [line.trust for line in lines], "<", rank=2),
    ]


def _grouped(report: Report, title: str, key: Callable[[Kernel], str], screen: Screen) -> list[str]:
    """Totals of the kernels that have something in common, in the order of what they take."""
    groups: dict[str, list[Kernel]] = {}
    for kernel in report.kernels:
        groups.setdefault(key(kernel), []).append(kernel)
    lines = sorted((_of_several(name, kernels) for name, kernels in groups.items()), key=_weight, reverse=True)
    return lay_out(
        [
            *(_time_columns(report, lines) if _timed(report) else []),
            Column("MACs", [_cell(line.macs, count_cell) for line in lines]),
            Column("bytes", [_cell(line.bytes, size_cell) for line in lines]),
            Column("kernels", [f"{line.kernels:,}" for line in lines]),
            Column(f"by {title}", [line.name for line in lines], "<"),
        ],
        screen,
    )


def _weight(line: _Line) -> tuple[float, float, float]:
    return (line.latency.value or 0, line.macs.value or 0, line.bytes.value or 0)


def _of_kernel(row: Row) -> _Line:
    kernel = row.kernel
    return _Line(
        name=kernel.name,
        latency=Amount(kernel.latency_ms),
        share=Amount(kernel.share),
        macs=Amount(kernel.macs),
        bytes=Amount(moved_bytes(kernel)),
        live_bytes=row.live_bytes,
        number=str(row.number),
        kind=kernel.kind,
        precision=kernel.precision,
        bound=kernel.bound,
        trust=kernel.trust,
    )


def _of_several(name: str, kernels: Sequence[Kernel]) -> _Line:
    return _Line(
        name=name,
        latency=add_up(kernel.latency_ms for kernel in kernels),
        share=add_up(kernel.share for kernel in kernels),
        macs=add_up(kernel.macs for kernel in kernels),
        bytes=add_up(moved_bytes(kernel) for kernel in kernels),
        kernels=len(kernels),
    )


def _of_all(report: Report) -> _Line:
    totals = report.totals
    return _Line(
        name=f"TOTAL of {plural(totals.kernels, 'kernel')}",
        latency=_total_latency(report),
        share=Amount(None if totals.latency_ms is None else 1.0),
        macs=Amount(totals.macs, _any_unknown(kernel.macs for kernel in report.kernels)),
        bytes=Amount(_moved(totals), _any_unknown(moved_bytes(kernel) for kernel in report.kernels)),
        kernels=totals.kernels,
    )


def _total_latency(report: Report) -> Amount:
    """Where the total is unknown, at least what is known of it."""
    if report.totals.latency_ms is not None:
        return Amount(report.totals.latency_ms)
    known = add_up(kernel.latency_ms for kernel in report.kernels)
    return Amount(known.value, partial=True)


def _moved(totals: Totals) -> int:
    return totals.bytes_read + totals.bytes_written


def _any_unknown(values: Iterable[float | None]) -> bool:
    return any(value is None for value in values)


def _timed(report: Report) -> bool:
    """Whether times were asked for: without a device nobody can tell any."""
    return report.target.device is not None or report.totals.latency_ms is not None


def _milliseconds(report: Report) -> Callable[[float | None], str]:
    """Milliseconds with four decimals, three where that many would only be noise."""
    decimals = 4 if (_total_latency(report).value or 0) < 100 else 3
    return lambda ms: UNKNOWN if ms is None else f"{ms:.{decimals}f}"


def _cell(amount: Amount, show: Callable[[float | None], str]) -> str:
    """A sum of which a part is unknown is a lower limit, and says so."""
    text = show(amount.value)
    return f"≥{text}" if amount.partial and amount.value is not None else text
