"""Roofline with a launch floor: no kernel is faster than its arithmetic, its traffic, or an empty kernel.

    T = max(flops / (peak · u), bytes / sustained bandwidth, floor)

Trust is `analytic`: nothing is fitted to a kernel. What the limits do not say (how near kernels come to them) are the
priors below, each with its source.
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

UTILISATION = 0.6
"""How near kernels come to the peak rate. With it the median of measured / predicted is 1.05 over 160 published network
latencies on eight Jetson boards (32 networks, FP16, batch 1, TensorRT 8.2 to 10.3)."""

INTERVAL = (0.69, 2.86)
"""The middle 90 % of measured / predicted over the same rows. The upper end are depthwise networks on Maxwell and
Pascal, the lower end large 3x3 convolutions, which Winograd makes cheaper than their MACs."""

_COMPUTES_IN = {"f64": "f64", "f32": "f32", "tf32": "tf32", "f16": "f16", "bf16": "f16", "i8": "i8", "u8": "i8",
                "f8e4m3fn": "i8", "f8e5m2": "i8"}  # fmt: skip
"""The rate at which each type is computed; FP8 at that of INT8 (the H100 data sheet gives both one figure);
integers and what is not listed run on the FP32 cores."""

_TENSOR_KINDS = frozenset({"conv", "group-conv", "deconv", "gemm", "attention", "rnn"})
"""Families that tensor cores serve; all others, depthwise convolutions among them, run on CUDA cores."""


@dataclass(frozen=True)
class Roofline:
    """The least that physics allows, with typical utilisation."""

    name: str = "roofline"
    utilisation: float = UTILISATION
    interval: tuple[float, float] = INTERVAL

    def estimate(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[Estimate]:
        return [self._one(query, device) for query in queries]

    def _one(self, query: KernelQuery, device: DeviceProfile) -> Estimate:
        if not query.work_known:
            return Refusal("the work of this kernel is not known")
        compute_ms, memory_ms = self._compute_ms(query, device), _memory_ms(query, device)
        if compute_ms is None or memory_ms is None:
            what = f"peak rate in {query.precision}" if compute_ms is None else "memory bandwidth"
            return Refusal(f"the {what} of {device.id} is not known")
        floor_ms = (device.kernel_floor_us or FLOOR_US) / 1e3
        latency_ms, bound = max((compute_ms, Bound.COMPUTE), (memory_ms, Bound.MEMORY), (floor_ms, Bound.LAUNCH),
                                key=lambda term: term[0])  # fmt: skip
        low, high = self.interval
        return Cost(latency_ms, latency_ms * low, latency_ms * high, bound, Trust.ANALYTIC, self.name)

    def _compute_ms(self, query: KernelQuery, device: DeviceProfile) -> float | None:
        """Contractions at the rate of the tensor cores where the family uses them, the rest on CUDA cores."""
        macs_rate = _rate(query.precision, device, tensor=query.kind in _TENSOR_KINDS)
        other_rate = _rate(query.precision, device, tensor=False)
        if not macs_rate or not other_rate:
            return None
        seconds = 2 * query.work.macs / macs_rate + query.work.elementwise_ops / other_rate
        return seconds / self.utilisation * 1e3


def _rate(precision: str, device: DeviceProfile, *, tensor: bool) -> float | None:
    """Operations per second; the FP32 rate where the hardware or its profile has no other for the type."""
    kind = _COMPUTES_IN.get(precision, "f32")
    if not tensor and kind in ("tf32", "i8"):
        kind = "f32"
    unit = "best" if tensor else "cuda"
    return device.peak_flops_per_s(kind, unit) or device.peak_flops_per_s("f32", unit)  # type: ignore[arg-type]


def _memory_ms(query: KernelQuery, device: DeviceProfile) -> float | None:
    sustained = device.dram_sustained_bytes_per_s
    if sustained is None and device.dram_peak_bytes_per_s is not None:
        sustained = device.dram_peak_bytes_per_s * SUSTAINED_SHARE
    return None if not sustained else query.work.bytes / sustained * 1e3


ROOFLINE = Roofline()
"""With the defaults: what the built-in plug-in offers."""
