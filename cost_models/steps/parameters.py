"""The parameters of the model: what each is, where it lies before anything is measured, and how sure of that we are.

All are positive and are fitted as logarithms. A device has a vector of them for each precision: the prior below, moved
by the fit of all boards (`prior.toml`), of its architecture, and of its own rows (graphcost/devices/fitted/).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from graphcost.device import DeviceProfile

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Parameter:
    """`prior` is its value before the fit; `spread` the standard deviation of its logarithm there."""

    name: str
    prior: float
    spread: float
    board: float = 0.0
    """By how many spreads boards of one architecture differ in it: memory, limits of power, the CPU that launches."""


_BOARD = 0.6

PARAMETERS: tuple[Parameter, ...] = (
    # Shares of the peak rate of the power mode that the inner loops reach. Above 1 the tile's own losses are elsewhere.
    Parameter("conv_utilisation", 0.9, 0.12, board=_BOARD),
    Parameter("gemm_utilisation", 1.0, 0.16, board=_BOARD),  # 1x1 convolutions are matrix products
    Parameter("winograd_utilisation", 0.7, 0.12),
    Parameter("depthwise_utilisation", 0.05, 0.4),
    Parameter("depthwise_results_utilisation", 0.05, 0.4),  # of one result, whatever its window
    Parameter("depthwise_3x3_gain", 1.5, 0.2),  # the window for which engines have kernels of their own
    # What a block does beside its multiply-adds, in the units of its loop.
    Parameter("prologue_depth", 128.0, 0.25),  # steps of K that start and end of a block are worth
    Parameter("winograd_prologue_depth", 32.0, 0.7),
    Parameter("edge_cost", 0.2, 0.28),  # loading operands of a 128 x 128 tile against multiplying them
    Parameter("gather_taps", 0.5, 0.28),  # gathering pixels for a window, in taps of the window
    Parameter("idle_rounds", 0.5, 0.28),  # rounds of blocks in which the SMs fill and drain
    # Products of so few rows that one row of tiles computes each: a tile's steps of K follow one another.
    Parameter("vector_utilisation", 0.8, 0.3),
    # A 3x3 pooling on GA106 moves its bytes at 0.9 of the peak (engine log), a 5x5 one does not.
    Parameter("pool_utilisation", 0.08, 0.2),
    # Shares of the memory's peak bandwidth.
    Parameter("contraction_bandwidth", 0.55, 0.16, board=_BOARD),
    Parameter("depthwise_bandwidth", 0.5, 0.16, board=_BOARD),
    Parameter("pointwise_bandwidth", 0.4, 0.2, board=_BOARD),
    Parameter("pool_bandwidth", 0.7, 0.12, board=_BOARD),
    Parameter("other_bandwidth", 0.5, 0.2, board=_BOARD),
    # Time per kernel at 1 GHz: cycles of the GPU, so that boards differ little.
    Parameter("contraction_launch_us", 8.0, 0.12, board=_BOARD),
    Parameter("other_launch_us", 5.0, 0.12, board=_BOARD),
)

NAMES = tuple(parameter.name for parameter in PARAMETERS)
INDEX: Mapping[str, int] = {name: at for at, name in enumerate(NAMES)}

_STANDS_IN = {
    "i8": ("i8", "f16", "f32"), "f16": ("f16", "f32"), "tf32": ("tf32", "f16", "f32"), "f32": ("f32", "tf32", "f16"),
}  # fmt: skip
"""Whose fitted parameters a precision takes, the nearest first: kernels for tensor cores before those for FP32. On
Ampere networks in FP32 have kernels of both and are fitted as one."""

_WAITS = {"prologue_depth": 1.0, "idle_rounds": 1.0, "gather_taps": 1.0, "edge_cost": 2.0}
"""What passes while a block waits, though it is counted in multiplications; and by how much it grows where elements
have 32 bits in the place of 16: only loading operands is a matter of bytes."""

_WAITS_FROM = (8, 0)
"""Single FP32 kernels beside tensor cores were timed on Ampere only."""

_PRIORS_OF = {"f32": {"prologue_depth": 64.0}}
"""Where a type has a prior of its own: at half the rate of FP16 a block waits no longer, which is half the steps."""


@cache
def parameters_in(precision: str) -> tuple[Parameter, ...]:
    """The parameters with their priors for a numeric type (f32, tf32, f16, i8)."""
    own = _PRIORS_OF.get(precision, {})
    return tuple(replace(parameter, prior=own.get(parameter.name, parameter.prior)) for parameter in PARAMETERS)


def prior(precision: str = "f16") -> Floats:
    """Logarithms of the priors, in the order of PARAMETERS."""
    return np.log([parameter.prior for parameter in parameters_in(precision)])


def parameters_of(device: DeviceProfile, precision: str) -> Floats:
    """Logarithms of the parameters of a device for a numeric type (f32, tf32, f16, i8)."""
    values = prior(precision)
    for name, value in _fitted(device, precision).items():
        if name in INDEX:
            values[INDEX[name]] = np.log(value)
    return values


def _fitted(device: DeviceProfile, precision: str) -> Mapping[str, float]:
    for candidate in _STANDS_IN.get(precision, ("f32",)):
        if candidate in device.fitted:
            return _brought(device.fitted[candidate], candidate, precision, device)
    return {}


def _brought(values: Mapping[str, float], source: str, target: str, device: DeviceProfile) -> Mapping[str, float]:
    """Parameters of FP16 for a type that is multiplied more slowly: waits take no longer for that, so that they count
    less in multiplications.

    Evidence: TF32 at a quarter of FP16's rate (trex_tf-resnet_RTX3090_fp32: 52 blocks of 128x128 on 82 SMs take 343 us,
    what one block multiplies and nothing beside) and at half of it (trex_tv-resnet18_A100_b32_fp32).
    """
    fast, slow = device.peak_flops_per_s(source), device.peak_flops_per_s(target)
    if source != "f16" or target == "i8" or device.compute_capability < _WAITS_FROM or not fast or not slow:
        return values
    waits = {name: values[name] * min(1.0, growth * slow / fast) for name, growth in _WAITS.items() if name in values}
    return {**values, **waits}
