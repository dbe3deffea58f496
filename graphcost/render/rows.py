"""Which kernels a reader sees, in which order, and what the others add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphcost.report import Kernel, Report

if TYPE_CHECKING:
    from . import Order

_ALL_SHOWN_UP_TO = 40  # what a tall terminal holds
_BIGGEST = 25


@dataclass(frozen=True)
class Amount:
    """What rows add up to. `partial`: some of them are unknown, so that the sum is the least it can be."""

    value: float | None
    partial: bool = False


@dataclass(frozen=True)
class Row:
    """A kernel with its place in the execution order and the activation bytes that live while it runs."""

    number: int
    kernel: Kernel
    live_bytes: int | None


@dataclass(frozen=True)
class Selection:
    """The rows that are shown, and the rest, to be shown as one line."""

    shown: tuple[Row, ...]
    others: tuple[Row, ...]
    order: Order


def select(report: Report, sort: Order | None = None, top: int | None = None) -> Selection:
    """The rows to show. Without a wish: all in execution order, or the biggest where there are too many to read.

    `top` is the number of rows; 0 stands for all.
    """
    rows = rows_of(report)
    if top is None:
        top = 0 if len(rows) <= _ALL_SHOWN_UP_TO else _BIGGEST
    order = sort or (_natural(report) if 0 < top < len(rows) else "order")
    ranked = sorted(rows, key=_KEYS[order])
    if not 0 < top < len(rows):
        return Selection(tuple(ranked), (), order)
    return Selection(tuple(ranked[:top]), tuple(ranked[top:]), order)


def rows_of(report: Report) -> list[Row]:
    """Every kernel in execution order."""
    timeline: Sequence[int | None] = report.memory.timeline
    if len(timeline) != len(report.kernels):
        timeline = [None] * len(report.kernels)
    return [Row(i, kernel, live) for i, (kernel, live) in enumerate(zip(report.kernels, timeline))]


def moved_bytes(kernel: Kernel) -> int | None:
    """Bytes read and written; unknown while either is."""
    if kernel.bytes_read is None or kernel.bytes_written is None:
        return None
    return kernel.bytes_read + kernel.bytes_written


def add_up(values: Iterable[float | None]) -> Amount:
    """The sum of what is known; unknown where nothing is."""
    listed = list(values)
    known = [value for value in listed if value is not None]
    if not known and listed:
        return Amount(None)
    return Amount(sum(known), partial=len(known) < len(listed))


def _natural(report: Report) -> Order:
    """What makes a kernel big: its time, or its work where times are not known."""
    return "macs" if report.target.device is None else "latency"


def _biggest_first(amount: Callable[[Row], float | None]) -> Callable[[Row], tuple[float, int]]:
    """Unknown ones first: they may be the biggest."""

    def key(row: Row) -> tuple[float, int]:
        value = amount(row)
        return (float("-inf") if value is None else -value, row.number)

    return key


_KEYS: dict[Order, Callable[[Row], tuple[float, int] | tuple[str, int]]] = {
    "latency": _biggest_first(lambda row: row.kernel.latency_ms),
    "flops": _biggest_first(lambda row: row.kernel.flops),
    "macs": _biggest_first(lambda row: row.kernel.macs),
    "bytes": _biggest_first(lambda row: moved_bytes(row.kernel)),
    "memory": _biggest_first(lambda row: row.live_bytes),
    "name": lambda row: (row.kernel.name, row.number),
    "order": lambda row: (0.0, row.number),
}
