"""A model as predicted beside a real engine of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .align import align
from .comparison import Comparison
from .read import load_engine

if TYPE_CHECKING:
    from graphcost.api import Source
    from graphcost.device import DeviceProfile
    from graphcost.pipeline import Instrument


def compare_engine(
    model: Source,
    device: str | DeviceProfile | None = None,
    *,
    layer_info: Path | None = None,
    profile: Path | None = None,
    instruments: Sequence[Instrument] = (),
    **options: Any,
) -> Comparison:
    """A model as predicted beside a real engine of it. `options` are those of `graphcost.run`.

    Raises UsageError without a file of the engine or with a runtime that is no TensorRT, ModelError where the model or
    a file cannot be read.
    """
    from graphcost.api import run
    from graphcost.instruments import OnnxNodes

    from .checks import warnings
    from .regions import share_out
    from .resolve import Resolver

    engine, before = load_engine(layer_info, profile), OnnxNodes()
    _refuse_other_runtimes(device, **options)
    found = run(model, device, instruments=[before, *instruments], **options)
    resolver = Resolver(before.nodes)
    alignment = align(found.report.kernels, engine.layers, resolver)
    nodes = {node.name: node for node in found.graph}
    members = share_out(alignment.matches, nodes, found.setup.estimate, found.setup.registry.operators)
    told = (*engine.warnings, *warnings(engine, found.report, alignment))
    return Comparison(found.report, engine, alignment.matches, alignment.apart, members, told)


def _refuse_other_runtimes(device: str | DeviceProfile | None, runtime: str | None = None, **others: Any) -> None:
    from graphcost.errors import UsageError
    from graphcost.target import make_target

    chosen = make_target(device, runtime).runtime
    if chosen.family != "tensorrt":
        raise UsageError(f"an engine is TensorRT's, and {chosen.name} is not: give the --device that it was built on")
