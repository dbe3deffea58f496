"""The cost model: each amount of a kernel times its price on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from graphcost.cost import Bound, Cost, Estimate, KernelQuery, Refusal, Trust
from graphcost.device import DeviceProfile
from graphcost.toml_files import read_toml

from .features import features

_FOLDER = Path(__file__).parent

_MEMORY = frozenset({"norm_elements", "elementwise_bytes", "conv_bytes", "depthwise_bytes", "optimizer_bytes",
                     "pool_backward_elements", "wgrad_elements"})  # fmt: skip


@dataclass(frozen=True)
class Fitted:
    """Milliseconds by amount, the interval of measured / predicted, the clock at which steps were measured."""

    prices_ms: Mapping[str, float]
    interval: tuple[float, float]
    gpu_clock_mhz: float


class Eager:
    """Prices kernels of a training step on the devices for which steps were measured; elsewhere it refuses."""

    name = "eager"

    def estimate(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[Estimate]:
        fitted = fitted_to(device.id)
        if fitted is None:
            refusal = Refusal(f"no training step was measured on {device.id}")
            return [refusal] * len(queries)
        scale = fitted.gpu_clock_mhz / device.gpu_clock_mhz
        return [_price(query, fitted, scale) for query in queries]


@cache
def fitted_to(device_id: str) -> Fitted | None:
    """What was fitted to the steps of a device; None for a device without measurements."""
    path = _FOLDER / f"{device_id}.toml"
    if not path.is_file():
        return None
    table: Any = read_toml(path)
    prices = {name: float(price) for name, price in table["prices_ms"].items()}
    low, high = table["interval"]
    return Fitted(prices, (float(low), float(high)), float(table["gpu_clock_mhz"]))


def _price(query: KernelQuery, fitted: Fitted, scale: float) -> Estimate:
    """Each amount times its price; modes with lower clocks than the measured one take longer by the clock."""
    if query.precision not in ("f32", "tf32"):
        return Refusal(f"no training step was measured in {query.precision}")
    parts = {name: amount * fitted.prices_ms.get(name, 0.0) for name, amount in features(query).items()}
    latency_ms = scale * sum(parts.values())
    low, high = (latency_ms * factor for factor in fitted.interval)
    return Cost(latency_ms, low, high, _bound(parts), Trust.FITTED, EAGER.name)


def _bound(parts: Mapping[str, float]) -> Bound:
    """What takes most of the time."""
    largest = max(parts, key=lambda name: parts[name], default="")
    if not largest:
        return Bound.NONE
    if largest in ("launches", "parameters", "convolutions"):
        return Bound.LAUNCH
    return Bound.MEMORY if largest in _MEMORY else Bound.COMPUTE


EAGER = Eager()
