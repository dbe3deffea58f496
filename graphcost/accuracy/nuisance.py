"""What a way of measuring adds to the time of the engine: copies, a synchronising host, a plug-in behind the network, a
CPU that enqueues kernels more slowly than the GPU computes them (`graphcost/measurements/host.py`).

One constant in milliseconds for each (source, device, measure), and a time to enqueue a kernel where there are enough
rows to tell it; neither is negative. `compute` measures what is predicted and has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from graphcost.measurements.host import seen_ms

FEWEST_ROWS = 3
"""On fewer rows a constant would be the error of the model by another name."""

FEWEST_TO_ENQUEUE = 20
"""And on fewer a time to enqueue."""

_ENQUEUE_US = range(61)
"""What is tried: from a desktop to an ARM core of 2015 with much Python around the engine."""


@dataclass(frozen=True)
class Constant:
    """What was added to rows that were measured alike. `rows` is what it was estimated on: rows of `own` families of a
    prediction are among them only where there is no other family."""

    source: str
    device: str
    measure: str
    constant_ms: float
    rows: int
    own: bool = False
    enqueue_us: float = 0.0


class Added(NamedTuple):
    """What a host adds: microseconds to enqueue each kernel, and a constant."""

    enqueue_us: float = 0.0
    constant_ms: float = 0.0


class Seen(NamedTuple):
    """A row as the estimate needs it: the engine's predicted time, its kernels, what was measured."""

    engine_ms: float
    kernels: int
    measured_ms: float


def added_by(rows: Sequence[Seen]) -> Added:
    """What leaves the least sum of |predicted - measured| / measured."""
    if len(rows) < FEWEST_ROWS:
        return Added()
    tried = _ENQUEUE_US if len(rows) >= FEWEST_TO_ENQUEUE else range(1)
    return min((_with_enqueue(rows, float(us)) for us in tried), key=lambda found: found[0])[1]


def _with_enqueue(rows: Sequence[Seen], enqueue_us: float) -> tuple[float, Added]:
    seen = [seen_ms(row.engine_ms, row.kernels * enqueue_us * 1e-3) for row in rows]
    constant = constant_ms(seen, [row.measured_ms for row in rows])
    loss = sum(abs(ms + constant - row.measured_ms) / row.measured_ms for ms, row in zip(seen, rows))
    return loss, Added(enqueue_us, constant)


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
