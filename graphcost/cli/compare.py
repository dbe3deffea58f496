"""`graphcost compare`: a prediction beside a real engine (two models or reports: `graphcost diff`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Output, Quiet, Top, Verbose
from .output import choose_format, emit, screen_for
from .request import Request, one_model, with_request


@with_request()
def compare(
    request: Request,
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="What the engine was built from.")] = None,
    onnx: Annotated[str | None, typer.Option("--onnx", metavar="MODEL", help="The same, as in trtexec.")] = None,
    layer_info: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What trtexec --exportLayerInfo=FILE wrote, of any version.")
    ] = None,
    profile: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What trtexec --exportProfile=FILE wrote: times of layers.")
    ] = None,
    format: Annotated[str | None, typer.Option(metavar="NAME", help="table, json or markdown.")] = None,
    output: Output = None,
    top: Top = None,
    sort: Annotated[
        str | None, typer.Option(metavar="KEY", help="difference, ratio, measured, predicted or order.")
    ] = None,
    min_same: Annotated[
        str | None, typer.Option(metavar="SHARE", help="Exit with 1 if fewer of the engine's layers are the same: 95%.")
    ] = None,
    max_error: Annotated[
        str | None, typer.Option(metavar="SHARE", help="Exit with 1 if the total is further off than this: 10%.")
    ] = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Hold the prediction against a real engine, layer by layer: what trtexec exported of it on the board."""
    from graphcost.engine import compare_engine
    from graphcost.engine.limits import judge
    from graphcost.gate import Outcome, exit_code, parse_share
    from graphcost.render import COMPARISON_FORMATS, SORTINGS, one_of, render_comparison

    from .failures import tell
    from .progress import watched

    limits = [None if text is None else parse_share(text) for text in (min_same, max_error)]
    sorting = None if sort is None else one_of("sort key", sort, SORTINGS)
    chosen = one_of("format", choose_format(format, output, COMPARISON_FORMATS), COMPARISON_FORMATS)
    with watched(quiet) as progress:
        given = {"layer_info": layer_info, "profile": profile, **request.given()}
        found = compare_engine(one_model(model, onnx), instruments=[progress], **given)
    detail = -1 if quiet else verbose
    emit(render_comparison(found, chosen, sorting, top, detail, screen_for(output)), output)
    verdicts = judge(found, *limits)
    for verdict in verdicts:
        if verbose or verdict.outcome is not Outcome.PASSED:
            tell(verdict.sentence)
    raise typer.Exit(exit_code(verdicts))
