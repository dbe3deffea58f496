"""Advice as text: suggestions, the largest saving first, and the kernels that are farthest above their roofs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from .columns import PLAIN, Column, Screen, fold, lay_out
from .summary import headline, interval
from .units import share

if TYPE_CHECKING:
    from graphcost.advice import Advice, Headroom, Suggestion

SCHEMA = "graphcost.advice/1"

AdviceFormat: TypeAlias = Literal["table", "json", "markdown"]
ADVICE_FORMATS: tuple[AdviceFormat, ...] = get_args(AdviceFormat)

_TOP = 10
_NAMED = 3


def render_advice(
    advice: Advice, format: AdviceFormat = "table", top: int | None = None, screen: Screen = PLAIN
) -> str:
    """The advice as text, with a newline at its end; `top` is the number of kernels beside their roofs."""
    if format == "json":
        return _json(advice)
    rows = [_headroom_cells(each) for each in advice.headroom[: _TOP if top is None else top or None]]
    titles = ["above roof ms", "latency ms", "roof ms", "reached", "bound", "kernel"]
    sentences = [_line(suggestion) for suggestion in advice.suggestions] or ["nothing to suggest"]
    if format == "markdown":
        from .markdown import bullets, escape, grid

        told = bullets(sentence.strip() for sentence in sentences)
        blocks = [f"### {escape(_head(advice))}", told, grid(titles, rows, left=2)]
        return "\n\n".join(filter(None, blocks)) + "\n"
    columns = [Column(t, [row[i] for row in rows], "<" if i > 3 else ">") for i, t in enumerate(titles)]
    lines = [line for sentence in sentences for line in fold(sentence, screen, 8)]
    blocks_ = [fold(_head(advice), screen, 2), lines, lay_out(columns, screen) if rows else []]
    return "\n\n".join("\n".join(block) for block in blocks_ if block) + "\n"


def _head(advice: Advice) -> str:
    report = advice.run.report
    return f"{report.model.name}: {interval(report.totals)} · {headline(report)}"


def _line(suggestion: Suggestion) -> str:
    """`12.3 %  channels: 130 channels cost as much as 192; … (conv1, conv2 and 3 more)`."""
    saving = "" if suggestion.saving is None else share(suggestion.saving)
    names = ", ".join(suggestion.kernels[:_NAMED])
    more = len(suggestion.kernels) - _NAMED
    where = f" ({names}{f' and {more} more' if more > 0 else ''})" if names else ""
    return f"{saving:>6}  {suggestion.topic}: {suggestion.sentence}{where}"


def _headroom_cells(each: Headroom) -> list[str]:
    latency = "" if each.kernel.latency_ms is None else f"{each.kernel.latency_ms:.4f}"
    return [f"{each.above_ms:.4f}", latency, f"{each.roof_ms:.4f}", share(each.reached), each.bound, each.kernel.name]


def _json(advice: Advice) -> str:
    from .as_json import dump

    return dump(
        {
            "schema": SCHEMA,
            "model": advice.run.report.model.name,
            "target": advice.run.target.header(),
            "latency_ms": advice.run.report.totals.latency_ms,
            "suggestions": [_suggestion(suggestion) for suggestion in advice.suggestions],
            "headroom": [_headroom(each) for each in advice.headroom],
        }
    )


def _suggestion(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "topic": suggestion.topic,
        "saving": suggestion.saving,
        "sentence": suggestion.sentence,
        "kernels": list(suggestion.kernels),
        "evidence": dict(suggestion.evidence),
    }


def _headroom(each: Headroom) -> dict[str, Any]:
    return {
        "kernel": each.kernel.name,
        "latency_ms": each.kernel.latency_ms,
        "roof_ms": each.roof_ms,
        "reached": each.reached,
        "bound": each.bound,
    }
