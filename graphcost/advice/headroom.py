"""How far kernels are from their roofs: what the arithmetic or the traffic alone would take at the device's peaks."""

from __future__ import annotations

from dataclasses import dataclass

from graphcost.api import Run
from graphcost.device import DeviceProfile
from graphcost.report import Kernel

_RATES = {"tf32": "tf32", "f16": "f16", "bf16": "f16", "i8": "i8", "u8": "i8"}
"""The peak that each type computes at; what is not listed computes as FP32."""


@dataclass(frozen=True)
class Headroom:
    """A kernel of the report beside its roof, in ms; `bound` is what the roof is made of."""

    kernel: Kernel
    roof_ms: float
    bound: str

    @property
    def above_ms(self) -> float:
        return max((self.kernel.latency_ms or 0.0) - self.roof_ms, 0.0)

    @property
    def reached(self) -> float:
        """The part of its roof that the kernel reaches, from 0 to 1."""
        return min(self.roof_ms / self.kernel.latency_ms, 1.0) if self.kernel.latency_ms else 1.0


def headroom_of(run: Run) -> list[Headroom]:
    """Kernels whose latency and roof are known, the farthest above its roof first."""
    device = run.target.device
    found = [] if device is None else [_headroom(kernel, device) for kernel in run.report.kernels]
    return sorted((each for each in found if each is not None), key=lambda each: -each.above_ms)


def _headroom(kernel: Kernel, device: DeviceProfile) -> Headroom | None:
    if not kernel.latency_ms or kernel.macs is None or kernel.bytes_read is None or kernel.bytes_written is None:
        return None
    rate = device.peak_flops_per_s(_RATES.get(kernel.precision, "f32")) or device.peak_flops_per_s("f32")
    bandwidth = device.dram_sustained_bytes_per_s or device.dram_peak_bytes_per_s
    if not rate or not bandwidth:
        return None
    compute_ms = 2e3 * kernel.macs / rate
    memory_ms = 1e3 * (kernel.bytes_read + kernel.bytes_written) / bandwidth
    return Headroom(kernel, max(compute_ms, memory_ms), "compute" if compute_ms > memory_ms else "memory")
