"""Predicted against measured as text: summaries by group, the constants, the misses; row by row in JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from graphcost.accuracy.nuisance import FEWEST_ROWS

from .columns import PLAIN, Column, Screen, fold, lay_out
from .units import UNKNOWN, milliseconds, plural, share, significant

if TYPE_CHECKING:
    from graphcost.accuracy import Constant, Prediction, Study, Summary

    from . import Format

SCHEMA = "graphcost.accuracy/1"
MOST_MISSES = 10

_FIGURES: Mapping[str, Callable[[Summary], str]] = {
    "rows": lambda s: f"{s.rows:,}",
    "MAPE": lambda s: share(s.mape),
    "median": lambda s: share(s.median_ape),
    "RMSPE": lambda s: share(s.rmspe),
    "≤ 5 %": lambda s: share(s.within_5),
    "≤ 10 %": lambda s: share(s.within_10),
    "Spearman": lambda s: UNKNOWN if s.spearman is None else f"{s.spearman:.3f}",
    "bias": lambda s: _signed(s.bias),
    "inside": lambda s: share(s.coverage),
    "width": lambda s: share(s.median_width),
    "Winkler": lambda s: UNKNOWN if s.winkler is None else significant(s.winkler, 3),
}

_RANK = {"Winkler": 1, "RMSPE": 2, "≤ 5 %": 3, "Spearman": 4}

LEGEND = (
    "MAPE, median and RMSPE are of |predicted / measured - 1|; bias is the geometric mean of predicted / measured, "
    "less one; inside is the share of rows in their 90 % interval, width its median width over the prediction, Winkler "
    "the mean interval score over the measured latency."
)


def render_accuracy(study: Study, format: Format = "table", screen: Screen = PLAIN, how: str = "") -> str:
    """The study as text, with a newline at its end. `how` says which models predicted."""
    if format == "json":
        return _json(study, how)
    if format == "csv":
        return _csv(study)
    return accuracy_markdown(study, how) if format == "markdown" else _table(study, screen, how)


# For people


def _table(study: Study, screen: Screen, how: str) -> str:
    rows = _summary_rows(study)
    titles = [*study.by, *_FIGURES]
    words = len(study.by)
    columns = [
        Column(title, [row[i] for row in rows], "<" if i < words else ">", rank=_RANK.get(title, 0))
        for i, title in enumerate(titles)
    ]
    blocks = [
        fold(how, screen, 2) if how else [],
        lay_out(columns, screen, last_bold=True) if rows else ["no row could be predicted"],
        [line for text in constant_sentences(study) for line in fold(text, screen, 2)],
        [line for text in miss_sentences(study) for line in fold(text, screen, 2)],
        [screen.paint(line, "yellow") for text in refusal_sentences(study) for line in fold(text, screen, 2)],
        [screen.paint(line, "dim") for line in fold(LEGEND, screen)],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def accuracy_markdown(study: Study, how: str = "") -> str:
    """Summaries, constants and misses, with a newline at the end; no rows."""
    from .markdown import bullets, grid

    table = grid([*study.by, *_FIGURES], _summary_rows(study), left=0, leading=len(study.by))
    lists = (constant_sentences(study), miss_sentences(study), refusal_sentences(study))
    return "\n\n".join(filter(None, [how, table, *map(bullets, lists)])) + "\n"


def _summary_rows(study: Study) -> list[list[str]]:
    """A line for each group, the last for all rows together."""
    lines = [[*group.name, *_cells(group)] for group in study.groups]
    if study.pooled is not None:
        head = [f"all {plural(study.pooled.rows, 'row')}", *[""] * (len(study.by) - 1)] if study.by else []
        lines.append([*head, *_cells(study.pooled)])
    return lines


def _cells(summary: Summary) -> list[str]:
    return [show(summary) for show in _FIGURES.values()]


def constant_sentences(study: Study) -> list[str]:
    """What each way of measuring adds, and what that was estimated on."""
    return [_constant(constant) for constant in sorted(study.constants, key=lambda c: (c.source, c.device))]


def _constant(constant: Constant) -> str:
    who = f"{constant.source or 'source unknown'}, {constant.device}, {constant.measure or 'measure unknown'}"
    if constant.rows < FEWEST_ROWS:
        return f"constant: {who}: none, {plural(constant.rows, 'row')} cannot tell it"
    if constant.own and not constant.constant_ms and not constant.enqueue_us:
        return f"constant: {who}: 0 ms, there being one family only"
    seen = "on its own rows, there being one family only" if constant.own else "for each family on the others"
    added = milliseconds(constant.constant_ms)
    if constant.enqueue_us:
        added = f"{added} and at least {constant.enqueue_us:.0f} µs a kernel (the host enqueues)"
    return f"constant: {who}: {added} on {plural(constant.rows, 'row')}, estimated {seen}"


def miss_sentences(study: Study) -> list[str]:
    """The rows outside of their interval, the farthest off first."""
    shown = [f"miss: {_named(p)}" for p in study.misses(MOST_MISSES)]
    more = study.missed - len(shown)
    return [*shown, f"{plural(more, 'more miss', 'more misses')}"] if more else shown


def _named(prediction: Prediction) -> str:
    row = prediction.measurement
    interval = prediction.interval_ms
    inside = "" if interval is None else f" ({' … '.join(significant(end, 3) for end in interval)})"
    what = f"{row.network}{_sizes(row.shapes)}{f' layer {row.layer}' if row.layer else ''}"
    said = f"predicted {milliseconds(prediction.predicted_ms)}{inside}, measured {milliseconds(row.latency_ms)}"
    return f"{what} on {row.device_spec} {row.precision}: {said} ({row.where})"


def _sizes(shapes: str) -> str:
    return f" {shapes.partition(':')[2] or shapes}" if shapes else ""


def refusal_sentences(study: Study) -> list[str]:
    """Rows without a prediction: they are in no summary."""
    shown = [f"not predicted: {refused.reason}" for refused in study.refused[:MOST_MISSES]]
    more = len(study.refused) - len(shown)
    return [*shown, f"{more:,} more rows not predicted"] if more else shown


def _signed(part: float) -> str:
    return f"{100 * part:+.1f} %"


# For programs


def _json(study: Study, how: str) -> str:
    from .as_json import dump

    return dump(
        {
            "schema": SCHEMA,
            "how": how,
            "by": list(study.by),
            "pooled": None if study.pooled is None else asdict(study.pooled),
            "groups": [asdict(group) for group in study.groups],
            "constants": [asdict(constant) for constant in study.constants],
            "rows": [dict(zip(_ROW, _row(p))) for p in study.predictions],
            "refused": [{"where": r.measurement.where, "reason": r.reason} for r in study.refused],
        }
    )


_ROW = ("where", "network", "shapes", "layer", "device", "power_mode", "runtime", "precision", "batch", "source",
        "family", "measure", "measured_ms", "predicted_ms", "low_ms", "high_ms", "constant_ms", "enqueue_ms", "error",
        "trust", "extrapolates")  # fmt: skip


def _row(prediction: Prediction) -> Sequence[object]:
    m, interval = prediction.measurement, prediction.interval_ms or (None, None)
    return (m.where, m.network, m.shapes, m.layer, m.device, m.power_mode, m.runtime, m.precision, m.batch, m.source,
            m.family, m.measure, m.latency_ms, prediction.predicted_ms, *interval, prediction.constant_ms,
            prediction.enqueue_ms, prediction.error, prediction.trust, prediction.extrapolates)  # fmt: skip


def _csv(study: Study) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_ROW)
    writer.writerows(_row(prediction) for prediction in study.predictions)
    return text.getvalue()
