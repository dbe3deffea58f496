"""Measurements → groups: the rows of one board in one precision, with what may be added to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from graphcost.cost import KernelQuery
from graphcost.device import DeviceProfile, load_device
from graphcost.errors import UserError
from graphcost.intervals import family_weights
from graphcost.measurements import Measurement, families_or_parts, queries_of_measurement
from graphcost.measurements.host import NOISE, Host, host_of

from .fittable import Fittable, Floats, Prepared

_NUMERIC_TYPES = {"fp32": "f32", "tf32": "tf32", "fp16": "f16", "int8": "i8", "best": "i8"}

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Group:
    """Rows of one board in one precision. `host` is for each row the place of what its host adds, or -1."""

    device: DeviceProfile
    precision: str
    rows: tuple[Measurement, ...]
    prepared: Prepared
    measured_ms: Floats
    weight: Floats
    host: NDArray[np.int64]
    fold: tuple[str, ...]
    """What of each row is left out together: its family, or a part of it."""

    @property
    def architecture(self) -> str:
        return self.device.sm

    def in_folds(self, names: Sequence[str]) -> Mask:
        return np.array([fold in names for fold in self.fold], bool)


@dataclass(frozen=True)
class Grouped:
    """All groups; the hosts that timed them: (source, device, measure); rows that could not be analysed."""

    groups: tuple[Group, ...]
    hosts: tuple[Host, ...]
    failed: tuple[tuple[Measurement, str], ...]


def board_of(row: Measurement) -> str:
    """The id of the device that was measured."""
    return _board(row.device_spec)


@cache
def _board(device_spec: str) -> str:
    return load_device(device_spec).id


def numeric_type(row: Measurement) -> str:
    """What most of its kernels compute in: TensorRT lets TF32 stand in for FP32 where the hardware has it."""
    asked = _NUMERIC_TYPES[row.precision]
    return "tf32" if asked == "f32" and load_device(row.device_spec).supports("tf32") else asked


def group_rows(
    rows: Sequence[Measurement],
    model: Fittable,
    base: DeviceProfile | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Grouped:
    """The rows by board and precision, prepared. With `base` all rows are of that device."""
    analysed: dict[tuple[str, str], list[tuple[Measurement, list[KernelQuery]]]] = {}
    failed: list[tuple[Measurement, str]] = []
    for done, row in enumerate(rows):
        try:
            queries = queries_of_measurement(row)
        except UserError as error:
            failed.append((row, str(error)))
            continue
        analysed.setdefault((row.device_spec, numeric_type(row)), []).append((row, queries))
        progress(done + 1)
    known = {host_of(row) for members in analysed.values() for row, _ in members}
    hosts = sorted(host for host in known if host is not None)
    groups = [_group(key, members, model, base, hosts) for key, members in sorted(analysed.items())]
    return Grouped(tuple(groups), tuple(hosts), tuple(failed))


def _group(
    key: tuple[str, str],
    members: Sequence[tuple[Measurement, list[KernelQuery]]],
    model: Fittable,
    base: DeviceProfile | None,
    hosts: Sequence[Host],
) -> Group:
    device = base or load_device(key[0])
    rows = tuple(row for row, _ in members)
    counted = family_weights([row.kin for row in rows])
    fold = families_or_parts(rows)
    places = [hosts.index(found) if (found := host_of(row)) else -1 for row in rows]
    return Group(
        device,
        key[1],
        rows,
        model.prepare([queries for _, queries in members], device),
        np.array([row.latency_ms for row in rows]),
        np.array([_weight(row, count) for row, count in zip(rows, counted)]),
        np.array(places, np.int64),
        tuple(fold),
    )


def _weight(row: Measurement, count: float) -> float:
    """Of a residual: rows of large families and of clocks outside the GPU weigh less."""
    noise = 1.0 if host_of(row) is None else NOISE
    return float(np.sqrt(count)) / noise
