"""`graphcost analyze --sweep …` and `--symbolic`: one model at many sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphcost.errors import UsageError

from .output import emit, screen_for

if TYPE_CHECKING:
    from graphcost.render import Format

    from .request import Request

Sweeps = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep", metavar="NAME=SIZES", help="A table over sizes: batch=1,8,32 or seq=128:1024:128; several multiply."
    ),
]
Symbolic = Annotated[
    bool, typer.Option("--symbolic", help="Formulas of the dynamic dimensions: work, bytes, peak memory.")
]


def refuse_with_sweep(given: Mapping[str, object]) -> None:
    """UsageError for an option that speaks of one analysis."""
    if others := [option for option, value in given.items() if value]:
        raise UsageError(f"{others[0]} is for one analysis: leave it out, or --sweep and --symbolic")


def print_sweep(
    request: Request,
    model: str,
    axes: Sequence[str],
    symbolic: bool,
    format: Format,
    output: Path | None,
    quiet: bool,
) -> None:
    """Work out the cells and formulas, and write them."""
    from graphcost.render.sweep import render_sweep
    from graphcost.sweep import sweep

    from .progress import watched

    with watched(quiet) as progress:
        found = sweep(model, axes, symbolic=symbolic, instruments=[progress], **request.given())
    emit(render_sweep(found, format, screen_for(output)), output)
