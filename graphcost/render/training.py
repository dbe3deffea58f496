"""A training step in the terminal: where its time goes, what its memory holds, and when."""

from __future__ import annotations

from collections.abc import Iterable

from graphcost.report import Report, TrainingTotals

from .columns import PLAIN, Screen
from .timeline import draw_timeline
from .units import milliseconds, share, size


def training_lines(report: Report) -> Iterable[tuple[str, str]]:
    """Labelled lines that stand in place of those on the memory of an inference."""
    totals, memory = report.totals.training, report.memory
    assert totals is not None
    if totals.step_ms is not None:
        parts = {"forward": totals.forward_ms, "backward": totals.backward_ms, "optimizer": totals.optimizer_ms}
        yield "step", " + ".join(f"{name} {milliseconds(part)}" for name, part in parts.items())
    yield "at the peak", _at_peak(totals)
    yield "peak", f"{size(totals.peak_allocated_bytes)} allocated at {totals.peak_at or 'no kernel'}"
    yield "kept", f"{size(totals.saved_activation_bytes)} of activations for the backward part"
    if totals.peak_reserved_bytes is not None:
        yield "system", _system(totals)
    yield from (("held", f"{size(holder.bytes)} {holder.name}") for holder in memory.holders[:3])


def step_timeline(report: Report, screen: Screen = PLAIN) -> list[str]:
    """Bytes over the step as a chart, what is always there below what comes and goes."""
    totals = report.totals.training
    if totals is None or not report.memory.timeline:
        return []
    static = totals.parameter_bytes + totals.buffer_bytes + totals.optimizer_bytes
    lines = [static + dynamic for dynamic in report.memory.timeline]
    title = f"memory over the {len(lines):,} kernels of the step"
    return [screen.paint(title, "bold"), *draw_timeline(lines, screen)]


def _at_peak(totals: TrainingTotals) -> str:
    parts = sorted(totals.at_peak.items(), key=lambda part: -part[1])
    return " + ".join(f"{name} {size(part)}" for name, part in parts)


def _system(totals: TrainingTotals) -> str:
    """Reserved and system-level bytes, and how likely they fit."""
    reserved = f"{size(totals.peak_reserved_bytes or 0)} reserved by the caching allocator"
    if totals.system_bytes is None:
        return f"{reserved}; unknown: context"
    chance = "" if totals.fits_probability is None else f"; fits with probability {share(totals.fits_probability)}"
    needed = totals.needed_bytes or totals.system_bytes
    swap = "; more than RAM holds: it swaps, and may take any time" if needed > totals.system_bytes else ""
    return f"{reserved}, {size(needed)} with the context{chance}{swap}"
