"""The report: what `graphcost analyze` found, frozen. `to_json` gives the versioned form (schema/report-1.json).

Sizes are integers in bytes, times milliseconds; None is "unknown", never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any

SCHEMA = "graphcost.report/1"


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value at the border of a kernel. A dimension is an integer, or a text such as `?n<=100`."""

    name: str
    dtype: str
    shape: tuple[int | str, ...] | None
    format: str = "linear"


@dataclass(frozen=True, slots=True)
class Parameters:
    """`stored`: elements in the file; `distinct`: what the network has; `bytes`: of the stored ones, as exported."""

    stored: int | None
    distinct: int | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    name: str
    path: str | None
    opset: Mapping[str, int]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """What the figures are for; device and power mode are None when none was asked for."""

    device: str | None
    power_mode: str | None
    runtime: str
    precision: str
    mode: str
    batch: int | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The share, from 0 to 1, of nodes and of border bytes whose work formula is known."""

    nodes: float
    bytes: float


@dataclass(frozen=True, slots=True)
class TrainingTotals:
    """One training step: forward, backward, optimizer.

    `peak_allocated_bytes` is the most that tensors take at once, parameters and optimizer state included;
    `peak_reserved_bytes` what the caching allocator then holds of the device's memory; `needed_bytes` adds the context,
    and `system_bytes` is what the system shows of it: no more than RAM has for a process, the rest is swapped.
    `saved_activation_bytes` are tensors that the forward part keeps for the backward part, `workspace_bytes` the
    largest scratch space of one kernel. `at_peak` and `timeline` are by category; the sums of `timeline` are those of
    `memory.timeline`. `fits_probability` is the chance that the step fits in RAM and swap.
    """

    parameter_bytes: int
    buffer_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    saved_activation_bytes: int
    peak_allocated_bytes: int
    peak_reserved_bytes: int | None
    workspace_bytes: int | None
    system_bytes: int | None
    step_ms: float | None
    forward_ms: float | None
    backward_ms: float | None
    optimizer_ms: float | None
    peak_at: str | None
    at_peak: Mapping[str, int]
    timeline: Mapping[str, tuple[int, ...]]
    fits_probability: float | None = None
    needed_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the kernels, each of what is known of it, and the memory of the whole.

    `latency_ms` is the GPU compute time of one inference of the whole batch: no copies from or to the host, clocks at
    the mode's maximum, no profiler. It is None as soon as one kernel's is; `latency_known_ms` then still sums the
    others. `total_memory_bytes` is weights + arena + workspace + context, of the last two what is known of them.
    `kernels` counts launches: views have rows, but are not launched.
    """

    macs: int
    flops: int
    elementwise_ops: int
    bytes_read: int
    bytes_written: int
    latency_ms: float | None
    latency_low_ms: float | None
    latency_high_ms: float | None
    latency_known_ms: float | None
    inferences_per_s: float | None
    peak_activation_bytes: int | None
    arena_bytes: int | None
    weight_bytes: int | None
    workspace_bytes: int | None
    context_bytes: int | None
    total_memory_bytes: int | None
    kernels: int
    coverage: Coverage
    training: TrainingTotals | None = None
    """Of a training step; None in inference."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A row. The rows' additive figures sum to the totals; `share` is the part of the latency, from 0 to 1."""

    name: str
    op: str
    kind: str
    phase: str
    tactic: str | None
    precision: str
    origin: tuple[str, ...]
    origin_share: tuple[float, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    macs: int | None
    flops: int | None
    elementwise_ops: int | None
    bytes_read: int | None
    bytes_written: int | None
    latency_ms: float | None
    latency_low_ms: float | None
    latency_high_ms: float | None
    bound: str
    trust: str
    share: float | None
    extrapolates: tuple[str, ...] = ()
    """In what it lies outside of what the cost model was fitted to: measure this one."""
    region: str | None = None
    """The part of the network that the runtime hands to another compiler, of which this kernel is one: TensorRT shows
    all of `{ForeignNode[first...last]}` as one layer, or as these kernels where it is asked for detail."""
    layer_type: str | None = None
    """What TensorRT calls such a layer: CaskConvolution, PointWiseV2; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Eliminated:
    """An ONNX node that no kernel stands for."""

    node: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnknownNode:
    """A node whose work cannot be told: counted by the bytes of its border where these are known."""

    node: str
    op: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnsupportedNode:
    """A node of the file that the runtime would refuse, or of which no list says that it takes it."""

    node: str
    op: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fallback:
    """A kernel that computes in `precision`, wider than `asked`: what the user or the network's Q/DQ ask for."""

    kernel: str
    precision: str
    asked: str
    reason: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A tensor, or the tensors of a module, in memory at the peak."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Memory:
    """Activation memory over time. `timeline` has the bytes that live while each kernel runs, in execution order.

    `peak_modules` are all holders of the peak by the path of their module (`layer1/0/conv1`, empty where nothing is
    known). `arena_strategy` found the arena; `reorder_gain_bytes` is what the peak loses in the order of the pass
    `reorder`.
    """

    peak_at: str | None
    holders: tuple[Holder, ...]
    timeline: tuple[int, ...]
    arena_lower_bound_bytes: int | None
    usable_ram_bytes: int | None
    fits: bool | None
    fits_reason: str
    peak_modules: tuple[Holder, ...] = ()
    arena_strategy: str | None = None
    reorder_gain_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that renderers, diffs and gates work from."""

    model: ModelInfo
    target: TargetInfo
    totals: Totals
    memory: Memory
    kernels: tuple[Kernel, ...]
    eliminated: tuple[Eliminated, ...]
    unknown: tuple[UnknownNode, ...]
    warnings: tuple[str, ...]
    schema: str = SCHEMA
    unsupported: tuple[UnsupportedNode, ...] = ()
    """Where there are any, the figures are a what-if: the runtime would not build this network."""
    fallbacks: tuple[Fallback, ...] = ()
    """In execution order; empty where every kernel computes as it was asked to."""

    def to_json(self) -> dict[str, Any]:
        """The report as plain data, ready for `json.dumps`; keys in the order of the schema."""
        plain = _plain(self)
        assert isinstance(plain, dict)
        return {"schema": plain.pop("schema"), **plain}


@cache
def _field_names(kind: type[Any]) -> tuple[str, ...] | None:
    return tuple(f.name for f in fields(kind)) if is_dataclass(kind) else None


def _plain(value: object) -> object:
    if (names := _field_names(type(value))) is not None:  # type: ignore[arg-type]  # a class is hashable
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value
