"""`graphcost advise`: what would make a model cheaper."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Output, Quiet, Top
from .output import choose_format, emit, screen_for
from .request import Request, with_request


@with_request()
def advise(
    request: Request,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file; its weights are not read.")],
    format: Annotated[str | None, typer.Option(metavar="NAME", help="table, json or markdown.")] = None,
    top: Top = None,
    output: Output = None,
    quiet: Quiet = False,
) -> None:
    """Tell what would make a model cheaper, and by how much. Channels, precision, batch; kernels beside their roofs."""
    from graphcost.advice import advise as find
    from graphcost.render import one_of
    from graphcost.render.advice import ADVICE_FORMATS, render_advice

    from .progress import watched

    chosen = one_of("format", choose_format(format, output, ADVICE_FORMATS), ADVICE_FORMATS)
    options = {name: value for name, value in request.given().items() if name != "device"}
    with watched(quiet):
        advice = find(model, request.device, **options)
    emit(render_advice(advice, chosen, top, screen_for(output)), output)
