"""Which kernels could run a contraction, at what rate: the catalogue of an architecture as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphcost.cost import KernelQuery
from graphcost.device import DeviceProfile

from ..tiles import Catalogue, catalogue_of, countable, shares_of_peak

Mask = NDArray[np.bool_]

NumericKind = Literal["f32", "tf32", "f16", "i8"]

_COMPUTES_IN: Mapping[str, NumericKind] = {
    "f16": "f16", "bf16": "f16", "i8": "i8", "u8": "i8", "f8e4m3fn": "i8", "f8e5m2": "i8", "tf32": "tf32",
}  # fmt: skip
"""The rate at which each type is computed; FP8 at that of INT8; what is not listed runs on the FP32 cores."""

SERVED = ("conv", "group-conv", "deconv", "gemm")

_LEAST_M, _LEAST_N = 32, 16
"""Smaller tiles are those of matrix times vector, which has an equation of its own (latency.py)."""


def computes_in(precision: str) -> NumericKind:
    return _COMPUTES_IN.get(precision, "f32")


def is_counted(query: KernelQuery) -> bool:
    """Whether all multiply-adds are those of products that tiles can be counted of: not so in a Loop."""
    covered = sum(part.macs for part in query.contractions)
    return query.work_known and covered >= query.work.macs and all(map(countable, query.contractions))


@dataclass(frozen=True)
class Candidates:
    """Kernels as arrays; `serves` is (kinds of SERVED, kernels)."""

    catalogue: Catalogue
    serves: Mask
    macs_per_s_per_sm: NDArray[np.float64]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(kernel.name for kernel in self.catalogue.kernels)


def candidates_of(device: DeviceProfile, precision: NumericKind) -> Candidates | None:
    """The kernels of a device for one numeric type; None where it has none, or their rate is not known."""
    tensor = device.peak_flops_per_s(precision, "tensor") or 0.0
    cuda = device.peak_flops_per_s("f32" if precision == "tf32" else precision, "cuda") or 0.0
    catalogue = _contracting(device.sm, precision)
    rates = np.array([tensor if kernel.unit == "tensor" else cuda for kernel in catalogue.kernels])
    if not rates.any():
        return None
    rates = rates * shares_of_peak(catalogue, device.fp32_flops_per_clock_per_sm or 0.0)
    return Candidates(catalogue, _serves(catalogue), rates / (2.0 * device.sm_count))


@lru_cache(maxsize=64)
def _contracting(architecture: str, precision: str) -> Catalogue:
    """Each kernel once, whichever kinds it serves."""
    found = {
        kernel.name: kernel
        for kind in SERVED
        for kernel in catalogue_of(architecture, precision, kind).kernels
        if kernel.tile_m >= _LEAST_M and kernel.tile_n >= _LEAST_N and kernel.max_channels > _FIRST_LAYER
    }
    return Catalogue.of(list(found.values()))


_FIRST_LAYER = 8
"""Kernels for the few channels of a picture are priced as the others: no engine says what they gain."""


def _serves(catalogue: Catalogue) -> Mask:
    return np.array([[kind in kernel.serves for kernel in catalogue.kernels] for kind in SERVED], bool)
