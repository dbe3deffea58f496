"""How many blocks of a kernel an SM holds at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphcost.device import DeviceProfile

from .catalogue import Catalogue, Ints

Mask = NDArray[np.bool_]

_REGISTERS_PER_SM = 65536
"""32-bit registers of an SM on every architecture from Maxwell to Hopper (CUDA programming guide)."""

_ADDRESSING_REGISTERS = 40
"""Registers a thread needs beside its accumulators and operands; typical of compiled kernels (inferred)."""

_MAX_REGISTERS_PER_THREAD = 255  # CUDA programming guide
_THREADS_PER_WARP = 32
_MOST_BLOCKS = 16  # an SM holds 16 or 32; tiles never come that far
_FALLBACK_THREADS = 1536  # the smallest limit of the data-centre and embedded architectures since Maxwell but sm_75
_FALLBACK_SHARED_KIB = 64

_RESERVED_BYTES = 1024
"""What the system keeps of an SM's shared memory for a block: 163 of 164 KiB are left on sm_80 and sm_87, 99 of 100 on
sm_86 and sm_89 (CUDA programming guide, technical specifications by compute capability)."""

ELEMENT_BYTES = {"f64": 8, "f32": 4, "tf32": 4, "f16": 2, "bf16": 2, "i8": 1, "u8": 1, "f8e4m3fn": 1, "f8e5m2": 1}


@dataclass(frozen=True)
class Limits:
    """What of a device bounds residency: from the profile in its power mode."""

    sm_count: int
    threads_per_sm: int
    shared_bytes_per_sm: int


def limits_of(device: DeviceProfile) -> Limits:
    """The limits of a device's SMs; those of a small SM where its profile does not know them."""
    threads = device.max_threads_per_sm or _FALLBACK_THREADS
    return Limits(device.sm_count, threads, (device.shared_mem_per_sm_kib or _FALLBACK_SHARED_KIB) * 1024)


def blocks_per_sm(catalogue: Catalogue, precision: str, limits: Limits) -> Ints:
    """Blocks that are resident on an SM, for each kernel: the least that threads, registers and shared memory allow.

    A thread holds its share of the tile's FP32 accumulators; shared memory holds `stages` slices of both operands.
    """
    threads = catalogue.warps * _THREADS_PER_WARP
    accumulators = catalogue.tile_m * catalogue.tile_n // threads
    registers = np.minimum(accumulators + _ADDRESSING_REGISTERS, _MAX_REGISTERS_PER_THREAD) * threads
    by_threads = limits.threads_per_sm // threads
    by_registers = _REGISTERS_PER_SM // registers
    by_shared = limits.shared_bytes_per_sm // np.maximum(1, _shared_bytes(catalogue, precision))
    blocks: Ints = np.minimum(np.minimum(by_threads, by_registers), by_shared)
    return blocks.clip(1, _MOST_BLOCKS)


def launchable(catalogue: Catalogue, precision: str, limits: Limits) -> Mask:
    """Which kernels a device can launch at all: one block's slices must fit into the shared memory of an SM.

    Evidence: the engines of an RTX 3090 and an RTX 3060 Laptop (100 KiB) have TF32 only as 128x128x16_stage4 (64 KiB)
    and without shared memory, and no FP16 kernel over 96 KiB; those of A100 and Orin (164 KiB) have 256x128x32_stage3
    (144 KiB) and 128x128x32_stage4 (128 KiB). `sm86_xmma_gemm` kernels are tiles cut to 96 KiB."""
    fits: Mask = _shared_bytes(catalogue, precision) <= limits.shared_bytes_per_sm - _RESERVED_BYTES
    return fits


def _shared_bytes(catalogue: Catalogue, precision: str) -> Ints:
    """Shared memory of a block; none for kernels whose tiles do not go through it."""
    uses, edge = catalogue.shared_memory * (catalogue.tile_k > 1), catalogue.tile_m + catalogue.tile_n
    return uses * catalogue.stages * edge * catalogue.tile_k * ELEMENT_BYTES.get(precision, 4)
