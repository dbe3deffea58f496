"""Signs that an engine was built otherwise than the model was asked to be predicted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from graphcost.report import Report

from .align import Alignment
from .layer import Engine, EngineLayer

_TYPES = (("i8", re.compile(r"int8", re.I)), ("f16", re.compile(r"fp16|half", re.I)))


def warnings(engine: Engine, report: Report, alignment: Alignment) -> Iterator[str]:
    """Sentences about the network, the batch and the precision, as far as the files tell them."""
    if not any(match.predicted and match.measured for match in alignment.matches):
        yield "no layer of the engine names a node of this model: is it the model that the engine was built from?"
        return
    yield from _batch(engine, report)
    yield from _precision([layer for match in alignment.matches for layer in match.measured], report)
    yield from _times(engine)


def _batch(engine: Engine, report: Report) -> Iterator[str]:
    """The batch of the engine is the first dimension of most of its activations."""
    sizes = [t.dims[0] for layer in engine.layers for t in layer.outputs if len(t.dims) > 2]
    built, asked = max(set(sizes), key=sizes.count, default=None), report.target.batch
    if built is not None and asked is not None and built != asked and sizes.count(built) > len(sizes) / 2:
        yield f"the engine was built for batch {built}, the prediction is for batch {asked}: --batch {built}"


def _precision(layers: Sequence[EngineLayer], report: Report) -> Iterator[str]:
    if not any(tensor.form for layer in layers for tensor in layer.outputs):
        return
    for dtype, pattern in _TYPES:
        written = sum(any(pattern.search(tensor.form) for tensor in layer.outputs) for layer in layers)
        computed = sum(kernel.precision == dtype for kernel in report.kernels)
        if bool(written) != bool(computed):
            sides = f"written by {written:,} layers of the engine, predicted for {computed:,} kernels"
            yield f"{_NAMES[dtype]} is {sides}: are the precisions the same?"


_NAMES = {"i8": "INT8", "f16": "FP16"}


def _times(engine: Engine) -> Iterator[str]:
    if not engine.has_times:
        yield "no times without a profile: --profile FILE takes what trtexec --exportProfile wrote"
