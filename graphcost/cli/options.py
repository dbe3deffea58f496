"""Options that several commands share: what to cost a model for. A command that takes them gets one `Request`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphcost.errors import UsageError

if TYPE_CHECKING:
    from graphcost.api import Run
    from graphcost.pipeline import Instrument


@dataclass(frozen=True)
class Request:
    """What the user wants to know: target, input sizes, and changes to the pipeline."""

    device: str | None = None
    runtime: str | None = None
    precision: str | None = None
    no_tf32: bool = False
    batch: int | None = None
    shapes: tuple[str, ...] = ()
    dims: tuple[str, ...] = ()
    insert: tuple[str, ...] = ()
    pipeline: str | None = None
    cost_models: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()

    def run(self, model: str, instruments: Sequence[Instrument] = ()) -> Run:
        """Analyse a model."""
        from graphcost.api import run

        return run(model, instruments=instruments, **self.given())

    def given(self) -> dict[str, Any]:
        """What differs from the defaults, by the names that the API uses."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


def _complete_device(typed: str) -> list[str]:
    from graphcost.device import list_devices

    return [entry.id for entry in list_devices() if entry.id.startswith(typed)]


def _complete_runtime(typed: str) -> list[str]:
    from graphcost.runtime import list_runtimes

    return [name for name in list_runtimes() if name.startswith(typed)]


def _complete_precision(typed: str) -> list[str]:
    from graphcost.runtime import PRECISIONS

    return [name for name in PRECISIONS if name.startswith(typed)]


def _request(
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            "-d",
            metavar="NAME[@MODE]",
            autocompletion=_complete_device,
            help="What to run on: nano, orin-nano@15W, or a TOML file (see: graphcost devices).",
        ),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=_complete_runtime,
            help="tensorrt-8.2, tensorrt-10, onnx; by default the one that the device ships with.",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", autocompletion=_complete_precision, help="fp32, tf32, fp16, int8, best or as-exported."
        ),
    ] = None,
    fp16: Annotated[bool, typer.Option("--fp16", help="As --precision fp16.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="As --precision int8; with --fp16, best.")] = False,
    best: Annotated[bool, typer.Option("--best", help="As --precision best.")] = False,
    strongly_typed: Annotated[bool, typer.Option("--stronglyTyped", help="As --precision as-exported.")] = False,
    no_tf32: Annotated[bool, typer.Option("--noTF32", help="Do not let TF32 stand in for FP32.")] = False,
    batch: Annotated[int | None, typer.Option(metavar="N", help="Batch size.")] = None,
    shapes: Annotated[
        list[str] | None,
        typer.Option(
            "--shapes",
            "--input-shapes",
            "--optShapes",
            metavar="SHAPES",
            help="Input shapes: x:1x3x224x224,y:1x5 or x:[1,3,224,224].",
        ),
    ] = None,
    dim: Annotated[list[str] | None, typer.Option(metavar="NAME=N", help="Value of a symbolic dimension.")] = None,
    insert: Annotated[
        list[str] | None,
        typer.Option(metavar="PASS@PLACE", help="One more pass: my-pass{n=3}@after:fusion, @before:NAME, @end."),
    ] = None,
    pipeline: Annotated[
        str | None, typer.Option(metavar="PASSES", help="Passes in place of the runtime's own: 'fold-shapes,dce'.")
    ] = None,
    cost_model: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Cost model in place of the runtime's own.")
    ] = None,
    plugin: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Python file with more passes, cost models, operators.")
    ] = None,
) -> Request:
    """A request from its options. UsageError where they contradict each other."""
    return Request(
        device=device,
        runtime=runtime,
        precision=_one_precision(precision, fp16, int8, best, strongly_typed),
        no_tf32=no_tf32,
        batch=batch,
        shapes=tuple(shapes or ()),
        dims=tuple(dim or ()),
        insert=tuple(insert or ()),
        pipeline=pipeline,
        cost_models=tuple(cost_model or ()),
        plugins=tuple(plugin or ()),
    )


def with_request(*without: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator: the command's parameter `request` becomes the options of a request, but for those named."""
    options = inspect.signature(_request, eval_str=True).parameters
    taken = [option for name, option in options.items() if name not in without]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters.values()
        kept = [parameter for parameter in own if parameter.name != "request"]

        @functools.wraps(command)
        def run(**values: object) -> None:
            request = _request(**{option.name: values.pop(option.name) for option in taken})  # type: ignore[arg-type]
            command(request=request, **values)

        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*kept, *taken)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def one_model(model: str | None, onnx: str | None) -> str:
    """The model, given as an argument or in the manner of trtexec."""
    if (model is None) == (onnx is None):
        raise UsageError("give one model: graphcost analyze MODEL, or --onnx=MODEL")
    return model or onnx or ""


def _one_precision(named: str | None, fp16: bool, int8: bool, best: bool, strongly_typed: bool) -> str | None:
    """The precision that the options mean together: as in trtexec, --fp16 and --int8 both allow their type."""
    flags = {"--fp16": fp16, "--int8": int8, "--best": best, "--stronglyTyped": strongly_typed}
    given = [flag for flag, is_given in flags.items() if is_given]
    if strongly_typed and len(given) > 1:
        raise UsageError(f"--stronglyTyped takes types as they were exported and excludes {given[0]}")
    spelled = _spelled(given)
    if named and spelled and named.lower() != spelled:
        raise UsageError(f"--precision {named} and {' '.join(given)} ask for different precisions: give one of them")
    return named or spelled


def _spelled(given: Sequence[str]) -> str | None:
    if not given:
        return None
    if len(given) > 1:
        return "best"
    return {"--fp16": "fp16", "--int8": "int8", "--best": "best", "--stronglyTyped": "as-exported"}[given[0]]


Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file, whole or not at all.")
]
FailIf = Annotated[
    list[str] | None,
    typer.Option("--fail-if", metavar="THRESHOLD", help="Exit with 1 if it holds: 'latency>30ms', 'peak_memory>1GiB'."),
]
MinCoverage = Annotated[
    str | None,
    typer.Option(metavar="SHARE", help="Exit with 4 if less of the nodes, or of the bytes, has a known formula: 95%."),
]
Top = Annotated[int | None, typer.Option(min=0, metavar="N", help="Rows to show, the biggest first; 0 for all.")]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, show_default=False, help="Every row, every note; the traceback of a crash."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only the summary; no progress, no notes.")]
Node = Annotated[str, typer.Option("--node", metavar="NAME", help="Name of an ONNX node.")]
