"""`graphcost analyze`, `explain` and `opt`: one model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphcost.errors import UsageError

from .boards import print_boards, refuse_with_boards, several_devices
from .export import AnnotatedFile, LayerInfoFile, ProfileFile, nodes_for, write_annotated_model, write_engine_files
from .options import FailIf, MinCoverage, Node, Output, Quiet, Strict, Top, Verbose
from .output import choose_format, emit, screen_for
from .request import PIPELINE, TRAINING, Request, one_model, with_request
from .sweep import Sweeps, Symbolic, print_sweep, refuse_with_sweep
from .thresholds import read_thresholds

if TYPE_CHECKING:
    from graphcost.api import Run
    from graphcost.pipeline import Instrument

_Model = Annotated[str | None, typer.Argument(metavar="MODEL", help="An ONNX file; its weights are not read.")]
_Onnx = Annotated[str | None, typer.Option("--onnx", metavar="MODEL", help="The model, in the manner of trtexec.")]
_Format = Annotated[str | None, typer.Option(metavar="NAME", help="table, json, csv or markdown.")]
_Sort = Annotated[
    str | None, typer.Option(metavar="KEY", help="latency, flops, macs, bytes, memory, name or order.")
]
_DumpIr = Annotated[Path | None, typer.Option(metavar="DIR", help="Write the graph after each pass.")]
_PrintChanged = Annotated[bool, typer.Option("--print-changed", help="Print the graph where it changed.")]
_TimePasses = Annotated[bool, typer.Option("--time-passes", help="Print how long each pass took.")]
_ByKernel = Annotated[
    bool, typer.Option("--by-kernel", help="With several boards (--device nano,tx2): a line for each kernel.")
]
_UNDER_LABEL = 14  # where the continued lines of an explanation begin
_Fusion = Annotated[
    bool, typer.Option("--fusion", help="How many layers there are after each stage, as in TensorRT's build log.")
]


@with_request()
def analyze(
    request: Request,
    model: _Model = None,
    onnx: _Onnx = None,
    format: _Format = None,
    output: Output = None,
    top: Top = None,
    sort: _Sort = None,
    fail_if: FailIf = None,
    min_coverage: MinCoverage = None,
    strict: Strict = False,
    dump_ir: _DumpIr = None,
    print_changed: _PrintChanged = False,
    time_passes: _TimePasses = False,
    export_layer_info: LayerInfoFile = None,
    export_profile: ProfileFile = None,
    annotate: AnnotatedFile = None,
    sweep: Sweeps = None,
    symbolic: Symbolic = False,
    by_kernel: _ByKernel = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Tell what a model costs, kernel by kernel. Time, work and memory."""
    from graphcost.render import FORMATS, ORDERS, one_of, render

    of_one_run = {
        "--top": top, "--sort": sort, "--fail-if": fail_if, "--min-coverage": min_coverage, "--strict": strict,
        "--dump-ir": dump_ir, "--print-changed": print_changed, "--time-passes": time_passes, "--annotate": annotate,
        "--export-layer-info": export_layer_info, "--export-profile": export_profile,
    }  # fmt: skip
    chosen = one_of("format", choose_format(format, output, FORMATS), FORMATS)
    if sweep or symbolic:
        refuse_with_sweep(of_one_run)
        return print_sweep(request, one_model(model, onnx), sweep or (), symbolic, chosen, output, quiet)
    if devices := several_devices(request):
        refuse_with_boards({**of_one_run, "--top": None}, by_kernel, top)
        return print_boards(request, devices, one_model(model, onnx), by_kernel, top, chosen, output)
    judge = read_thresholds(fail_if, min_coverage, compares=False, verbose=verbose, strict=strict)
    order = None if sort is None else one_of("sort key", sort, ORDERS)
    file, nodes = one_model(model, onnx), nodes_for(annotate)
    instruments = [*nodes, *_instruments(request, dump_ir, print_changed)]
    run = _timed(request, file, instruments, time_passes, quiet)
    write_engine_files(run, export_layer_info, export_profile)
    write_annotated_model(run, nodes, file, annotate)
    detail = -1 if quiet else verbose
    emit(render(run.report, chosen, sort=order, top=top, detail=detail, screen=screen_for(output)), output)
    raise typer.Exit(judge(run.report, None))


@with_request()
def explain(
    request: Request,
    model: _Model = None,
    onnx: _Onnx = None,
    node: Node = None,
    fusion: _Fusion = False,
    output: Output = None,
) -> None:
    """Tell what became of an ONNX node. Which rules were tried, which kernel stands for it, what bounds it."""
    from graphcost.api import explain as explain_node
    from graphcost.engine.stages import LayerCounts, stage_lines
    from graphcost.render.columns import fold

    from .progress import watched

    if node is None and not fusion:
        raise UsageError("say what to explain: --node NAME, or --fusion")
    seen = LayerCounts()
    with watched(quiet=False) as progress:
        run = request.run(one_model(model, onnx), [progress, seen])
    lines = stage_lines(seen, run.stages, run.journal) if fusion else []
    lines += [] if node is None else explain_node(run, node)
    screen = screen_for(output)
    emit("".join(f"{part}\n" for line in lines for part in fold(line, screen, _UNDER_LABEL)), output)


@with_request(*PIPELINE, *TRAINING, "cost_model")
def opt(
    request: Request,
    file: Annotated[str, typer.Argument(metavar="FILE", help="An ONNX file, or a graph as text (.gcir).")],
    passes: Annotated[
        str, typer.Option("--passes", "-p", metavar="PASSES", help="What to run: 'fold-shapes,dce'.")
    ] = "",
    output: Output = None,
) -> None:
    """Run passes over a graph and print it as text."""
    from graphcost.api import opt as run_passes

    emit(run_passes(file, passes, **request.given()), output)


def _timed(request: Request, model: str, instruments: list[Instrument], time_passes: bool, quiet: bool) -> Run:
    """The analysis, with its passes timed on standard error if that was asked for."""
    if not time_passes:
        from .progress import watched

        with watched(quiet) as progress:
            return request.run(model, [progress, *instruments])
    from graphcost.instruments import Timing

    timing = Timing()
    run = request.run(model, [*instruments, timing])
    print("\n".join(timing.lines()), file=sys.stderr)
    return run


def _instruments(request: Request, dump_ir: Path | None, print_changed: bool) -> list[Instrument]:
    found: list[Instrument] = []
    if dump_ir is not None:
        from graphcost.instruments import DumpEach
        from graphcost.target import make_target

        target = make_target(request.device, request.runtime, request.precision, no_tf32=request.no_tf32)
        found.append(DumpEach(dump_ir, target.header()))
    if print_changed:
        from graphcost.instruments import PrintChanged

        found.append(PrintChanged(sys.stderr))
    return found
