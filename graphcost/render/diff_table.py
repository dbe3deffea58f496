"""A comparison as a table for people: one sentence, the rows that changed most, kinds, totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from graphcost.diff import Delta, Diff, DiffRow, Measure

from .columns import PLAIN, Column, Screen, fold, lay_out
from .diff_text import cell, changed_rows, diff_sentence, part, remark
from .summary import headline
from .units import UNKNOWN, count, milliseconds, signed, size

_BIGGEST = 25

_TITLES: dict[Measure, str] = {"latency": "ms", "macs": "MACs", "flops": "flops", "bytes": "bytes"}


def render_diff_table(diff: Diff, top: int | None = None, detail: int = 0, screen: Screen = PLAIN) -> str:
    """The comparison, with a newline at its end. `detail` 1 shows unchanged rows too, -1 shows totals alone. Rows of
    which none has a counterpart say nothing, and are shown only when asked for."""
    all_or_some = 0 if detail > 0 and top is None else top
    has_rows = detail > 0 or (detail == 0 and (diff.has_matches or top is not None))
    blocks = [
        _head(diff, screen),
        _row_lines(diff, all_or_some, detail > 0, screen) if has_rows else [],
        _kind_lines(diff, screen) if detail >= 0 else [],
        total_lines(diff, screen),
        [screen.paint(line, "yellow") for text in diff.warnings for line in fold(f"warning: {text}", screen, 2)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(diff: Diff, screen: Screen) -> list[str]:
    """The verdict, and what was compared: two headlines, or the one that both have."""
    change = diff.total.change
    style = "bold" if not change or diff.total.is_same else "red" if change > 0 else "green"
    before = f"{diff.before.model.name} · {headline(diff.before)}"
    after = f"{diff.after.model.name} · {headline(diff.after)}"
    sides = [after] if before == after else [f"before: {before}", f"after:  {after}"]
    verdict = [screen.paint(line, style) for line in fold(diff_sentence(diff), screen, 2)]
    return verdict + [line for side in sides for line in fold(side, screen, 2)]


def _row_lines(diff: Diff, top: int | None, verbose: bool, screen: Screen) -> list[str]:
    rows = list(diff.rows) if verbose else changed_rows(diff)
    limit = _BIGGEST if top is None else top or len(rows)
    shown, others = rows[:limit], rows[limit:]
    quiet = [] if verbose else [row for row in diff.rows if row.status == "unchanged"]
    lines = [(row.amount, remark(row), row.name) for row in shown]
    lines += [_several(f"[{len(others):,} others]", others)] if others else []
    lines += [_several(f"[{len(quiet):,} unchanged]", quiet)] if quiet else []
    return _figures([*lines, (diff.total, "", "TOTAL")], diff.measure, "kernel", screen, last_bold=True)


def _kind_lines(diff: Diff, screen: Screen) -> list[str]:
    changed = [(delta, "", kind) for kind, delta in diff.kinds.items() if not delta.is_same]
    ordered = sorted(changed, key=lambda line: -abs(line[0].change or 0))
    return _figures(ordered, diff.measure, "by kind", screen) if changed else []


def total_lines(diff: Diff, screen: Screen = PLAIN) -> list[str]:
    """Every total that changed, times first, then the names of those that did not."""
    totals = _told_totals(diff)
    changed = {key: delta for key, delta in totals.items() if not delta.is_same}
    same = [key for key, delta in totals.items() if delta.is_same and delta.before is not None]
    shows = {key: _show_total(key) for key in changed}
    columns = [
        Column("before", [shows[key](delta.before) for key, delta in changed.items()]),
        Column("after", [shows[key](delta.after) for key, delta in changed.items()]),
        Column("change", [_difference(delta, shows[key]) for key, delta in changed.items()]),
        Column("%", [part(delta) for delta in changed.values()]),
        Column("total", list(changed), "<"),
    ]
    unchanged = fold(f"unchanged: {', '.join(same)}", screen, 2) if same else []
    return (lay_out(columns, screen) if changed else []) + [screen.paint(line, "dim") for line in unchanged]


def _told_totals(diff: Diff) -> dict[str, Delta]:
    """Times first; the sum of the known latencies only where it is not the latency."""
    keys = sorted(diff.totals, key=lambda key: not key.endswith("_ms"))
    if None not in (diff.totals["latency_ms"].before, diff.totals["latency_ms"].after):
        keys.remove("latency_known_ms")
    return {key: diff.totals[key] for key in keys}


def _show_total(key: str) -> Callable[[float | None], str]:
    from graphcost.gate import METRICS

    from .units import share

    plain = {"kernels": _whole, "inferences_per_s": _one_decimal}
    return plain.get(key) or {"time": milliseconds, "bytes": size, "count": count, "share": share}[METRICS[key]]


def _figures(
    lines: Sequence[tuple[Delta, str, str]], measure: Measure, title: str, screen: Screen, last_bold: bool = False
) -> list[str]:
    show, unit = cell(measure), _TITLES[measure]
    remarks = [Column("what", [text for _, text, _ in lines], "<", rank=1)] if any(text for _, text, _ in lines) else []
    return lay_out(
        [
            Column(f"{unit} before", ["" if part(delta) == "new" else show(delta.before) for delta, _, _ in lines]),
            Column("after", ["" if part(delta) == "gone" else show(delta.after) for delta, _, _ in lines]),
            Column("change", [_difference(delta, show) for delta, _, _ in lines]),
            Column("%", [part(delta) for delta, _, _ in lines]),
            *remarks,
            Column(title, [name for _, _, name in lines], "<"),
        ],
        screen,
        last_bold,
    )


def _several(name: str, rows: Iterable[DiffRow]) -> tuple[Delta, str, str]:
    listed = list(rows)
    return Delta(_sum(row.amount.before for row in listed), _sum(row.amount.after for row in listed)), "", name


def _sum(values: Iterable[float | None]) -> float | None:
    listed = list(values)
    known = [value for value in listed if value is not None]
    return sum(known) if len(known) == len(listed) else None


def _difference(delta: Delta, show: Callable[[float | None], str]) -> str:
    if delta.change is None:
        return UNKNOWN
    return "=" if delta.is_same else signed(show(delta.change), delta.change)


def _whole(number: float | None) -> str:
    return UNKNOWN if number is None else f"{number:,.0f}"


def _one_decimal(number: float | None) -> str:
    return UNKNOWN if number is None else f"{number:,.1f}"
