"""What a cost model offers to be fitted: parameters with priors, and networks that can be priced with any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from graphcost.cost import KernelQuery
from graphcost.device import DeviceProfile

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FitParameter:
    """A positive number, fitted as its logarithm. `spread` is the standard deviation of that before the fit."""

    name: str
    prior: float
    spread: float
    board: float
    """By how many spreads boards of one architecture differ in it; 0 where they do not."""


class Prepared(Protocol):
    """Networks of one board."""

    @property
    def launches(self) -> Floats:
        """How many kernels each network launches: (networks,)."""
        ...

    @property
    def largest(self) -> Mapping[str, float]:
        """The largest kernels among them, by the model's own names of sizes: beyond them the fit extrapolates."""
        ...

    def predict_ms(self, theta: Floats) -> tuple[Floats, Floats]:
        """Milliseconds of each network and their derivatives by `theta`, the logarithms of the parameters:
        (networks,) and (networks, parameters)."""
        ...


@runtime_checkable
class Fittable(Protocol):
    """A cost model with parameters."""

    @property
    def name(self) -> str: ...

    def parameters_in(self, precision: str) -> tuple[FitParameter, ...]:
        """The parameters with their priors for a numeric type."""
        ...

    def parameters_of(self, device: DeviceProfile, precision: str) -> Floats:
        """Logarithms of the parameters that a device has now."""
        ...

    def prepare(self, networks: Sequence[Sequence[KernelQuery]], device: DeviceProfile) -> Prepared: ...
