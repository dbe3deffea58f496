"""The cost model: the forest's time of a whole step, shared among kernels by the bytes that they move."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from graphcost.cost import Bound, Cost, Estimate, KernelQuery, Refusal, Trust
from graphcost.device import DeviceProfile

from .features import step_features
from .forest import Forest, load

_FOLDER = Path(__file__).parent
_FACTORS = (0.72, 1.42)
"""Nine of ten measured / predicted, each network left out of the fit in turn (docs/training-time.md)."""


@dataclass(frozen=True)
class Perf4Sight:
    """Knows steps, not kernels: what a kernel gets is its share of the bytes, so that kernels sum to the step."""

    name: str = "perf4sight"

    def estimate(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[Estimate]:
        """One answer for each query, in order; together they are one training step."""
        forest = forest_for(device.id)
        if forest is None:
            return [Refusal(f"no training step was measured on {device.id}")] * len(queries)
        if not any(query.phase == "optimizer" for query in queries):
            return [Refusal("it knows whole training steps only")] * len(queries)
        step_ms = math.exp(float(forest.predict(step_features(queries)[None, :])[0]))
        moved = max(sum(query.work.bytes for query in queries if query.launches), 1)
        return [self._part(step_ms * query.work.bytes / moved) for query in queries]

    def total_factors(self, device: DeviceProfile) -> tuple[float, float]:
        """The 90 % interval of a step, as factors."""
        return _FACTORS

    def _part(self, latency_ms: float) -> Cost:
        low, high = (latency_ms * factor for factor in _FACTORS)
        return Cost(latency_ms, low, high, Bound.UNKNOWN, Trust.FITTED, self.name)


@cache
def forest_for(device_id: str) -> Forest | None:
    """The forest of a device; None for one without measurements."""
    path = _FOLDER / f"{device_id}.npz"
    return load(path) if path.is_file() else None


PERF4SIGHT = Perf4Sight()
"""What the built-in plug-in offers."""
