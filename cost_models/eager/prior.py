"""A training step where none was measured: limits of the GPU, and how near to them the steps of another board come.

    step = (gpu^P + host^P)^(1/P),   gpu = SHARE · sum of rooflines,   host = launches · what the host takes for one

The host's part is there where the device's profile states it (`eager_launch_us`), else the figure is the GPU's alone.

    python -m graphcost.cost_models.eager.prior ROWS.csv MODELS_DIR [--device tx2] [--every N]

fits both constants to measured steps and prints how far off they are on networks left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from graphcost.cost import Bound, Cost, Estimate, KernelQuery, Refusal, Trust
from graphcost.device import DeviceProfile, load_device

from ..roofline import ROOFLINE
from .arguments import measured_steps, parser_of
from .composition import Floats
from .overlap import P

SHARE = 1.46
"""Time of a step's kernels over the sum of their rooflines."""

INTERVAL = (0.62, 1.68)
"""The middle 90 % of measured / predicted over 100 steps on a Jetson TX2 in FP32, each network left out of the fit in
turn; the median error is then 29 %. On other boards and in other types it was not tried."""

LIMITS = replace(ROOFLINE, launch_floors=0.0)


@dataclass(frozen=True)
class EagerPrior:
    """Prices the kernels of a training step on any device whose limits are known.

    Kernels that are asked together are taken for one step, whose time is shared out in proportion."""

    name: str = "eager-prior"

    def estimate(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[Estimate]:
        """One answer for each query, in order."""
        if not any(query.phase == "backward" for query in queries):
            return [Refusal("this is no training step")] * len(queries)
        limits = LIMITS.estimate(queries, device)
        gpu_ms = np.array([SHARE * (limit.latency_ms or 0.0) if isinstance(limit, Cost) else 0.0 for limit in limits])
        host_ms = np.array([query.launches * (device.eager_launch_us or 0.0) / 1e3 for query in queries])
        parts_ms = shared_out(gpu_ms, host_ms)
        return [self._answer(*part) for part in zip(limits, gpu_ms, host_ms, parts_ms)]

    def total_factors(self, device: DeviceProfile) -> tuple[float, float]:
        """The 90 % interval of a step, as factors."""
        return INTERVAL

    def _answer(self, limit: Estimate, gpu_ms: float, host_ms: float, latency_ms: float) -> Estimate:
        if isinstance(limit, Refusal):
            return limit
        low, high = (latency_ms * factor for factor in INTERVAL)
        bound = Bound.LAUNCH if host_ms > gpu_ms else limit.bound
        return Cost(float(latency_ms), float(low), float(high), bound, Trust.PRIOR, self.name)


def shared_out(gpu_ms: Floats, host_ms: Floats) -> Floats:
    """What each kernel has of the step that host and GPU take side by side: its costs times the step's derivatives."""
    gpu, host = float(gpu_ms.sum()), float(host_ms.sum())
    total = max((gpu**P + host**P) ** (1 / P), 1e-12)
    found: Floats = gpu_ms * (gpu / total) ** (P - 1) + host_ms * (host / total) ** (P - 1)
    return found


def fit(limits_ms: Floats, launches: Floats, latency_ms: Floats) -> Floats:
    """SHARE and the host's microseconds a launch, of the least absolute logarithms."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    def error(tried: Floats) -> float:
        return float(abs(np.log(_steps_ms(abs(tried), limits_ms, launches) / latency_ms)).mean())

    return np.asarray(abs(minimize(error, [1.5, 200.0], method="Nelder-Mead").x))


def _steps_ms(constants: Floats, limits_ms: Floats, launches: Floats) -> Floats:
    found: Floats = ((constants[0] * limits_ms) ** P + (constants[1] * launches / 1e3) ** P) ** (1 / P)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Print the constants and the errors."""
    from .fitting import queries_of_step

    given = parser_of(__doc__, every=9).parse_args(argv)
    rows = measured_steps(given)
    device, networks = load_device(given.device), np.array([row["network"] for row in rows])
    latency_ms = np.array([float(row["latency_ms"]) for row in rows])
    found = [_limits(queries_of_step(given.models / row["onnx"], int(row["batch"]), device.id), device) for row in rows]
    limits_ms, launches = np.array(found).T
    ratios = np.ones(len(rows))
    for name in np.unique(networks):
        rest = networks == name
        constants = fit(limits_ms[~rest], launches[~rest], latency_ms[~rest])
        ratios[rest] = latency_ms[rest] / _steps_ms(constants, limits_ms[rest], launches[rest])
    share, launch_us = fit(limits_ms, launches, latency_ms)
    print(f"{len(rows)} steps: share {share:.2f}, {launch_us:.0f} µs a launch")
    print("networks left out, measured / predicted:", *np.quantile(ratios, [0.05, 0.25, 0.5, 0.75, 0.95]).round(2))
    print(f"median error {np.median(abs(ratios - 1)):.1%}")
    return 0


def _limits(queries: Sequence[KernelQuery], device: DeviceProfile) -> tuple[float, int]:
    """Milliseconds of all rooflines, and launches."""
    costs = [cost for cost in LIMITS.estimate(queries, device) if isinstance(cost, Cost)]
    return sum(cost.latency_ms or 0.0 for cost in costs), sum(query.launches for query in queries)


EAGER_PRIOR = EagerPrior()
"""What the built-in plug-in offers."""


if __name__ == "__main__":
    raise SystemExit(main())
