"""A measurement → the kernels that were timed: the model through the pipeline of the row's target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from graphcost.analyses import WORK
from graphcost.api import Setup, collector_paused, set_up
from graphcost.cost import KernelQuery
from graphcost.device import DeviceProfile
from graphcost.errors import UsageError, UserError
from graphcost.importer import load, parse_sizes
from graphcost.ir import Graph
from graphcost.kernels import queries_of
from graphcost.pipeline import Pipeline, Stage

from .measurement import Measurement

DECIDED_BY_SPEED = "selection"
"""The first stage whose decisions depend on how fast a device is, not only on its architecture."""


class RowError(UserError):
    """What was measured cannot be analysed; the exit code is that of an analysis."""

    def __init__(self, where: str, error: UserError) -> None:
        super().__init__(f"{where}: {error}")
        self.exit_code = error.exit_code


@dataclass(frozen=True)
class Timed:
    """The kernels of a network, in execution order: what cost models are asked, and the ONNX nodes inside of each."""

    queries: tuple[KernelQuery, ...]
    origins: tuple[frozenset[str], ...]
    setup: Setup

    @property
    def device(self) -> DeviceProfile:
        device = self.setup.target.device
        assert device is not None, "a measurement has a device"
        return device


_Key: TypeAlias = "tuple[object, ...]"
_networks: dict[_Key, Timed] = {}


def queries_of_measurement(measurement: Measurement, *, decided: bool = True) -> list[KernelQuery]:
    """The kernels that were timed, of a layer those that hold its nodes. Kept for the life of the process.

    With `decided` false the pipeline ends before kernels are selected: what comes out depends on the architecture of
    the device only, so that boards share it. RowError where the model cannot be analysed.
    """
    timed = timed_kernels(measurement, decided=decided)
    if measurement.scope == "network":
        return list(timed.queries)
    return [timed.queries[at] for at in _kernels_of_layer(measurement, timed)]


def timed_kernels(measurement: Measurement, *, decided: bool = True) -> Timed:
    """All kernels of the measured network, with their origins and the set-up that made them."""
    try:
        return _timed(measurement, decided)
    except UserError as error:
        raise RowError(measurement.where, error) from error


def _timed(measurement: Measurement, decided: bool) -> Timed:
    setup = _setup(measurement.device_spec, measurement.runtime or None, measurement.precision)
    device = setup.target.device
    assert device is not None, "a measurement has a device"
    scope = device.spec if decided else device.sm
    key = (_identity(measurement), measurement.shapes, measurement.batch, setup.target.runtime.name,
           measurement.precision, scope)  # fmt: skip
    if key not in _networks:
        _networks[key] = _analysed(measurement, setup, decided)
    found = _networks[key]
    return found if found.setup is setup else Timed(found.queries, found.origins, setup)


def _identity(measurement: Measurement) -> object:
    return measurement.model_file if measurement.generated is None else measurement.generated.key


@cache
def _setup(device: str, runtime: str | None, precision: str) -> Setup:
    return set_up(device, runtime=runtime, precision=precision)


@collector_paused()
def _analysed(measurement: Measurement, setup: Setup, decided: bool) -> Timed:
    """As `graphcost.api.run`, without the parts that only a report needs."""
    sizes = parse_sizes(_shapes(measurement), (), measurement.batch)
    imported = load(_source(measurement), setup.registry.operators, sizes)
    ctx, graph = setup.context(imported.graph, imported.facts), imported.graph
    Pipeline(_stages(setup, decided)).run(graph, ctx)
    queries = queries_of(graph, ctx.get(WORK), setup.registry.operators)
    return Timed(tuple(queries), tuple(_origins(graph)), setup)


def _shapes(measurement: Measurement) -> list[str]:
    return [measurement.shapes] if measurement.shapes else []


def _source(measurement: Measurement) -> Any:
    if measurement.generated is not None:
        return measurement.generated.make(measurement.generated.row)
    if measurement.model_file is None:
        raise UsageError("model: '-' is made by a generator, and none was given (--generator FILE)")
    return measurement.model_file


def _stages(setup: Setup, decided: bool) -> tuple[Stage, ...]:
    names = [stage.name for stage in setup.stages]
    end = None if decided or DECIDED_BY_SPEED not in names else names.index(DECIDED_BY_SPEED)
    return setup.stages[:end]


def _origins(graph: Graph) -> list[frozenset[str]]:
    return [frozenset(origin.name for origin in node.origin) for node in graph]


def _kernels_of_layer(measurement: Measurement, timed: Timed) -> Sequence[int]:
    """The places of the kernels made of the layer's nodes and of nothing else."""
    wanted = frozenset(measurement.layers)
    if unknown := sorted(wanted.difference(*timed.origins)):
        raise UsageError(f"{measurement.where}, layer: no kernel holds the node {unknown[0]!r} of {measurement.model}")
    found = [at for at, origin in enumerate(timed.origins) if origin & wanted]
    for at in found:
        if beyond := sorted(timed.origins[at] - wanted):
            raise UsageError(
                f"{measurement.where}, layer: its nodes share a kernel with {beyond[0]!r}, which it does not name"
            )
    return found
