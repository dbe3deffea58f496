"""`graphcost fit`: measurements → the parameters of a cost model, in a device file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .accuracy import GeneratorFile, Models

if TYPE_CHECKING:
    from graphcost.fit import Fittable
    from graphcost.fit.result import FitResult
    from graphcost.measurements import Measurement

Data = Annotated[list[Path], typer.Argument(metavar="DATA", help="Measurements: the common CSV form.")]
Base = Annotated[
    str | None, typer.Option("--device", "-d", metavar="NAME[@MODE]", help="The device that was measured.")
]
Written = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="The device file to write.")]
Shipped = Annotated[
    Path | None,
    typer.Option("--shipped", metavar="DIR", help="Fit all devices together; a file for each device and architecture."),
]
Most = Annotated[
    int, typer.Option("--most-per-family", metavar="N", help="Rows of a family that are used: evenly spaced ones.")
]


def fit(
    data: Data,
    device: Base = None,
    output: Written = None,
    shipped: Shipped = None,
    model: Annotated[str, typer.Option("--cost-model", metavar="NAME", help="The model to fit.")] = "steps",
    models: Models = None,
    generator: GeneratorFile = None,
    most_per_family: Most = 250,
) -> None:
    """Fit a cost model to measurements. Its parameters go into a device file, with where they come from."""
    from graphcost.device import load_device
    from graphcost.errors import UsageError
    from graphcost.fit.groups import board_of
    from graphcost.fit.result import FEWEST_ROWS, fit_rows
    from graphcost.fit.write import write_device, write_shipped

    if (output is None or device is None) == (shipped is None):
        raise UsageError("give --device and --output for one device, or --shipped for all that the rows name")
    rows = _rows(data, models, generator, most_per_family)
    base = None if device is None else load_device(device)
    if base is not None:
        rows = [row for row in rows if board_of(row) == base.id]
    result = fit_rows(rows, _model(model), base)
    if not result.fits:
        whose = "" if base is None else f" for {base.id}"
        raise UsageError(f"{len(rows)} rows{whose} in the data; a fit needs {FEWEST_ROWS} of one numeric type")
    if base is not None and output is not None:
        write_device(result, base, output)
    if shipped is not None:
        write_shipped(result, shipped)
    typer.echo(_summary(result))


def _rows(data: list[Path], models: Path | None, generator: Path | None, most: int) -> list[Measurement]:
    from graphcost.fit.thinning import thinned
    from graphcost.measurements import load_generator, read_measurements

    make = None if generator is None else load_generator(generator)
    return thinned([row for file in data for row in read_measurements(file, models, make)], most)


def _model(name: str) -> Fittable:
    from graphcost.errors import UsageError
    from graphcost.fit import Fittable
    from graphcost.plugin import load_registry

    found = load_registry().cost_model(name)
    if not isinstance(found, Fittable):
        raise UsageError(f"cost model {name!r} has no parameters to fit")
    return found


def _summary(result: FitResult) -> str:
    """A line for each device and precision: rows, errors with families left out, outliers."""
    from graphcost.fit.summary import summary

    return summary(result)
