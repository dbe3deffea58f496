"""What convolutions take: physics times what was learned of single operators, where an architecture was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from graphcost.cost import Bound, Cost, Estimate, KernelQuery, Refusal, Trust
from graphcost.device import DeviceProfile

from .features import NAMES, features
from .fitted import Fit, fit_of
from .physics import Machine, Times, machine_of, times
from .table import Floats, is_convolution, table_of

FLOOR_US = 5.0
"""Of devices whose profile does not know it: the smallest kernels of Orin and of an RTX 3060 Laptop take so long."""

_CHUNK = 20_000  # operators at a time: arrays of 10 MB


def estimate(queries: Sequence[KernelQuery], device: DeviceProfile, model: str) -> list[Estimate]:
    """One answer for each query, in order, in the name of a model; refusals for all but convolutions."""
    answers: list[Estimate] = [_refusal(query, device) for query in queries]
    for precision in dict.fromkeys(query.precision for query in queries):
        own = [i for i, q in enumerate(queries) if q.precision == precision and is_convolution(q)]
        for i, cost in zip(own, _of_one_precision([queries[i] for i in own], device, precision, model)):
            answers[i] = cost
    return answers


def _of_one_precision(
    queries: Sequence[KernelQuery], device: DeviceProfile, precision: str, model: str
) -> Iterator[Estimate]:
    """The costs of convolutions, in order; none at all where nothing was measured or a rate is not known."""
    fit = fit_of(device, precision)
    machine = machine_of(device, precision, fit.unit) if fit else None
    if fit is None or machine is None:
        return
    for start in range(0, len(queries), _CHUNK):
        yield from _costs(queries[start : start + _CHUNK], fit, machine, device, model)


def _refusal(query: KernelQuery, device: DeviceProfile) -> Refusal:
    if not is_convolution(query):
        return Refusal("not a single convolution of known sizes")
    return Refusal(f"no convolution in {query.precision} was measured on {device.sm}")


def _costs(
    queries: Sequence[KernelQuery], fit: Fit, machine: Machine, device: DeviceProfile, model: str
) -> list[Estimate]:
    table = table_of(queries)
    found = times(table, fit.catalogue, machine, fit.parameters)
    x = features(table, found, fit.catalogue, machine)
    row_ms = found.total_ms[:, 0] * fit.residual.predict(x)
    latency_ms = np.maximum(_bounded(found, row_ms, machine, fit) - fit.overhead_us / 1e3, _floor_ms(device))
    trust = Trust.FITTED if device.id in fit.devices else Trust.PRIOR
    low, high = fit.interval
    return [
        Cost(
            latency_ms=float(latency_ms[i]),
            low_ms=float(latency_ms[i] * low),
            high_ms=float(latency_ms[i] * high),
            bound=_bound(found, i),
            trust=trust,
            model=model,
            tactic=_tactic(queries[i], fit, int(found.tactic[i, 0])),
            extrapolates=_outside(x[i], fit),
        )
        for i in range(len(queries))
    ]


def _tactic(query: KernelQuery, fit: Fit, chosen: int) -> str | None:
    """The kernel that was decided, else the one that is fastest by physics; of depthwise kernels no tiles are known."""
    decided = query.attrs.get("tactic")
    if isinstance(decided, str):
        return decided
    return None if query.kind == "depthwise" else fit.catalogue.kernels[chosen].name


def _bounded(found: Times, latency_ms: Floats, machine: Machine, fit: Fit) -> Floats:
    """Never below what the peak bandwidth allows: the residual does not overrule physics. Caches may serve what is
    within them, so that the bound holds for operators beyond."""
    least_ms = found.memory_ms[:, 0] * fit.parameters.memory_share
    cached = least_ms / 1e3 * machine.bytes_per_s <= machine.l2_bytes
    return np.maximum(latency_ms, np.where(cached, 0.0, least_ms))


def _floor_ms(device: DeviceProfile) -> float:
    """The smallest kernel's time."""
    return (device.kernel_floor_us or FLOOR_US) / 1e3


def _bound(found: Times, i: int) -> Bound:
    terms = {
        Bound.COMPUTE: float(found.compute_ms[i, 0]),
        Bound.MEMORY: float(found.memory_ms[i, 0]),
        Bound.LAUNCH: found.launch_ms,
    }
    return max(terms, key=lambda bound: terms[bound])


def _outside(row: Floats, fit: Fit) -> tuple[str, ...]:
    """Which features lie outside those of the rows that were fitted."""
    return tuple(
        f"{name.replace('_', ' ')} {value:.3g} is outside of the measured {low:.3g} to {high:.3g}"
        for name, value, (low, high) in zip(NAMES, row, fit.ranges)
        if not low <= value <= high
    )
