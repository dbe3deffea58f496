"""Signs that an engine was built otherwise than the model was asked to be predicted."""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphcost.report import Report

from .align import Alignment
from .layer import Engine

_TYPES = (("i8", re.compile(r"int8", re.I)), ("f16", re.compile(r"fp16|half", re.I)))


def warnings(engine: Engine, report: Report, alignment: Alignment) -> Iterator[str]:
    """Sentences about the network, the batch and the precision, as far as the files tell them."""
    if not any(match.predicted and match.measured for match in alignment.matches):
        yield "no layer of the engine names a node of this model: is it the model that the engine was built from?"
        return
    yield from _batch(engine, report)
    yield from _precision(engine, report)
    yield from _times(engine)


def _batch(engine: Engine, report: Report) -> Iterator[str]:
    """The batch of the engine is the first dimension of most of its activations."""
    sizes = [t.dims[0] for layer in engine.layers for t in layer.outputs if len(t.dims) > 2]
    built, asked = max(set(sizes), key=sizes.count, default=None), report.target.batch
    if built is not None and asked is not None and built != asked and sizes.count(built) > len(sizes) / 2:
        yield f"the engine was built for batch {built}, the prediction is for batch {asked}: --batch {built}"


def _precision(engine: Engine, report: Report) -> Iterator[str]:
    for dtype, pattern in _TYPES:
        layers = sum(any(pattern.search(t.form) for t in layer.outputs) for layer in engine.layers)
        kernels = sum(kernel.precision == dtype for kernel in report.kernels)
        if layers and not kernels:
            yield f"{layers:,} layers of the engine write {_NAMES[dtype]}, and no predicted kernel computes in it"
        if kernels and not layers and any(t.form for layer in engine.layers for t in layer.outputs):
            yield f"{kernels:,} predicted kernels compute in {_NAMES[dtype]}, and no layer of the engine writes it"


_NAMES = {"i8": "INT8", "f16": "FP16"}


def _times(engine: Engine) -> Iterator[str]:
    if not engine.has_times:
        yield "no times without a profile: --profile FILE takes what trtexec --exportProfile wrote"
