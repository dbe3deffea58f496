"""Step-function latency: tiles, waves, a memory roof and a launch, with few parameters that are fitted to boards.

    T = launch + (compute³ + memory³)^(1/3)        for each kernel, compute the least over its tactics

docs/latency.md has the equations, what is fitted, to what, and with what error.
"""

from __future__ import annotations

from .model import STEPS, Steps

__all__ = ["STEPS", "Steps"]
