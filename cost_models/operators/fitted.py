"""What was fitted to the single operators of an architecture: parameters, residual, errors; all of it data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from graphcost.device import DeviceProfile
from graphcost.toml_files import files_of, read_toml

from ..tiles import Catalogue, catalogue_of
from . import FOLDER
from .physics import Parameters
from .trees import Trees

_TILED = ("implicit_gemm", "winograd")


@dataclass(frozen=True)
class Fit:
    """One precision of one architecture."""

    devices: tuple[str, ...]  # those that were measured, by id
    precision: str
    unit: str
    parameters: Parameters
    catalogue: Catalogue
    residual: Trees
    ranges: tuple[tuple[float, float], ...]  # of the features, in their order
    interval: tuple[float, float]  # measured / predicted of left-out blocks: 5 % and 95 %
    overhead_us: float  # in every row, of the program that measured: no part of a kernel inside a network


def fit_of(device: DeviceProfile, precision: str) -> Fit | None:
    """What was fitted for a device's architecture and a precision, if anything was."""
    return _read(device.sm, precision)


def convolution_kernels(architecture: str, precision: str) -> Catalogue:
    """The kernels that compute dense convolutions by tiles."""
    found = catalogue_of(architecture, precision, "conv").kernels
    return Catalogue.of([kernel for kernel in found if kernel.family in _TILED])


@cache
def _read(architecture: str, precision: str) -> Fit | None:
    path = files_of(FOLDER).get(architecture)
    table: Mapping[str, Any] = read_toml(path) if path else {}
    if precision not in table:
        return None
    part = table[precision]
    return Fit(
        devices=tuple(table["devices"]),
        precision=precision,
        unit=part["unit"],
        parameters=Parameters(**{f.name: part["parameters"][f.name] for f in fields(Parameters)}),
        catalogue=convolution_kernels(architecture, precision),
        residual=Trees.load(FOLDER / part["residual"]),
        ranges=tuple((low, high) for low, high in part["ranges"].values()),
        interval=(part["interval"][0], part["interval"][1]),
        overhead_us=part["overhead_us"],
    )
