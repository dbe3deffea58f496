"""What a clock outside the GPU sees besides the GPU's time.

The host enqueues kernels while the GPU computes: whichever takes longer decides, and where both take about as long each
waits for the other now and then. Copies, synchronisation and Python add a constant.

    seen = (gpu³ + (kernels · enqueue)³)^(1/3) + constant

Neither is part of a prediction: `analyze` predicts the GPU's time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .measurement import Measurement

Floats = NDArray[np.float64]

GPU_TIMES = frozenset({"compute"})
"""Measures that hold the GPU's time and nothing else."""

Host = tuple[str, str, str]
"""A way of measuring: source, device, measure."""

NOISE = 1.3
"""How much noisier rows of all other measures are taken to be."""

ENQUEUE_US = 30.0
"""Deviation, before the fit, of what a kernel takes to enqueue: 5 µs on a desktop, tens on a small ARM core."""

FIRST_ENQUEUE_US = 20.0
"""Where the search begins: from 0 it would ascribe to the GPU what the host takes, and stay there."""

CONSTANT_MS = 3.0
"""Deviation of a constant."""

_NORM = 3.0


def host_of(measurement: Measurement) -> Host | None:
    """The host that timed a row; None where the GPU's own clock was read."""
    if measurement.measure in GPU_TIMES:
        return None
    return measurement.source, measurement.device_spec, measurement.measure


def observed_ms(gpu_ms: Floats, enqueue_ms: Floats) -> tuple[Floats, Floats, Floats]:
    """What is seen without the constant, and its derivatives by both times."""
    seen_ms: Floats = (gpu_ms**_NORM + enqueue_ms**_NORM) ** (1 / _NORM)
    return seen_ms, (gpu_ms / seen_ms) ** (_NORM - 1), (enqueue_ms / seen_ms) ** (_NORM - 1)


def seen_ms(gpu_ms: float, enqueue_ms: float) -> float:
    """The same for one network, without derivatives."""
    if not enqueue_ms:
        return gpu_ms
    return float((gpu_ms**_NORM + enqueue_ms**_NORM) ** (1 / _NORM))
