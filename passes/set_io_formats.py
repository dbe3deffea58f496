"""Types and formats of the network's inputs and outputs, where the caller brings and takes them otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import CHANNEL_LANES, TensorType

from .formats.ports import is_activation, stored

_DTYPES = {"fp32": "f32", "fp16": "f16", "bf16": "bf16", "int8": "i8"}
_FORMATS = {"chw": "linear", **{name: name for name in CHANNEL_LANES if name != "linear"}}


@dataclass(frozen=True)
class SetIoFormats(Pass):
    """Give inputs and outputs of the network other types and formats than FP32 in CHW: trtexec's `--inputIOFormats`
    and `--outputIOFormats`. One spec (`fp16:chw`) for all, or one for each in order. Only tensors of real numbers
    change; what kernels want otherwise is brought to them by reformats.

    Evidence: `trtexec --help`, "type:format for all inputs following the same order as network inputs ID, or once for
    broadcasting"; engines with FP16 inputs begin with `Reformatting CopyNode … [LIN:FP16] -> [HWC4:FP16]`.
    """

    name: ClassVar[str] = "set-io-formats"
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for spec in (*self.inputs, *self.outputs):
            _parse(spec)

    def run(self, graph: Graph, ctx: Context) -> Change:
        count = sum(
            _set(value, spec)
            for values, specs, what in ((graph.inputs, self.inputs, "inputs"), (graph.outputs, self.outputs, "outputs"))
            for value, spec in _paired(values, specs, what, ctx)
        )
        return Change(count) if count else UNCHANGED


def _parse(spec: str) -> tuple[str, str]:
    """`fp16:hwc8` as element type and format; of several formats (`fp16:chw+hwc8`) the first."""
    dtype, _, layout = spec.strip().lower().partition(":")
    layout = layout.partition("+")[0] or "chw"
    if dtype not in _DTYPES or layout not in _FORMATS:
        raise ValueError(f"'{spec}' is not type:format; types: {', '.join(_DTYPES)}; formats: {', '.join(_FORMATS)}")
    return _DTYPES[dtype], _FORMATS[layout]


def _paired(values: Sequence[Value], specs: Sequence[str], what: str, ctx: Context) -> list[tuple[Value, str]]:
    if len(specs) == 1:
        return [(value, specs[0]) for value in values]
    if specs and len(specs) != len(values):
        ctx.journal.warn(f"{len(specs)} types and formats are given for {len(values)} {what}: the first ones are used")
    return list(zip(values, specs))


def _set(value: Value, spec: str) -> bool:
    kind = value.type
    if not is_activation(value) or not isinstance(kind, TensorType):
        return False
    value.type = stored(kind, *_parse(spec))
    return value.type != kind
