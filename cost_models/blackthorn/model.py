"""Blackthorn's model as a cost model: nested staircases for each type of layer of a device, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from graphcost.cost import Bound, Cost, Estimate, KernelQuery, Refusal, Trust
from graphcost.device import DeviceProfile
from graphcost.toml_files import files_of, read_toml

from .curves import Curve
from .nested import Nested

FOLDER = Path(__file__).parent / "coefficients"


@dataclass(frozen=True)
class LayerType:
    """What a nested curve holds for: all of a convolution but its channels."""

    precision: str
    images: int
    side: int  # rows and columns of the input
    window: int
    stride: int

    @property
    def key(self) -> str:
        return f"{self.precision}-n{self.images}-{self.side}x{self.side}-k{self.window}-s{self.stride}"


@dataclass(frozen=True)
class Fitted:
    """A curve in milliseconds, and the factors that held 90 % of what it was not fitted to."""

    curve: Nested
    low: float
    high: float


@dataclass(frozen=True)
class Blackthorn:
    """Convolutions of the types that were measured on a device; it refuses all else, depthwise ones among it."""

    name: str = "blackthorn"

    def estimate(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[Estimate]:
        known = coefficients(device.id)
        return [self._one(query, known, device) for query in queries]

    def _one(self, query: KernelQuery, known: Mapping[str, Fitted], device: DeviceProfile) -> Estimate:
        if not known:
            return Refusal(f"no step functions were fitted for {device.id}")
        layer = layer_type(query)
        if layer is None:
            return Refusal("not a square convolution of one group")
        fitted = known.get(layer.key)
        if fitted is None:
            return Refusal(f"no step function was fitted for {layer.key} on {device.id}")
        c_in, c_out = query.contractions[0].input_dims[1], query.contractions[0].n
        latency_ms = float(fitted.curve(np.array([c_in], float), np.array([c_out], float))[0])
        if latency_ms <= 0:
            return Refusal("the step function falls below zero here")
        low, high = latency_ms * fitted.low, latency_ms * fitted.high
        return Cost(latency_ms, low, high, Bound.UNKNOWN, Trust.FITTED, self.name)


def layer_type(query: KernelQuery) -> LayerType | None:
    """The type of a query's layer; None where it is no square convolution of one group."""
    if query.kind != "conv" or len(query.contractions) != 1:
        return None
    conv = query.contractions[0]
    square = len(set(conv.window)) == 1 and len(set(conv.strides)) == 1 and len(set(conv.input_dims[2:])) == 1
    if conv.groups != 1 or conv.kind != "conv" or not square or len(conv.input_dims) != 4:
        return None
    return LayerType(query.precision, conv.input_dims[0], conv.input_dims[2], conv.window[0], conv.strides[0])


@cache
def coefficients(device: str) -> Mapping[str, Fitted]:
    """The curves of a device by the key of their type; none where the device has no file."""
    path = files_of(FOLDER).get(device)
    if path is None:
        return {}
    layers: Any = read_toml(path)["layers"]
    return {key: _fitted(table) for key, table in layers.items()}


def _fitted(table: Mapping[str, Any]) -> Fitted:
    base, height = (Curve(int(w), float(b), float(h)) for w, b, h in (table["base"], table["height"]))
    low, high = table["interval"]
    return Fitted(Nested(int(table["width"]), base, height), float(low), float(high))


BLACKTHORN = Blackthorn()
"""What the built-in plug-in offers."""
