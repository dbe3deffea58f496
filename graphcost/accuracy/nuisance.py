"""What a way of measuring adds to the time of the engine: copies, a synchronising host, a plug-in behind the network.

One constant in milliseconds for each (source, device, measure), never negative, added to predictions before they are
compared. `compute` measures what is predicted and has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphcost.measurements import Measurement

FEWEST_ROWS = 3
"""On fewer rows a constant would be the error of the model by another name."""

EXACT = "compute"


@dataclass(frozen=True)
class Constant:
    """The constant of rows that were measured alike. `rows` is what it was estimated on: rows of `own` families of a
    prediction are among them only where there is no other family."""

    source: str
    device: str
    measure: str
    constant_ms: float
    rows: int
    own: bool = False


def key_of(measurement: Measurement) -> tuple[str, str, str]:
    return measurement.source, measurement.device_spec, measurement.measure


def constant_ms(predicted: Sequence[float], measured: Sequence[float]) -> float:
    """The c ≥ 0 with the least sum of |predicted + c - measured| / measured: a median of the differences, weighted by
    1 / measured, so that no outlier and no slow network decides it."""
    pairs = sorted((m - p, 1 / m) for p, m in zip(predicted, measured))
    half, reached = sum(weight for _, weight in pairs) / 2, 0.0
    for difference, weight in pairs:
        reached += weight
        if reached >= half:
            return max(difference, 0.0)
    return 0.0
