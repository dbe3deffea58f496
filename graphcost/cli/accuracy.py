"""`graphcost accuracy`: predictions beside measurements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Output
from .output import choose_format, emit, screen_for

if TYPE_CHECKING:
    from graphcost.accuracy import Study
    from graphcost.measurements import Measurement

_SHIPPED = "predicted as shipped: rows to which the cost models were fitted may be among these (--leave-one-family-out)"
_LEFT_OUT = "each family predicted by a step model, constants and intervals that were fitted to the other families"

Models = Annotated[
    Path | None,
    typer.Option("--models", metavar="DIR", help="Folder of the models that rows name; by default that of DATA."),
]
GeneratorFile = Annotated[
    Path | None,
    typer.Option("--generator", metavar="FILE", help="Python file whose model_of(row) makes the models called '-'."),
]


def accuracy(
    data: Annotated[list[Path], typer.Argument(metavar="DATA", help="Measurements in the common CSV form.")],
    models: Models = None,
    generator: GeneratorFile = None,
    by: Annotated[str, typer.Option(metavar="KEYS", help="device, family, precision, source, …: one or several.")] = (
        "device"
    ),
    use: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only rows whose column `use` says so: bar, fit.")
    ] = None,
    leave_one_family_out: Annotated[
        bool, typer.Option("--leave-one-family-out", help="Fit the step model anew without the family it predicts.")
    ] = False,
    format: Annotated[str | None, typer.Option(metavar="NAME", help="table, json, csv or markdown.")] = None,
    output: Output = None,
) -> None:
    """Hold predictions against measurements. Errors by group, whether the intervals hold, misses by name."""
    from graphcost.accuracy.study import refuse_unknown, study
    from graphcost.errors import DataError
    from graphcost.render import FORMATS, one_of
    from graphcost.render.accuracy import render_accuracy

    chosen = one_of("format", choose_format(format, output, FORMATS), FORMATS)
    keys = [key.strip() for key in by.split(",") if key.strip()]
    refuse_unknown(keys)
    rows = _of_use(_rows(data, models, generator), use)
    found = _refitted(rows, keys) if leave_one_family_out else study(rows, keys)
    how = _LEFT_OUT if leave_one_family_out else _SHIPPED
    emit(render_accuracy(found, chosen, screen_for(output), how), output)
    if not found.predictions:
        raise DataError(f"no row could be predicted, the first for this reason: {found.refused[0].reason}")


def _rows(data: Sequence[Path], models: Path | None, generator: Path | None) -> list[Measurement]:
    from graphcost.measurements import load_generator, read_measurements

    make = None if generator is None else load_generator(generator)
    return [row for file in data for row in read_measurements(file, models, make)]


def _of_use(rows: Sequence[Measurement], use: str | None) -> Sequence[Measurement]:
    """The rows whose column `use` says this; all where nothing is asked for."""
    from graphcost.errors import UnknownName

    known = sorted({row.use for row in rows if row.use})
    if use is not None and use not in known:
        raise UnknownName("value of the column use", use, known)
    return [row for row in rows if use in (None, row.use)]


def _refitted(rows: Sequence[Measurement], by: Sequence[str]) -> Study:
    from graphcost.accuracy.refit import refitted_study

    return refitted_study(rows, by)
