"""`graphcost compare`: a prediction beside a real engine (two models or reports: `graphcost diff`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Output, Quiet, Top, Verbose
from .output import choose_format, emit, screen_for
from .request import Request, one_model, with_request

if TYPE_CHECKING:
    from graphcost.gate import Verdict


_Model = Annotated[str | None, typer.Argument(metavar="MODEL", help="What the engine was built from.")]
_Onnx = Annotated[str | None, typer.Option("--onnx", metavar="MODEL", help="The same, in the manner of trtexec.")]
_LayerInfo = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What trtexec --exportLayerInfo=FILE wrote, of any version.")
]
_Profile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What trtexec --exportProfile=FILE wrote: times of layers.")
]
_Format = Annotated[str | None, typer.Option(metavar="NAME", help="table, json or markdown.")]
_Sort = Annotated[
    str | None, typer.Option(metavar="KEY", help="difference, ratio, measured, predicted or order.")
]
_MinSame = Annotated[
    str | None, typer.Option(metavar="SHARE", help="Exit with 1 if fewer of the engine's layers are the same: 95%.")
]
_MaxError = Annotated[
    str | None, typer.Option(metavar="SHARE", help="Exit with 1 if the total is further off than this: 10%.")
]


@with_request()
def compare(
    request: Request,
    model: _Model = None,
    onnx: _Onnx = None,
    layer_info: _LayerInfo = None,
    profile: _Profile = None,
    format: _Format = None,
    output: Output = None,
    top: Top = None,
    sort: _Sort = None,
    min_same: _MinSame = None,
    max_error: _MaxError = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Hold the prediction against a real engine, layer by layer. Takes what trtexec exported of it on the board."""
    from graphcost.engine import compare_engine
    from graphcost.engine.limits import judge
    from graphcost.gate import exit_code, parse_share
    from graphcost.render import COMPARISON_FORMATS, SORTINGS, one_of, render_comparison

    from .progress import watched

    limits = [None if text is None else parse_share(text) for text in (min_same, max_error)]
    sorting = None if sort is None else one_of("sort key", sort, SORTINGS)
    chosen = one_of("format", choose_format(format, output, COMPARISON_FORMATS), COMPARISON_FORMATS)
    with watched(quiet) as progress:
        given = {"layer_info": layer_info, "profile": profile, **request.given()}
        found = compare_engine(one_model(model, onnx), instruments=[progress], **given)
    detail = -1 if quiet else verbose
    emit(render_comparison(found, chosen, sorting, top, detail, screen_for(output)), output)
    raise typer.Exit(exit_code(_told(judge(found, *limits), verbose)))


def _told(verdicts: list[Verdict], verbose: int) -> list[Verdict]:
    """The verdicts, after those that did not pass, or with `verbose` all, were told."""
    from graphcost.gate import Outcome

    from .failures import tell

    for verdict in verdicts:
        if verbose or verdict.outcome is not Outcome.PASSED:
            tell(verdict.sentence)
    return verdicts
