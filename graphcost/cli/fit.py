"""`graphcost fit`: measurements → the parameters of a cost model, in a device file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .accuracy import GeneratorFile, Models
from .output import emit
from .profiles import LayerInfo, OnnxModels, is_profile, left_out, read_profiles
from .request import PIPELINE, TRAINING, Request, with_request

if TYPE_CHECKING:
    from graphcost.fit import Fittable
    from graphcost.measurements import Measurement

Data = Annotated[
    list[Path], typer.Argument(metavar="DATA", help="Measurements: the common CSV form, profiles of trtexec (.json).")
]
Written = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="The device file to write.")]
Shipped = Annotated[
    Path | None,
    typer.Option("--shipped", metavar="DIR", help="Fit all devices together; a file for each device and architecture."),
]
Most = Annotated[
    int, typer.Option("--most-per-family", metavar="N", help="Rows of a family that are used: evenly spaced ones.")
]


@with_request(*PIPELINE, *TRAINING, "dim", "no_tf32", "cost_model", "plugin")
def fit(
    request: Request,
    data: Data,
    output: Written = None,
    shipped: Shipped = None,
    cost_model: Annotated[str, typer.Option("--cost-model", metavar="NAME", help="The model to fit.")] = "steps",
    models: Models = None,
    generator: GeneratorFile = None,
    model: OnnxModels = None,
    layer_info: LayerInfo = None,
    most_per_family: Most = 250,
) -> None:
    """Fit a cost model to measurements. Its parameters go into a device file, with where they come from.

    The device, precision, runtime, batch and shapes are those of profiles; a table says them in each row.
    """
    from graphcost.device import load_device
    from graphcost.errors import UsageError
    from graphcost.fit.groups import board_of
    from graphcost.fit.result import FEWEST_ROWS, fit_rows
    from graphcost.fit.summary import summary
    from graphcost.fit.thinning import thinned
    from graphcost.fit.write import write_device, write_shipped

    if (output is None or request.device is None) == (shipped is None):
        raise UsageError("give --device and --output for one device, or --shipped for all that the rows name")
    profiles = read_profiles(request, [file for file in data if is_profile(file)], model or [], layer_info or [])
    rows = _rows([file for file in data if not is_profile(file)], models, generator)
    rows = thinned([*rows, *(row for profile in profiles for row in profile.rows)], most_per_family)
    base = None if request.device is None else load_device(request.device)
    if base is not None:
        rows = [row for row in rows if board_of(row) == base.id]
    result = fit_rows(rows, _fittable(cost_model), base)
    if not result.fits:
        whose = "" if base is None else f" for {base.id}"
        raise UsageError(f"{len(rows)} rows{whose} in the data; a fit needs {FEWEST_ROWS} of one numeric type")
    if base is not None and output is not None:
        write_device(result, base, output)
    if shipped is not None:
        write_shipped(result, shipped)
    emit("\n".join([summary(result), *left_out(profiles), ""]), None)


def _rows(tables: Sequence[Path], models: Path | None, generator: Path | None) -> list[Measurement]:
    from graphcost.measurements import load_generator, read_measurements

    make = None if generator is None else load_generator(generator)
    return [row for file in tables for row in read_measurements(file, models, make)]


def _fittable(name: str) -> Fittable:
    from graphcost.errors import UsageError
    from graphcost.fit import Fittable
    from graphcost.plugin import load_registry

    found = load_registry().cost_model(name)
    if not isinstance(found, Fittable):
        raise UsageError(f"cost model {name!r} has no parameters to fit")
    return found
