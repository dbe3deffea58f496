"""Roofline with a launch floor: a kernel waits for its arithmetic or its traffic, and is launched.

    T = max(flops / (peak · u), bytes / (sustained bandwidth · v)) + launch

Trust is `analytic`: nothing is fitted to a kernel. What limits do not say is how near kernels come to them: `u`, `v`
and the launch are five priors, the same for all devices, fitted together to 160 published network latencies on eight
Jetson boards (32 networks, FP16, batch 1, TensorRT 8.2 to 10.3), after this package's own fusion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphcost.cost import Bound, Cost, Estimate, KernelQuery, Refusal, Trust
from graphcost.device import DeviceProfile

SUSTAINED_SHARE = 0.746
"""Sustained over peak bandwidth where a device states only its peak: 152.8 of 204.8 GB/s on a Jetson AGX Orin."""

FLOOR_US = 5.0
"""The smallest kernels on Orin (16 SMs) and on an RTX 3060 Laptop take 5 to 6 µs, whatever they do; taken for devices
whose own floor is not known."""

CUDA_UTILISATION = 0.75
"""Share of the peak that kernels on CUDA cores reach; Winograd, which spares multiplications, is in it."""

TENSOR_UTILISATION = 0.53
"""The same on tensor cores."""

DEPTHWISE_UTILISATION = 0.012
"""The same for depthwise convolutions, which have next to no reuse to live from."""

MEMORY_UTILISATION = 0.67
"""Share of the sustained bandwidth that a kernel at batch 1 reaches."""

LAUNCH_FLOORS = 1.56
"""What it takes to launch one kernel after another, in units of the device's smallest kernel: 7.8 µs for 5."""

INTERVAL = (0.72, 1.50)
"""The middle 90 % of measured / predicted over the same rows, each family of networks left out of the fit in turn; the
median error is then 17 %. The form of the model was chosen on these rows too, so new ones will do somewhat worse;
FP32, INT8 and larger batches were not among them."""

_COMPUTES_IN = {"f64": "f64", "f32": "f32", "tf32": "tf32", "f16": "f16", "bf16": "f16", "i8": "i8", "u8": "i8",
                "f8e4m3fn": "i8", "f8e5m2": "i8"}  # fmt: skip
"""The rate at which each type is computed; FP8 at that of INT8 (the H100 data sheet gives both one figure);
integers and what is not listed run on the FP32 cores."""

_TENSOR_KINDS = frozenset({"conv", "group-conv", "deconv", "gemm", "attention", "rnn"})
"""Families that tensor cores serve; all others, depthwise convolutions among them, run on CUDA cores."""


@dataclass(frozen=True)
class Roofline:
    """The priors, which tests and users may vary."""

    name: str = "roofline"
    cuda_utilisation: float = CUDA_UTILISATION
    tensor_utilisation: float = TENSOR_UTILISATION
    depthwise_utilisation: float = DEPTHWISE_UTILISATION
    memory_utilisation: float = MEMORY_UTILISATION
    launch_floors: float = LAUNCH_FLOORS
    interval: tuple[float, float] = INTERVAL

    def estimate(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[Estimate]:
        return [self._one(query, device) for query in queries]

    def total_factors(self, device: DeviceProfile) -> tuple[float, float]:
        """The interval was found on networks; for single kernels it is the best guess, and somewhat narrow."""
        return self.interval

    def _one(self, query: KernelQuery, device: DeviceProfile) -> Estimate:
        if not query.work_known:
            return Refusal("the work of this kernel is not known")
        compute_ms, memory_ms = self._compute_ms(query, device), self._memory_ms(query, device)
        if compute_ms is None or memory_ms is None:
            what = f"peak rate in {query.precision}" if compute_ms is None else "memory bandwidth"
            return Refusal(f"the {what} of {device.id} is not known")
        launch_ms = query.steps * (device.kernel_floor_us or FLOOR_US) * self.launch_floors / 1e3
        latency_ms = max(compute_ms, memory_ms) + launch_ms
        low, high = self.interval
        bound = _bound(compute_ms, memory_ms, launch_ms)
        return Cost(latency_ms, latency_ms * low, latency_ms * high, bound, Trust.ANALYTIC, self.name)

    def _compute_ms(self, query: KernelQuery, device: DeviceProfile) -> float | None:
        """Contractions at the rate of the tensor cores where the family uses them, the rest on CUDA cores."""
        tensor = query.kind in _TENSOR_KINDS
        macs_rate = _rate(query.precision, device, tensor=tensor)
        other_rate = _rate(query.precision, device, tensor=False)
        if not macs_rate or not other_rate:
            return None
        contraction_s = 2 * query.work.macs / (macs_rate * self._utilisation(query, device))
        return (contraction_s + query.work.elementwise_ops / (other_rate * self.cuda_utilisation)) * 1e3

    def _utilisation(self, query: KernelQuery, device: DeviceProfile) -> float:
        if query.kind == "depthwise":
            return self.depthwise_utilisation
        on_tensor_cores = query.kind in _TENSOR_KINDS and bool(device.tensor_cores_per_sm)
        return self.tensor_utilisation if on_tensor_cores else self.cuda_utilisation

    def _memory_ms(self, query: KernelQuery, device: DeviceProfile) -> float | None:
        sustained = device.dram_sustained_bytes_per_s
        if sustained is None and device.dram_peak_bytes_per_s is not None:
            sustained = device.dram_peak_bytes_per_s * SUSTAINED_SHARE
        return None if not sustained else query.work.bytes / (sustained * self.memory_utilisation) * 1e3


def _bound(compute_ms: float, memory_ms: float, launch_ms: float) -> Bound:
    """The largest of the three."""
    terms = {Bound.COMPUTE: compute_ms, Bound.MEMORY: memory_ms, Bound.LAUNCH: launch_ms}
    return max(terms, key=lambda bound: terms[bound])


def _rate(precision: str, device: DeviceProfile, *, tensor: bool) -> float | None:
    """Operations per second; the FP32 rate where the hardware or its profile has no other for the type."""
    kind = _COMPUTES_IN.get(precision, "f32")
    if not tensor and kind in ("tf32", "i8"):
        kind = "f32"
    unit = "best" if tensor else "cuda"
    return device.peak_flops_per_s(kind, unit) or device.peak_flops_per_s("f32", unit)  # type: ignore[arg-type]


ROOFLINE = Roofline()
"""With the defaults: what the built-in plug-in offers."""
