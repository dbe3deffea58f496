"""What a model is costed for, as the user typed it. A command that takes these options gets one `Request`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from graphcost.errors import UsageError

from . import options

if TYPE_CHECKING:
    from graphcost.api import Run
    from graphcost.pipeline import Instrument
    from graphcost.training import TrainingOptions


SIZES = ("batch", "shapes", "dim")
PIPELINE = ("insert", "reorder", "pipeline", "layer_precisions", "input_formats", "output_formats")
TRAINING = ("training", "optimizer", "loss", "amp", "checkpoint", "freeze", "accumulate", "written_out")
"""Options by what they are about, for commands that go without them."""


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
    training: TrainingOptions | None = None

    def run(self, model: str, instruments: Sequence[Instrument] = ()) -> Run:
        """Analyse a model."""
        from graphcost.api import run

        return run(model, instruments=instruments, **self.given())

    def given(self) -> dict[str, Any]:
        """What differs from the defaults, by the names that the API uses."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


def _request(
    device: options.Device = None,
    runtime: options.RuntimeName = None,
    precision: options.PrecisionName = None,
    fp16: options.Fp16 = False,
    int8: options.Int8 = False,
    best: options.Best = False,
    strongly_typed: options.StronglyTyped = False,
    layer_precisions: options.LayerPrecisions = None,
    input_formats: options.InputFormats = None,
    output_formats: options.OutputFormats = None,
    no_tf32: options.NoTf32 = False,
    batch: options.Batch = None,
    shapes: options.Shapes = None,
    dim: options.Dims = None,
    insert: options.Insertions = None,
    reorder: options.Reorder = False,
    pipeline: options.PipelineText = None,
    cost_model: options.CostModels = None,
    plugin: options.PluginFiles = None,
    training: options.Training = False,
    optimizer: options.Optimizer = None,
    loss: options.Loss = None,
    amp: options.Amp = None,
    checkpoint: options.Checkpoint = None,
    freeze: options.Freeze = None,
    accumulate: options.Accumulate = None,
    written_out: options.WrittenOut = False,
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
        insert=(
            *(insert or ()),
            *_pins(layer_precisions or ()),
            *_io_formats(input_formats, output_formats),
            *(["reorder@end"] if reorder else []),
        ),
        pipeline=pipeline,
        cost_models=tuple(cost_model or ()),
        plugins=tuple(plugin or ()),
        training=training_options(
            training,
            optimizer=optimizer,
            loss=loss,
            amp=amp,
            checkpoint=tuple(checkpoint or ()),
            freeze=tuple(freeze or ()),
            accumulate=accumulate,
            written_out=written_out,
        ),
    )


def _pins(specs: Sequence[str]) -> list[str]:
    """The pass that fixes the precision of layers, where it is decided."""
    return [f"pin-precision{{layers=[{','.join(specs)}]}}@before:assign-precision"] if specs else []


def _io_formats(inputs: str | None, outputs: str | None) -> list[str]:
    """The pass that gives inputs and outputs other formats, before kernels get theirs."""
    given = [f"{name}=[{text}]" for name, text in (("inputs", inputs), ("outputs", outputs)) if text]
    return [f"set-io-formats{{{','.join(given)}}}@before:formats"] if given else []


def training_options(wanted: bool, **given: Any) -> TrainingOptions | None:
    """The options of a training step, of those given that are not empty; UsageError where --training is missing."""
    chosen = {name: value for name, value in given.items() if value not in (None, (), False)}
    if wanted:
        from graphcost.training import TrainingOptions

        return TrainingOptions(**chosen)
    if chosen:
        option = next(iter(chosen)).replace("_", "-")
        raise UsageError(f"--{option} is an option of a training step: give --training too")
    return None


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
