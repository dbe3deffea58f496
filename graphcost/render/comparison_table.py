"""A prediction beside a real engine as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import TYPE_CHECKING, TypeAlias

from graphcost.engine.comparison import Comparison, Match, minus_ms, total_ms

from .columns import PLAIN, Column, Screen, fold, lay_out
from .comparison_text import differing, in_order, overhead, ratio, sides, tally, verdict, what
from .summary import LATENCY_MEANS, headline
from .units import UNKNOWN, plural, signed

if TYPE_CHECKING:
    from . import Sorting

_BIGGEST = 25
_TOTAL = "TOTAL"
_FEW = 5  # groups that are told in full before the rest is only counted

_Line: TypeAlias = "tuple[float | None, float | None, str, str]"
"""Measured and predicted milliseconds, what is different, and the name."""


def render_comparison_table(
    found: Comparison, sorting: Sorting | None = None, top: int | None = None, detail: int = 0, screen: Screen = PLAIN
) -> str:
    """The comparison, with a newline at its end. `top` is the number of rows (0: all), `detail` -1 leaves the rows
    out, 1 tells every group and region in full."""
    matches = in_order(found, sorting)
    limit = _BIGGEST if top is None else top or len(matches)
    blocks = [
        _head(found, screen),
        _rows(found, matches, len(matches) if detail > 0 and top is None else limit, screen) if detail >= 0 else [],
        _kinds(found, screen) if found.engine.has_times else [],
        _differing(matches, detail > 0, screen) if detail >= 0 else [],
        _regions(found, detail > 0, screen) if detail >= 0 else [],
        _apart(found, screen) if detail > 0 else [],
        [screen.paint(line, "yellow") for text in found.warnings for line in fold(f"warning: {text}", screen, 2)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(found: Comparison, screen: Screen) -> list[str]:
    report = found.report
    target = headline(report).removesuffix(f" · {LATENCY_MEANS}")
    engine = f"engine of {plural(len(found.engine.layers), 'layer')}"
    told = [f"{report.model.name} · {target} · beside an {engine}", tally(found), verdict(found), overhead(found)]
    styles = ("", "bold", "bold", "")
    return [
        screen.paint(line, style) if style else line
        for text, style in zip(told, styles)
        for line in fold(text, screen, 2)
        if text
    ]


# Rows


def _rows(found: Comparison, matches: Sequence[Match], limit: int, screen: Screen) -> list[str]:
    shown, others = matches[:limit], matches[limit:]
    lines = [_line(match) for match in shown]
    lines += [_sum(f"[{len(others):,} others]", map(_line, others))] if others else []
    lines += [(part.measured_ms, part.predicted_ms, _counts(len(part.predicted), len(part.measured)), f"[{part.name}]")
              for part in found.apart]  # fmt: skip
    return _figures([*lines, (found.measured_ms, found.predicted_ms, "", _TOTAL)], found.engine.has_times, screen)


def _line(match: Match) -> _Line:
    return match.measured_ms, match.predicted_ms, what(match), match.name


def _counts(predicted: int, measured: int) -> str:
    return f"{predicted:,} predicted, {measured:,} in engine"


def _sum(name: str, lines: Iterable[_Line]) -> _Line:
    listed = list(lines)
    return total_ms(line[0] for line in listed), total_ms(line[1] for line in listed), "", name


def _figures(lines: Sequence[_Line], has_times: bool, screen: Screen, title: str = "layer") -> list[str]:
    times = [
        Column("measured ms", [_ms(measured) for measured, _, _, _ in lines]),
        Column("predicted", [_ms(predicted) for _, predicted, _, _ in lines]),
        Column("difference", [_difference(measured, predicted) for measured, predicted, _, _ in lines], rank=2),
        Column("ratio", [ratio(predicted, measured) for measured, predicted, _, _ in lines]),
    ]
    shown = times if has_times else [Column("predicted ms", [_ms(predicted) for _, predicted, _, _ in lines])]
    has_remarks = any(text for _, _, text, _ in lines)
    remarks = [Column("what", [text for _, _, text, _ in lines], "<", rank=1)] if has_remarks else []
    names = Column(title, [name for *_, name in lines], "<")
    return lay_out([*shown, *remarks, names], screen, last_bold=lines[-1][-1] == _TOTAL)


def _ms(time: float | None) -> str:
    return UNKNOWN if time is None else f"{time:.4f}"


def _difference(measured: float | None, predicted: float | None) -> str:
    change = minus_ms(predicted, measured)
    return UNKNOWN if change is None else signed(f"{change:.4f}", change)


def _kinds(found: Comparison, screen: Screen) -> list[str]:
    """Both sides by the kind of the predicted kernels, the kind that takes longest first."""
    kinds = {match.kind for match in found.matches}
    sums = [_sum(kind or "[only in engine]", (_line(m) for m in found.matches if m.kind == kind)) for kind in kinds]
    ranked = sorted(sums, key=lambda line: -(line[0] or line[1] or 0.0))
    return _figures(ranked, True, screen, "by kind")


# What is not one to one


def _differing(matches: Sequence[Match], all_of_them: bool, screen: Screen) -> list[str]:
    groups = differing(matches)
    shown = groups if all_of_them else groups[:_FEW]
    lines = [screen.paint("merged differently", "dim")] if groups else []
    for match in shown:
        lines += _group(match, screen)
    return lines + ([f"  … and {len(groups) - len(shown):,} more (-v lists them)"] if len(shown) < len(groups) else [])


def _group(match: Match, screen: Screen) -> list[str]:
    """Both sides, each said once, names below each other."""
    lines, last = [], ""
    for side, name in sides(match):
        label = "" if side == last else side
        lines += fold(f"  {label:<10} {name}", screen, 13)
        last = side
    return lines


def _regions(found: Comparison, all_of_them: bool, screen: Screen) -> list[str]:
    lines = []
    for region, members in found.members.items():
        lines += fold(f"inside {region}, the measured time in proportion of the modelled ones", screen, 2)
        ranked = sorted(members, key=lambda member: -member.predicted_ms)
        shown = ranked if all_of_them else ranked[:_FEW]
        figures: list[_Line] = [(m.measured_ms, m.predicted_ms, "", m.name) for m in ranked]
        rest = figures[len(shown) :]
        figures[len(shown) :] = [_sum(f"[{len(rest):,} others]", rest)] if rest else []
        lines += _figures(figures, found.engine.has_times, screen)
    return lines


def _apart(found: Comparison, screen: Screen) -> list[str]:
    """What stands apart and has no namesake on the other side, by name."""
    lines = []
    for part in found.apart:
        sides = {"engine": [layer.name for layer in part.measured], "predicted": [k.name for k in part.predicted]}
        both = set(sides["engine"]) & set(sides["predicted"])
        lines += [screen.paint(f"{part.name}, {len(both):,} on both sides", "dim")]
        lines += [line for side, names in sides.items() for line in _listed(side, names, both, screen)]
    return lines


def _listed(side: str, names: Sequence[str], both: Set[str], screen: Screen) -> list[str]:
    return [line for name in names if name not in both for line in fold(f"  {side:<10} {name}", screen, 13)]
