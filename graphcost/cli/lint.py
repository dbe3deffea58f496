"""`graphcost lint`: what in a model costs time or will not build."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Output, Quiet, Verbose
from .output import choose_format, emit, screen_for
from .request import PIPELINE, Request, with_request


@with_request(*PIPELINE, "cost_model")
def lint(
    request: Request,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file; its weights are not read.")],
    format: Annotated[str | None, typer.Option(metavar="NAME", help="table, json or markdown.")] = None,
    output: Output = None,
    fail_on: Annotated[
        str | None, typer.Option(metavar="SEVERITY", help="Exit with 1 on a finding as grave: note, warning or error.")
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(metavar="RULE", help="Leave out a rule, by its name.")] = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Find what costs time or will not build. The hazard, where, what to do, and why."""
    from graphcost.lint import SEVERITIES, at_least
    from graphcost.lint import lint as find
    from graphcost.render import one_of
    from graphcost.render.findings import LINT_FORMATS, render_findings

    chosen = one_of("format", choose_format(format, output, LINT_FORMATS), LINT_FORMATS)
    limit = None if fail_on is None else one_of("severity", fail_on, SEVERITIES)
    result = find(model, ignore=ignore or (), **request.given())
    detail = -1 if quiet else verbose
    emit(render_findings(result, chosen, detail=detail, screen=screen_for(output)), output)
    broken = limit is not None and any(at_least(finding, limit) for finding in result.findings)
    raise typer.Exit(1 if broken else 0)
