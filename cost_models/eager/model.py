"""The cost model: amounts of a step times prices of the device, host and GPU side by side, and a learned correction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from graphcost.cost import Bound, Cost, Estimate, KernelQuery, Refusal, Trust
from graphcost.device import DeviceProfile
from graphcost.toml_files import read_toml

from .composition import Floats, composition
from .features import CONVOLUTIONS, NAMES, features
from .overlap import HOST, step_ms
from .residual import NONE, Residual, read

_FOLDER = Path(__file__).parent

_MEMORY = frozenset({"norm_elements", "elementwise_bytes", "conv_bytes", "depthwise_bytes", "optimizer_bytes",
                     "pool_backward_elements", "wgrad_elements"})  # fmt: skip


MOST_OUTSIDE = 0.05
"""Of the steps that were measured none has a larger share of its MACs in products outside convolutions, which have no
price of their own."""


@dataclass(frozen=True)
class Fitted:
    """Milliseconds by amount, the correction, the intervals as factors of the predicted time, the clock at which steps
    were measured."""

    prices_ms: Mapping[str, float]
    interval: tuple[float, float]
    gpu_clock_mhz: float
    residual: Residual = NONE

    @property
    def prices(self) -> Floats:
        return np.array([self.prices_ms.get(name, 0.0) for name in NAMES])

    def step_ms(self, amounts: Floats) -> Floats:
        """Milliseconds of whole training steps, (steps,), from their amounts, (steps, names)."""
        found: Floats = step_ms(amounts, self.prices)[0] * np.exp(self.residual(composition(amounts)))
        return found


@dataclass(frozen=True)
class Eager:
    """Prices the kernels of a step on devices for which steps were measured; elsewhere it refuses.

    Kernels that are asked together are taken for one step: the time that host and GPU spend side by side is shared out
    in proportion, so that the kernels sum to the step."""

    name: str = "eager"

    def estimate(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[Estimate]:
        """One answer for each query, in order."""
        fitted = fitted_to(device.id)
        if fitted is None:
            return [Refusal(f"no training step was measured on {device.id}")] * len(queries)
        if reason := _unlike(queries):
            return [Refusal(reason)] * len(queries)
        return _priced(queries, fitted, fitted.gpu_clock_mhz / device.gpu_clock_mhz)

    def total_factors(self, device: DeviceProfile) -> tuple[float, float] | None:
        """The 90 % interval of a step, as factors, from networks that were left out of the fit."""
        fitted = fitted_to(device.id)
        return None if fitted is None else fitted.interval


@cache
def fitted_to(device_id: str) -> Fitted | None:
    """What was fitted to the steps of a device; None for a device without measurements."""
    path = _FOLDER / f"{device_id}.toml"
    if not path.is_file():
        return None
    table: Any = read_toml(path)
    prices = {name: float(price) for name, price in table["prices_ms"].items()}
    low, high = table["interval"]
    beside = path.with_suffix(".residual.json")
    residual = read(beside) if beside.is_file() else NONE
    return Fitted(prices, (float(low), float(high)), float(table["gpu_clock_mhz"]), residual)


def amounts_of_kernels(queries: Sequence[KernelQuery]) -> Floats:
    """The amounts of each kernel in the order of NAMES: (kernels, names). Without work there are none."""
    rows = [features(query) if _is_known(query) else {} for query in queries]
    return np.array([[row.get(name, 0.0) for name in NAMES] for row in rows]).reshape(len(rows), len(NAMES))


def _is_known(query: KernelQuery) -> bool:
    return query.work_known and query.precision in ("f32", "tf32")


def _priced(queries: Sequence[KernelQuery], fitted: Fitted, scale: float) -> list[Estimate]:
    """Each kernel's part of the step. Modes with lower clocks than the measured one take longer by the clock."""
    amounts = amounts_of_kernels(queries)
    whole = amounts.sum(axis=0, keepdims=True)
    correction = float(np.exp(fitted.residual(composition(whole)))[0]) if _is_step(queries) else 1.0
    parts = scale * correction * amounts * fitted.prices * step_ms(whole, fitted.prices)[1]
    return [_answer(query, part, fitted.interval) for query, part in zip(queries, parts)]


def _unlike(queries: Sequence[KernelQuery]) -> str | None:
    """Why the step is like none that was measured: other types, or other work than convolutions."""
    if other := sorted({query.precision for query in queries if query.work.macs and not _is_known(query)}):
        return f"no training step was measured in {', '.join(other)}"
    macs = sum(query.work.macs for query in queries)
    outside = sum(query.work.macs for query in queries if query.op not in CONVOLUTIONS)
    if outside > MOST_OUTSIDE * macs:
        return f"{outside / macs:.0%} of the step's MACs are no convolutions, and no such step was measured"
    return None


def _is_step(queries: Sequence[KernelQuery]) -> bool:
    """The correction was learned from whole steps."""
    return any(query.phase == "optimizer" for query in queries)


def _answer(query: KernelQuery, parts_ms: Floats, interval: tuple[float, float]) -> Estimate:
    if not query.work_known:
        return Refusal("the work of this kernel is not known")
    if not _is_known(query):
        return Refusal(f"no training step was measured in {query.precision}")
    latency_ms = float(parts_ms.sum())
    low, high = (latency_ms * factor for factor in interval)
    return Cost(latency_ms, low, high, _bound(parts_ms), Trust.FITTED, EAGER.name)


def _bound(parts_ms: Floats) -> Bound:
    """What takes most of the time."""
    if not parts_ms.any():
        return Bound.NONE
    largest = int(parts_ms.argmax())
    if HOST[largest]:
        return Bound.LAUNCH
    return Bound.MEMORY if NAMES[largest] in _MEMORY else Bound.COMPUTE


EAGER = Eager()
"""What the built-in plug-in offers."""
