"""Host and GPU side by side: eager execution queues kernels ahead, so that a step takes the longer of both, nearly.

    step = (gpu^P + host^P)^(1/P)

P = 1 would be one after the other, infinity the longer of both. Steps of MnasNet pruned by 90 % on a TX2 take the same
time from 2 to 8 images, 113 ms, which is the host's; larger ones take what the GPU does.
"""

from __future__ import annotations

import numpy as np

from .composition import Floats
from .features import NAMES

P = 1.5
"""Of 1, 1.5 and 2 the best on networks left out; 2 is a little better on networks pruned otherwise."""

HOST = np.array([name in ("launches", "parameters", "convolutions") for name in NAMES])
"""Which amounts the host pays for."""


def step_ms(amounts: Floats, prices: Floats) -> tuple[Floats, Floats]:
    """Milliseconds of steps, (steps,), and their derivatives by what each amount costs, (steps, names): as the step is
    homogeneous in these costs, costs times derivatives sum to the step."""
    costs = amounts * prices
    gpu, host = costs[:, ~HOST].sum(axis=1), costs[:, HOST].sum(axis=1)
    total = np.maximum((gpu**P + host**P) ** (1 / P), 1e-12)
    share = np.where(HOST, ((host / total) ** (P - 1))[:, None], ((gpu / total) ** (P - 1))[:, None])
    return total, share
