"""What steps, memory and launch say of a convolution, with a few parameters a precision.

A block computes one tile in `steps` steps of its depth. A step waits for the slowest of its arithmetic, its operands
from L2 and its own latency; blocks that share an SM share its arithmetic and hide each other's latency:

    step  = |mma · blocks, load · blocks, latency|        (p-norm: smooth maximum)
    T_compute = sum over rounds of (prologue + steps · step)
    T = launch + |T_compute, T_memory|

Depthwise convolutions have no tiles to speak of: their taps run on CUDA cores.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

from graphcost.device import DeviceProfile

from ..tiles import Catalogue, Limits, TileTerms, limits_of, tile_terms
from ..tiles.occupancy import ELEMENT_BYTES, blocks_per_sm
from .table import Floats, OperatorTable

_NORM = 3.0
_IMPOSSIBLE = 1e12  # ms, of a kernel that cannot compute the operator


@dataclass(frozen=True)
class Parameters:
    """Fitted to a device and precision; the defaults are where a fit starts and what it is drawn to."""

    launch_us: float = 6.0
    utilisation: float = 0.8
    """Of the unit's peak, by the inner loops of all blocks on an SM."""
    alone_utilisation: float = 0.5
    """The same of one block that has an SM to itself."""
    prologue_ns: float = 600.0
    """To start and to finish a block."""
    latency_ns: float = 120.0
    """Of the shortest step, when nothing hides it."""
    load_bytes_per_clock: float = 32.0
    """Of an SM, from L2."""
    winograd_utilisation: float = 0.7
    """Of that of the direct kernels, transforms included."""
    tap_utilisation: float = 0.15
    """Of the CUDA cores' peak, by the taps of a depthwise convolution."""
    memory_share: float = 0.85
    """Of the peak bandwidth."""

    def vector(self) -> Floats:
        return np.array(astuple(self), np.float64)


@dataclass(frozen=True)
class Machine:
    """What of a device the physics needs, for one precision."""

    limits: Limits
    macs_per_s_per_sm: float
    cuda_macs_per_s_per_sm: float
    clock_hz: float
    bytes_per_s: float
    l2_bytes: float
    precision: str


@dataclass(frozen=True)
class Times:
    """Milliseconds; arrays of shape (operators, 1). `tactic` is the column of the chosen kernel."""

    total_ms: Floats
    compute_ms: Floats
    memory_ms: Floats
    launch_ms: float
    tactic: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    terms: TileTerms


def machine_of(device: DeviceProfile, precision: str, unit: str) -> Machine | None:
    """None where the device's profile lacks a rate, or its hardware the unit."""
    rate = _macs_per_s(device, precision, unit)
    cuda = _macs_per_s(device, "f32", "cuda")
    if not rate or not cuda or device.dram_peak_bytes_per_s is None:
        return None
    return Machine(
        limits=limits_of(device),
        macs_per_s_per_sm=rate / device.sm_count,
        cuda_macs_per_s_per_sm=cuda / device.sm_count,
        clock_hz=device.gpu_clock_mhz * 1e6,
        bytes_per_s=device.dram_peak_bytes_per_s,
        l2_bytes=(device.l2_kib or 0) * 1024.0,
        precision=precision,
    )


def _macs_per_s(device: DeviceProfile, precision: str, unit: str) -> float | None:
    flops = device.peak_flops_per_s(precision, "tensor" if unit == "tensor" else "cuda")
    return None if flops is None else flops / 2


def times(table: OperatorTable, catalogue: Catalogue, machine: Machine, parameters: Parameters) -> Times:
    """The time of each operator with the fastest of the catalogue's kernels."""
    terms = tile_terms(table.columns, catalogue, machine.limits, machine.precision)
    tiled = tiled_ms(terms, catalogue, machine, parameters)
    tactic = tiled.argmin(axis=1)[:, None]
    dense = np.take_along_axis(tiled, tactic, axis=1)
    compute = np.where(table.depthwise, _taps_ms(table, machine, parameters), dense)
    memory = (table.read_bytes + table.written_bytes) / (machine.bytes_per_s * parameters.memory_share) * 1e3
    launch = parameters.launch_us / 1e3
    return Times(launch + joined(compute, memory), compute, memory, launch, tactic, terms)


def _taps_ms(table: OperatorTable, machine: Machine, parameters: Parameters) -> Floats:
    rate = machine.cuda_macs_per_s_per_sm * machine.limits.sm_count * parameters.tap_utilisation
    return table.columns.macs / rate * 1e3


def tiled_ms(terms: TileTerms, catalogue: Catalogue, machine: Machine, parameters: Parameters) -> Floats:
    """Of every operator with every kernel; (operators, kernels)."""
    resident = np.minimum(terms.busy_rounds, blocks_per_sm(catalogue, machine.precision, machine.limits))
    full, rest = np.divmod(terms.busy_rounds, resident)
    round_s = full * _round_s(resident, terms, catalogue, machine, parameters)
    last_s = np.where(rest > 0, _round_s(np.maximum(rest, 1), terms, catalogue, machine, parameters), 0.0)
    split_s = terms.split_bytes / (machine.bytes_per_s * parameters.memory_share)
    return np.where(terms.eligible, (round_s + last_s + split_s) * 1e3, _IMPOSSIBLE)


def _round_s(
    blocks: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    terms: TileTerms,
    catalogue: Catalogue,
    machine: Machine,
    parameters: Parameters,
) -> Floats:
    """Seconds that `blocks` blocks of a kernel take side by side on an SM."""
    slower = np.where(catalogue.winograd > 0, parameters.winograd_utilisation, 1.0)
    peak_s = terms.tile_macs / terms.steps / (machine.macs_per_s_per_sm * slower)
    shared, alone = peak_s * blocks / parameters.utilisation, peak_s / parameters.alone_utilisation
    operands = (catalogue.tile_m + catalogue.tile_n) * catalogue.tile_k * ELEMENT_BYTES.get(machine.precision, 4)
    load = blocks * operands / (machine.clock_hz * parameters.load_bytes_per_clock)
    latency = parameters.latency_ns * 1e-9
    step = (shared**_NORM + alone**_NORM + load**_NORM + latency**_NORM) ** (1 / _NORM)
    return np.asarray(parameters.prologue_ns * 1e-9 + terms.steps * step, np.float64)


def joined(a: Floats, b: Floats) -> Floats:
    """A smooth maximum: of two equal terms 1.26 times either."""
    return np.asarray((a**_NORM + b**_NORM) ** (1 / _NORM), np.float64)
