"""A device in one power mode, as numbers with units; computes nothing but its own peaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

NumericType = Literal["f32", "tf32", "f16", "i8"]
Unit = Literal["best", "cuda", "tensor", "tensor-fp32acc"]

NUMERIC_TYPES: tuple[NumericType, ...] = ("f32", "tf32", "f16", "i8")

# Where each peak comes from: numeric type -> unit -> field of DeviceProfile. A unit that is not listed does not exist.
_RATE_FIELDS: Mapping[str, Mapping[str, str]] = {
    "f32": {"cuda": "fp32_flops_per_clock_per_sm"},
    "tf32": {"tensor": "tf32_tensor_flops_per_clock_per_sm"},
    "f16": {
        "cuda": "fp16_flops_per_clock_per_sm",
        "tensor": "fp16_tensor_flops_per_clock_per_sm",
        "tensor-fp32acc": "fp16_tensor_fp32acc_flops_per_clock_per_sm",
    },
    "i8": {"cuda": "int8_ops_per_clock_per_sm", "tensor": "int8_tensor_ops_per_clock_per_sm"},
}

_BYTES_PER_GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class DeviceProfile:
    """One device with one of its power modes applied. None is "not known"; a rate of 0 is "the hardware has none".

    Rates count a multiply-add as two operations and are dense (no structured sparsity).
    """

    id: str
    title: str
    mode: str
    reference: str  # what `load_device` takes to find this device again: its id, or the path of its file
    aliases: tuple[str, ...] = ()
    note: str = ""

    compute_capability: tuple[int, int]
    sm_count: int
    gpu_clock_mhz: float
    cuda_cores_per_sm: int | None = None
    tensor_cores_per_sm: int | None = None
    max_threads_per_sm: int | None = None
    shared_mem_per_sm_kib: int | None = None
    l2_kib: int | None = None

    fp32_flops_per_clock_per_sm: float | None = None
    fp16_flops_per_clock_per_sm: float | None = None
    tf32_tensor_flops_per_clock_per_sm: float | None = None
    fp16_tensor_flops_per_clock_per_sm: float | None = None  # accumulates in FP16
    fp16_tensor_fp32acc_flops_per_clock_per_sm: float | None = None
    int8_ops_per_clock_per_sm: float | None = None  # DP4A
    int8_tensor_ops_per_clock_per_sm: float | None = None

    dram_peak_gb_per_s: float | None = None  # 1e9 bytes; what the memory's clock and width give
    dram_sustained_gb_per_s: float | None = None  # 1e9 bytes; what was measured
    dram_type: str | None = None
    ram_gib: float | None = None  # on a Jetson shared with the CPU
    ram_reserve_gib: float | None = None  # of ram_gib, what firmware and kernel keep: never seen by a process
    context_bytes: int | None = None  # what a CUDA context takes before the first tensor
    kernel_floor_us: float | None = None  # what the smallest kernel takes

    dla: str | None = None  # other accelerators on the chip; not modelled
    nvpmodel: str | None = None  # the mode's name in nvpmodel, where it differs
    tensorrt_default: str | None = None  # the TensorRT that the board's software brings
    pytorch_default: str | None = None  # the PyTorch to assume where the board's software holds an old one
    pytorch_context_bytes: int | None = None  # what the system sees of PyTorch beside the tensors that it reserved
    pytorch_start_bytes: int | None = None  # what it sees at least: PyTorch while it loads
    pytorch_blas_bytes: int | None = None  # of both, what cuBLAS takes, once a matrix product runs
    idle_ram_bytes: int | None = None  # what other processes hold until memory gets scarce
    process_ram_bytes: int | None = None  # the most that one process was seen to hold in RAM
    eager_launch_us: float | None = None  # what the host takes to queue a kernel of an eager training step
    process_swap_bytes: int | None = None  # what one gets beside it before it fails

    fitted: Mapping[str, Mapping[str, float]] = field(default_factory=dict, hash=False, repr=False)
    """Parameters of a cost model by numeric type, as `graphcost fit` wrote them for the device or its architecture."""
    fitted_precisions: frozenset[str] = frozenset()
    """Numeric types in which the device itself was measured."""
    largest_kernels: Mapping[str, Mapping[str, float]] = field(default_factory=dict, hash=False, repr=False)
    """The largest sizes, by numeric type, of kernels that the device or its siblings were fitted to."""
    total_factors: tuple[float, float] | None = None
    """The 90 % interval of a network's latency, as factors of the predicted one."""
    kernel_factors: tuple[float, float] | None = None
    """The same for one kernel."""

    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)  # field -> where it is from

    @property
    def sm(self) -> str:
        """The architecture as compilers spell it: "sm_53"."""
        major, minor = self.compute_capability
        return f"sm_{major}{minor}"

    @property
    def spec(self) -> str:
        """What `--device` takes to choose this device and mode again: "nano@MAXN"."""
        return f"{self.reference}@{self.mode}"

    @property
    def dram_peak_bytes_per_s(self) -> float | None:
        return None if self.dram_peak_gb_per_s is None else self.dram_peak_gb_per_s * 1e9

    @property
    def dram_sustained_bytes_per_s(self) -> float | None:
        return None if self.dram_sustained_gb_per_s is None else self.dram_sustained_gb_per_s * 1e9

    @property
    def ram_bytes(self) -> int | None:
        return None if self.ram_gib is None else round(self.ram_gib * _BYTES_PER_GIB)

    @property
    def usable_ram_bytes(self) -> int | None:
        """RAM minus the reserve; unknown while either is."""
        if self.ram_gib is None or self.ram_reserve_gib is None:
            return None
        return round((self.ram_gib - self.ram_reserve_gib) * _BYTES_PER_GIB)

    def peak_flops_per_s(self, precision: str, unit: Unit = "best") -> float | None:
        """Dense peak of a numeric type (f32, tf32, f16, i8), in operations a second over all SMs.

        `unit` picks CUDA cores or tensor cores; "best" is the tensor cores where there are any. 0 means that the
        hardware has no such unit, None that its rate is not known.
        """
        rate = self._best_rate(precision) if unit == "best" else self._rate(precision, unit)
        return None if rate is None else rate * self.sm_count * self.gpu_clock_mhz * 1e6

    def supports(self, precision: NumericType) -> bool:
        """Whether the hardware computes in this type at all, however slowly (FP16 on sm_61 is 1/64 of FP32)."""
        return self._best_rate(precision) != 0

    def _best_rate(self, precision: str) -> float | None:
        tensor = self._rate(precision, "tensor")
        return self._rate(precision, "cuda") if tensor == 0 else tensor

    def _rate(self, precision: str, unit: str) -> float | None:
        """Operations per clock and SM; a type of which no profile speaks is unknown."""
        units = _RATE_FIELDS.get(precision)
        if units is None:
            return None
        rate: float | None = getattr(self, units[unit]) if unit in units else 0
        return rate
