"""A comparison in words: the verdict in a sentence, figures of a measure, what is different in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphcost.diff import Delta, Diff, DiffRow, Measure
from graphcost.report import Kernel

from .units import UNKNOWN, count, count_cell, milliseconds, plural, size, size_cell

_LITTLE = 0.0005  # what would read +0.0 %
_NOUNS: dict[Measure, str] = {"latency": "latency", "macs": "MACs", "flops": "flops", "bytes": "bytes moved"}


def diff_sentence(diff: Diff) -> str:
    """`latency 12.3 → 13.8 ms, 12.4 % slower: 14 slower, 5 faster, 3 added, 2 removed, 120 unchanged`."""
    total, show = diff.total, prose(diff.measure)
    return f"{_NOUNS[diff.measure]} {show(total.before)} → {show(total.after)}, {_verdict(diff)}: {tally(diff)}"


def tally(diff: Diff) -> str:
    """How many kernels became what."""
    less, more = _words(diff.measure)
    changes = [row.amount.change for row in diff.rows if row.status == "changed"]
    counts = {
        more: sum(change is not None and change > 0 for change in changes),
        less: sum(change is not None and change < 0 for change in changes),
        "unknown": sum(change is None for change in changes),
        **{status: diff.count(status) for status in ("added", "removed", "unchanged")},
    }
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number) or "no kernels"


def changed_rows(diff: Diff) -> list[DiffRow]:
    """The rows whose figure changed or that only one side has, the biggest change first."""
    return [row for row in diff.rows if row.status != "unchanged"]


def prose(measure: Measure) -> Callable[[float | None], str]:
    """How a figure of this measure reads in a sentence."""
    return {"latency": milliseconds, "macs": count, "flops": count, "bytes": size}[measure]


def cell(measure: Measure) -> Callable[[float | None], str]:
    """How a figure of this measure stands in a column."""
    return {"latency": _ms_cell, "macs": count_cell, "flops": count_cell, "bytes": size_cell}[measure]


def part(delta: Delta) -> str:
    """`+19.0 %`; `new` or `gone` where one side has nothing."""
    if delta.before == 0 and delta.after:
        return "new"
    if delta.after == 0 and delta.before:
        return "gone"
    if delta.part is None:
        return UNKNOWN
    return "=" if delta.is_same else "~0 %" if abs(delta.part) < _LITTLE else f"{100 * delta.part:+.1f} %"


def remark(row: DiffRow) -> str:
    """What else is different: how many kernels there are, what they compute in, what bounds them."""
    if not row.before or not row.after:
        return ""
    parts = []
    if len(row.before) != len(row.after):
        parts.append(f"{len(row.before)} → {plural(len(row.after), 'kernel')}")
    for field in ("precision", "bound"):
        old, new = (_distinct(side, field) for side in (row.before, row.after))
        parts += [f"{old} → {new}"] if old != new else []
    return ", ".join(parts)


def _words(measure: Measure) -> tuple[str, str]:
    return ("faster", "slower") if measure == "latency" else ("smaller", "bigger")


def _verdict(diff: Diff) -> str:
    total = diff.total
    if total.change is None:
        return "unknown whether better or worse"
    if total.is_same:
        return "the same"
    word = _words(diff.measure)[total.change > 0]
    return word if total.part is None else f"{abs(100 * total.part):.1f} % {word}"


def _distinct(kernels: Sequence[Kernel], field: str) -> str:
    return "/".join(dict.fromkeys(getattr(kernel, field) for kernel in kernels))


def _ms_cell(ms: float | None) -> str:
    return UNKNOWN if ms is None else f"{ms:.4f}"
