"""Boards side by side: a line for each board, or with `by_kernel` a line for each kernel."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from graphcost.report import Kernel, Report, Totals

from .columns import PLAIN, Column, Screen, fold, lay_out, needed
from .summary import LATENCY_MEANS, fits
from .units import UNKNOWN, count, milliseconds, plural, rate, share, significant, size

if TYPE_CHECKING:
    from graphcost.boards import Boards, KernelRow

    from . import Format

SCHEMA = "graphcost.boards/1"

_BOUNDS = ("compute", "memory", "launch")
_TRUSTS = ("measured", "fitted", "prior", "analytic", "unknown")

_SHOWN: Mapping[str, Callable[[Report], str]] = {
    "latency": lambda r: milliseconds(r.totals.latency_ms),
    "90 %": lambda r: _interval(r.totals),
    "inferences/s": lambda r: rate(r.totals.inferences_per_s),
    "memory": lambda r: size(r.totals.total_memory_bytes),
    "fits": lambda r: fits(r.memory).partition(":")[0],
    "kernels": lambda r: f"{r.totals.kernels:,}",
    "compute-bound": lambda r: share(_part(r, "bound", "compute")),
    "memory-bound": lambda r: share(_part(r, "bound", "memory")),
    "launch-bound": lambda r: share(_part(r, "bound", "launch")),
    "trust": lambda r: _mostly(r),
}

_WORDS = frozenset({"90 %", "fits", "trust"})
_RANK = {
    "90 %": 1, "trust": 2, "memory": 3, "precision": 4, "inferences/s": 5, "compute-bound": 6, "memory-bound": 6,
    "launch-bound": 6, "kernels": 7, "fits": 8,
}  # fmt: skip


def render_boards(
    boards: Boards,
    format: Format = "table",
    by_kernel: bool = False,
    screen: Screen = PLAIN,
    top: int | None = None,
) -> str:
    """The boards as text, with a newline at its end. JSON always has both the boards and the kernels; `top` chooses
    the biggest of the kernels (0: all, in order)."""
    if format == "json":
        return _json(boards)
    titles, rows = _kernel_grid(boards, top) if by_kernel else _board_grid(boards)
    if format == "csv":
        return _csv(*(_kernel_figures(boards, top) if by_kernel else _board_figures(boards)))
    if format == "markdown":
        from .markdown import escape, grid

        return f"### {escape(_headline(boards))}\n\n{grid(titles, rows, leading=0 if by_kernel else 3)}\n"
    left = {"kernel", *_WORDS} if by_kernel else {"board", "runtime", "precision", *_WORDS}
    sides = ["<" if title in left else ">" for title in titles]
    columns = [Column(t, cells, s, _RANK.get(t, 0)) for t, s, *cells in zip(titles, sides, *rows)]
    notes = [screen.paint(line, "yellow") for text in _notes(boards) for line in fold(text, screen, 2)]
    parts = _parts(columns, screen) if by_kernel else [columns]
    tables = [lay_out(part, screen, last_bold=by_kernel) for part in parts]
    blocks = [fold(_headline(boards), screen, 2), *tables, notes]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _parts(columns: Sequence[Column], screen: Screen) -> list[list[Column]]:
    """Tables one below the other, each with the names of the kernels and as many boards as the terminal takes."""
    *of_boards, names = columns
    parts: list[list[Column]] = [[]]
    for column in of_boards:
        if parts[-1] and screen.width is not None and needed([*parts[-1], column, names]) > screen.width:
            parts.append([])
        parts[-1].append(column)
    return [[*part, names] for part in parts]


def _headline(boards: Boards) -> str:
    first = boards.reports[0]
    batch = "batch unknown" if first.target.batch is None else f"batch {first.target.batch}"
    return " · ".join([first.model.name, f"{count(first.totals.macs)} MACs", batch, LATENCY_MEANS])


def _notes(boards: Boards) -> list[str]:
    """What was warned of on any board, once, with the boards."""
    said: dict[str, list[str]] = {}
    for report in boards.reports:
        for warning in report.warnings:
            said.setdefault(warning, []).append(_board(report))
    every = len(boards.reports)
    return [f"warning: {w}" if len(who) == every else f"warning: {', '.join(who)}: {w}" for w, who in said.items()]


# Boards


def _board_grid(boards: Boards) -> tuple[list[str], list[list[str]]]:
    rows = [[*_names(report), *(show(report) for show in _SHOWN.values())] for report in boards.reports]
    return ["board", "runtime", "precision", *_SHOWN], rows


def _names(report: Report) -> list[str]:
    return [_board(report), report.target.runtime, report.target.precision]


def _board(report: Report) -> str:
    return f"{report.target.device}@{report.target.power_mode}"


def _interval(totals: Totals) -> str:
    if totals.latency_low_ms is None or totals.latency_high_ms is None:
        return UNKNOWN
    return f"{significant(totals.latency_low_ms, 3)} … {significant(totals.latency_high_ms, 3)}"


def _part(report: Report, field: str, value: str) -> float | None:
    """The share of the latency in kernels of which a field says this."""
    if report.totals.latency_ms is None:
        return None
    return sum(kernel.share or 0.0 for kernel in report.kernels if getattr(kernel, field) == value)


def _mostly(report: Report) -> str:
    """The trust of the largest part of the latency, and how large that is where it is not all: `fitted 92.0 %`."""
    parts = {trust: _part(report, "trust", trust) for trust in _TRUSTS}
    known = {trust: part for trust, part in parts.items() if part}
    if not known:
        return UNKNOWN
    trust = max(known, key=lambda name: known[name])
    return trust if len(known) == 1 else f"{trust} {share(known[trust])}"


def _board_figures(boards: Boards) -> tuple[list[str], list[list[object]]]:
    """Numbers as they are, for programs."""
    figures = [_figures(report) for report in boards.reports]
    return list(figures[0]), [list(figure.values()) for figure in figures]


def _figures(report: Report) -> dict[str, object]:
    totals, target = report.totals, report.target
    return {
        "device": target.device,
        "power_mode": target.power_mode,
        "runtime": target.runtime,
        "precision": target.precision,
        "batch": target.batch,
        "latency_ms": totals.latency_ms,
        "latency_low_ms": totals.latency_low_ms,
        "latency_high_ms": totals.latency_high_ms,
        "inferences_per_s": totals.inferences_per_s,
        "total_memory_bytes": totals.total_memory_bytes,
        "fits": report.memory.fits,
        "kernels": totals.kernels,
        **{f"{name}_bound_share": _part(report, "bound", name) for name in _BOUNDS},
        **{f"{name}_share": _part(report, "trust", name) for name in _TRUSTS},
    }


# Kernels


def _chosen(boards: Boards, top: int | None) -> tuple[list[KernelRow], list[KernelRow]]:
    """The rows to show, and the others."""
    from graphcost.boards import biggest

    rows = list(boards.rows())
    if not top or top >= len(rows):
        return rows, []
    shown = biggest(rows, top)
    return shown, [row for row in rows if row not in shown]


def _kernel_grid(boards: Boards, top: int | None) -> tuple[list[str], list[list[str]]]:
    """Milliseconds of each kernel on each board; the last line has the totals."""
    shown, others = _chosen(boards, top)
    rows = [[*map(_milliseconds, row.kernels), row.name] for row in shown]
    if others:
        rows.append([*map(_together, zip(*(row.kernels for row in others))), f"[{plural(len(others), 'other')}]"])
    totals = [UNKNOWN if t is None else f"{t:.4f}" for t in (r.totals.latency_ms for r in boards.reports)]
    return [*map(_board, boards.reports), "kernel"], [*rows, [*totals, "TOTAL"]]


def _milliseconds(kernel: Kernel | None) -> str:
    if kernel is None:
        return ""
    return UNKNOWN if kernel.latency_ms is None else f"{kernel.latency_ms:.4f}"


def _together(kernels: Sequence[Kernel | None]) -> str:
    """The milliseconds of several kernels of one board; a sum of which a part is unknown is a lower limit."""
    present = [kernel.latency_ms for kernel in kernels if kernel is not None]
    known = [ms for ms in present if ms is not None]
    return f"{'' if len(known) == len(present) else '≥'}{sum(known):.4f}"


def _kernel_figures(boards: Boards, top: int | None) -> tuple[list[str], list[list[object]]]:
    shown, _ = _chosen(boards, top)
    rows: list[list[object]] = [[row.name, *(k and k.latency_ms for k in row.kernels)] for row in shown]
    return ["kernel", *(f"{_board(report)}_ms" for report in boards.reports)], rows


def _json(boards: Boards) -> str:
    from .as_json import dump

    names = [_board(report) for report in boards.reports]
    return dump(
        {
            "schema": SCHEMA,
            "model": boards.reports[0].model.name,
            "boards": [_figures(report) for report in boards.reports],
            "kernels": [
                {"name": row.name, "latency_ms": {n: k.latency_ms for n, k in zip(names, row.kernels) if k}}
                for row in boards.rows()
            ],
            "warnings": _notes(boards),
        }
    )


def _csv(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows(rows)
    return text.getvalue()
