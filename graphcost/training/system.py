"""What the system sees of a training process, and whether it fits."""

from __future__ import annotations

import math
from collections.abc import Iterable

from graphcost.device import DeviceProfile
from graphcost.ir import Node

from .allocation import Reservation

BLAS = frozenset({"onnx.Gemm", "onnx.MatMul", "onnx.Einsum", "group.attention"})
"""Operators that PyTorch hands to cuBLAS, whose libraries and handle are there once one of them runs."""

SCARCE = (0.251, 0.346)
"""Shares of RAM: idle processes keep their pages while training needs less than the first, and have lost them where it
needs more than the second. Fitted with the constants of the Jetson TX2 (tools/fit_training_memory.py)."""

ERROR = 0.066
"""Standard deviation of log(measured / predicted) system memory over 891 steps on a Jetson TX2, each network left out
of the fit in turn."""


def uses_blas(nodes: Iterable[Node]) -> bool:
    """Whether a matrix product runs outside convolutions."""
    return any(node.op in BLAS for node in nodes)


def needed_bytes(reserved: Reservation, device: DeviceProfile | None, blas: bool) -> int | None:
    """What training asks of the system: segments, context, what idle processes still hold beside them; no less than
    PyTorch takes while it starts. None where the context of the device is not known."""
    if device is None or device.pytorch_context_bytes is None:
        return None
    absent = 0 if blas else device.pytorch_blas_bytes or 0
    running = reserved.peak_reserved_bytes + device.pytorch_context_bytes - absent
    return max((device.pytorch_start_bytes or 0) - absent, running + _idle_bytes(running, device))


def _idle_bytes(running: int, device: DeviceProfile) -> int:
    """What idle processes hold in RAM beside training; their pages go as memory gets scarce."""
    if not device.idle_ram_bytes or not device.usable_ram_bytes:
        return 0
    begin, end = SCARCE
    left = (end - running / device.usable_ram_bytes) / (end - begin)
    return int(device.idle_ram_bytes * min(max(left, 0.0), 1.0))


def system_bytes(needed: int | None, device: DeviceProfile | None) -> int | None:
    """What of it the system shows: where RAM ends pages are swapped out, and a process is never seen to use more."""
    limit = None if device is None else room_bytes(device)
    return needed if needed is None or limit is None else min(needed, limit)


def room_bytes(device: DeviceProfile) -> int | None:
    """What RAM has for a process: what one was seen to hold at most, else what the system leaves."""
    return device.process_ram_bytes or device.usable_ram_bytes


def fits_probability(needed: int | None, device: DeviceProfile | None) -> float | None:
    """The chance that a step runs to its end, in RAM and swap: the logarithm of the error is taken as normal."""
    room = None if device is None else room_bytes(device)
    if needed is None or device is None or not room:
        return None
    limit = room + (device.process_swap_bytes or 0)
    return 0.5 * math.erfc(math.log(needed / limit) / (ERROR * math.sqrt(2)))
