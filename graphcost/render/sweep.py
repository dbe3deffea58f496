"""A sweep as text: a line for each cell, the formulas, and for which sizes these were verified."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .columns import PLAIN, Column, Screen, fold, lay_out
from .units import count, milliseconds, plural, size

if TYPE_CHECKING:
    from graphcost.sweep import Cell, Formula, Formulas, Polynomial, Range, Sweep

    from . import Format

SCHEMA = "graphcost.sweep/1"

_MEASURES: Mapping[str, Callable[[Cell], int | float | None]] = {
    "latency_ms": lambda cell: cell.latency_ms,
    "macs": lambda cell: cell.macs,
    "flops": lambda cell: cell.flops,
    "bytes_read": lambda cell: cell.bytes_read,
    "bytes_written": lambda cell: cell.bytes_written,
    "weight_bytes": lambda cell: cell.weight_bytes,
    "peak_activation_bytes": lambda cell: cell.peak_activation_bytes,
}

_TITLES = {
    "latency_ms": "latency",
    "macs": "MACs",
    "flops": "flops",
    "bytes_read": "bytes read",
    "bytes_written": "bytes written",
    "weight_bytes": "weights",
    "peak_activation_bytes": "peak activations",
}

_RANK = {"bytes written": 1, "bytes read": 1, "flops": 2, "weights": 3}
_LABELS = {**_TITLES, "weight_bytes": "weight bytes", "peak_activation_bytes": "peak activation bytes"}
"""Of formulas, which have no unit."""


def render_sweep(sweep: Sweep, format: Format = "table", screen: Screen = PLAIN) -> str:
    """The sweep as text, with a newline at its end. CSV holds the cells, or the formulas where there are no cells."""
    if format == "json":
        return _json(sweep)
    if format == "csv":
        return _csv(sweep)
    return _markdown(sweep) if format == "markdown" else _table(sweep, screen)


# For people


def _table(sweep: Sweep, screen: Screen) -> str:
    blocks = [[_headline(sweep)], _cells(sweep, screen), _formulas(sweep, screen)]
    notes = [screen.paint(line, "yellow") for text in _notes(sweep) for line in fold(text, screen, 2)]
    return "\n\n".join("\n".join(block) for block in (*blocks, notes) if block) + "\n"


def _markdown(sweep: Sweep) -> str:
    from .markdown import bullets, escape, grid

    blocks = [f"### {escape(_headline(sweep))}", grid(_titles(sweep), _rows(sweep), left=0)]
    if sweep.formulas is not None:
        rows = [[_LABELS[name], str(formula), _limits(formula)] for name, formula in _found(sweep.formulas)]
        blocks += [grid(["measure", "formula", "verified for"], rows, left=3), _effort(sweep.formulas)]
    return "\n\n".join(filter(None, [*blocks, bullets(_notes(sweep))])) + "\n"


def _headline(sweep: Sweep) -> str:
    device = "no device" if sweep.target.device is None else sweep.target.device.spec
    parts = [sweep.model, device, sweep.target.runtime.name, sweep.target.precision]
    return " · ".join([*parts, plural(len(sweep.cells), "cell")] if sweep.cells else parts)


def _shown(sweep: Sweep) -> list[str]:
    return [name for name in _MEASURES if name != "latency_ms" or sweep.target.device is not None]


def _titles(sweep: Sweep) -> list[str]:
    return [*(axis.name for axis in sweep.axes), *(_TITLES[name] for name in _shown(sweep))]


def _rows(sweep: Sweep) -> list[list[str]]:
    shown = _shown(sweep)
    return [[*(f"{s:,}" for s in cell.sizes.values()), *(_text(name, cell) for name in shown)] for cell in sweep.cells]


def _text(name: str, cell: Cell) -> str:
    figure = _MEASURES[name](cell)
    if name == "latency_ms":
        return milliseconds(figure)
    return count(figure) if name in ("macs", "flops") else size(figure)


def _cells(sweep: Sweep, screen: Screen) -> list[str]:
    rows = _rows(sweep)
    columns = [
        Column(title, [row[i] for row in rows], rank=_RANK.get(title, 0)) for i, title in enumerate(_titles(sweep))
    ]
    return lay_out(columns, screen) if rows else []


def _formulas(sweep: Sweep, screen: Screen) -> list[str]:
    if sweep.formulas is None:
        return []
    width = max(map(len, _LABELS.values())) + 2
    shared = {_limits(formula) for _, formula in _found(sweep.formulas)}
    lines = []
    for name, formula in _found(sweep.formulas):
        lines += fold(f"{_LABELS[name]:<{width}}{formula}", screen, width)
        if len(shared) > 1:
            lines.append(screen.paint(" " * width + _limits(formula), "dim"))
    everywhere = sorted(shared) if len(shared) == 1 else []
    return [*lines, "", *everywhere, *fold(_effort(sweep.formulas), screen)]


def _found(formulas: Formulas) -> Iterable[tuple[str, Formula]]:
    return formulas.by_measure.items()


def _limits(formula: Formula) -> str:
    """`for 1 ≤ batch ≤ 64, 32 ≤ h ≤ 512 in steps of 32`."""
    return "for " + ", ".join(map(_range, formula.ranges))


def _range(limits: Range) -> str:
    steps = f" in steps of {limits.step}" if limits.step > 1 else ""
    return f"{limits.low:,} ≤ {limits.symbol} ≤ {limits.high:,}{steps}"


def _effort(formulas: Formulas) -> str:
    return f"each formula equals every analysis that was made inside its range ({formulas.analyses:,} in all)"


def _notes(sweep: Sweep) -> list[str]:
    missing = {} if sweep.formulas is None else sweep.formulas.missing
    return [f"no formula of {_LABELS[name]}: {reason}" for name, reason in missing.items()] + [
        f"warning: {warning}" for warning in sweep.warnings
    ]


# For programs


def _json(sweep: Sweep) -> str:
    from .as_json import dump

    target = sweep.target
    return dump(
        {
            "schema": SCHEMA,
            "model": sweep.model,
            "target": {
                "device": None if target.device is None else target.device.spec,
                "runtime": target.runtime.name,
                "precision": target.precision,
                "mode": target.mode,
            },
            "axes": {axis.name: list(axis.values) for axis in sweep.axes},
            "cells": [{**cell.sizes, **_figures(cell)} for cell in sweep.cells],
            "formulas": {} if sweep.formulas is None else {n: _formula(f) for n, f in _found(sweep.formulas)},
            "warnings": _notes(sweep),
        }
    )


def _figures(cell: Cell) -> dict[str, int | float | None]:
    return {name: figure(cell) for name, figure in _MEASURES.items()}


def _formula(formula: Formula) -> dict[str, Any]:
    """The largest of `max` is the figure; each is the sum of its terms over the denominator."""
    return {"text": str(formula), "max": [_polynomial(p) for p in formula.pieces], "verified": _verified(formula)}


def _verified(formula: Formula) -> dict[str, dict[str, int]]:
    return {r.symbol: {"low": r.low, "high": r.high, "step": r.step} for r in formula.ranges}


def _polynomial(polynomial: Polynomial) -> dict[str, Any]:
    denominator = polynomial.denominator
    terms = [
        {"coefficient": int(c * denominator), "powers": {s: p for s, p in zip(polynomial.symbols, powers) if p}}
        for powers, c in polynomial.terms.items()
    ]
    return {"terms": terms, "denominator": denominator}


def _csv(sweep: Sweep) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if sweep.cells:
        writer.writerow([*(axis.name for axis in sweep.axes), *_MEASURES])
        writer.writerows([*cell.sizes.values(), *_figures(cell).values()] for cell in sweep.cells)
    elif sweep.formulas is not None:
        writer.writerow(["measure", "formula", "verified"])
        writer.writerows([name, str(formula), _limits(formula)] for name, formula in _found(sweep.formulas))
    return text.getvalue()
