"""`graphcost diff`: two models, or two saved reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphcost.errors import UsageError

from .options import FailIf, MinCoverage, Output, Quiet, Top, Verbose
from .output import choose_format, emit, screen_for
from .request import Request, with_request
from .thresholds import read_thresholds

if TYPE_CHECKING:
    from graphcost.report import Report


@with_request()
def diff(
    request: Request,
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="An ONNX file, or a report saved as JSON.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="Likewise.")],
    format: Annotated[str | None, typer.Option(metavar="NAME", help="table, json or markdown.")] = None,
    output: Output = None,
    top: Top = None,
    sort: Annotated[
        str | None, typer.Option(metavar="MEASURE", help="What to compare: latency, macs, flops or bytes.")
    ] = None,
    fail_if: FailIf = None,
    min_coverage: MinCoverage = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Compare two models or saved reports, kernel by kernel. 'latency>+5%' bounds the change."""
    from graphcost.diff import MEASURES, compare
    from graphcost.render import DIFF_FORMATS, one_of, render_diff

    judge = read_thresholds(fail_if, min_coverage, compares=True, verbose=verbose)
    measure = None if sort is None else one_of("measure", sort, MEASURES)
    chosen = one_of("format", choose_format(format, output, DIFF_FORMATS), DIFF_FORMATS)
    old, new = _reports(request, before, after, quiet)
    detail = -1 if quiet else verbose
    emit(render_diff(compare(old, new, measure), chosen, top, detail, screen_for(output)), output)
    raise typer.Exit(judge(new, old))


def _reports(request: Request, before: str, after: str, quiet: bool) -> tuple[Report, Report]:
    from graphcost.saved_report import is_saved_report

    saved = [is_saved_report(Path(path)) for path in (before, after)]
    if all(saved) and request.given():
        options = ", ".join(request.given())
        raise UsageError(f"two saved reports are what they are: {options} cannot be given for them")
    return _report(request, before, saved[0], quiet), _report(request, after, saved[1], quiet)


def _report(request: Request, path: str, is_saved: bool, quiet: bool) -> Report:
    if is_saved:
        from graphcost.saved_report import load_report

        return load_report(Path(path))
    from .progress import watched

    with watched(quiet) as progress:
        return request.run(path, [progress]).report
