"""`graphcost memory`: what is in memory when, and at the peak whose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphcost.report import Holder, Report

from .columns import PLAIN, Column, Screen, fold, lay_out
from .summary import headline, model_line
from .timeline import draw_timeline
from .units import plural, share, size, size_cell

NO_MODULE = "(no module)"


@dataclass(frozen=True)
class View:
    """What is shown beside the summary; modules down to a depth, or each by its whole path."""

    timeline: bool = True
    by_module: bool = True
    depth: int | None = None


def render_memory(report: Report, view: View, arenas: Mapping[str, int], screen: Screen = PLAIN) -> str:
    """The memory of a report as text, with a newline at its end. `arenas` are the sizes of other plans by strategy."""
    head = [screen.paint(line, "bold") for line in fold(headline(report), screen, 2)]
    blocks = [
        head + fold(model_line(report), screen, 2),
        _summary(report, arenas, screen),
        _timeline(report, screen) if view.timeline else [],
        _holders(report, "tensor", report.memory.holders, screen),
        _holders(report, "module", by_depth(report.memory.peak_modules, view.depth), screen) if view.by_module else [],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def by_depth(modules: Sequence[Holder], depth: int | None) -> list[Holder]:
    """Modules summed up by the first parts of their paths, the biggest first."""
    sums: dict[str, int] = {}
    for module in modules:
        name = "/".join(module.name.split("/")[:depth])
        sums[name] = sums.get(name, 0) + module.bytes
    ranked = sorted(sums.items(), key=lambda item: -item[1])
    return [Holder(name or NO_MODULE, bytes_) for name, bytes_ in ranked]


def _summary(report: Report, arenas: Mapping[str, int], screen: Screen) -> list[str]:
    totals, memory = report.totals, report.memory
    lines = {
        "peak": _peak(report),
        "arena": _arena(report, arenas),
        "weights": size(totals.weight_bytes),
        "reorder": _reorder(memory.reorder_gain_bytes, totals.peak_activation_bytes),
    }
    return [line for label, text in lines.items() for line in fold(f"{label:<9}{text}", screen, 9)]


def _peak(report: Report) -> str:
    memory, totals = report.memory, report.totals
    if not memory.timeline:
        return size(totals.peak_activation_bytes)
    peak = max(memory.timeline)
    known = "" if totals.peak_activation_bytes is not None else "at least "
    where = f"{memory.peak_at}, number {memory.timeline.index(peak)} of {plural(len(memory.timeline), 'node')}"
    return f"{known}{size(peak)} at {where}"


def _arena(report: Report, arenas: Mapping[str, int]) -> str:
    arena, bound = report.totals.arena_bytes, report.memory.arena_lower_bound_bytes
    if arena is None:
        return "unknown: the size of a tensor is not known"
    ratio = f", {arena / bound:.2f} × the lower bound" if bound else ""
    others = ", ".join(f"{name} {size(bytes_)}" for name, bytes_ in arenas.items())
    return f"{size(arena)}{ratio}, by strategy {report.memory.arena_strategy}" + (f" ({others})" if others else "")


def _reorder(gain: int | None, peak: int | None) -> str:
    if gain is None or peak is None:
        return "unknown"
    if not gain:
        return "no other order of execution is found that lowers the peak"
    return f"another order of execution lowers the peak by {size(gain)} ({share(gain / peak)}): --reorder"


def _timeline(report: Report, screen: Screen) -> list[str]:
    chart = draw_timeline(report.memory.timeline, screen)
    title = f"activations over the execution of {plural(len(report.memory.timeline), 'node')}"
    return [screen.paint(title, "dim"), *chart] if chart else []


def _holders(report: Report, title: str, holders: Sequence[Holder], screen: Screen) -> list[str]:
    """What is there at the peak, with its share of it."""
    peak = max(report.memory.timeline, default=0)
    if not holders or not peak:
        return []
    cells = [
        Column("at the peak", [size_cell(holder.bytes) for holder in holders]),
        Column("share", [share(holder.bytes / peak) for holder in holders]),
        Column(title, [holder.name for holder in holders], "<"),
    ]
    return lay_out(cells, screen)
