"""A prediction beside a real engine, in words: what corresponds, what the totals say, which rows come first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from graphcost.engine.comparison import PROFILER_MS, STATUSES, Comparison, Match
from graphcost.engine.groups import By

from .units import UNKNOWN, milliseconds, plural, share, significant

if TYPE_CHECKING:
    from . import Sorting


def tally(found: Comparison) -> str:
    """`same 57, merged differently 3, only in engine 4: 93.4 % of the engine's layers are predicted as they are`."""
    counts = ", ".join(f"{status} {found.count(status):,}" for status in STATUSES if found.count(status))
    return f"{counts or 'nothing'}: {share(found.same_share)} of the engine's layers are predicted as they are"


def verdict(found: Comparison) -> str:
    """`predicted 3.100 ms, measured 3.400 ms: 0.912 ×`, as far as both are known."""
    measured = found.measured_ms
    told = f"predicted {milliseconds(found.predicted_ms)}"
    if measured is None:
        return told
    return f"{told}, measured {milliseconds(measured)} as the sum of its layers: {ratio(found.predicted_ms, measured)}"


def overhead(found: Comparison) -> str:
    """What of the measured sum is the profiler's; nothing without times."""
    if found.measured_ms is None:
        return ""
    low, high = found.profiler_ms
    per_layer = f"{PROFILER_MS[0] * 1e3:g} to {PROFILER_MS[1] * 1e3:g} µs a layer"
    return f"of the measured sum {significant(low, 2)} … {significant(high, 2)} ms are the profiler's own ({per_layer})"


def ratio(predicted_ms: float | None, measured_ms: float | None) -> str:
    """`0.91 ×`: predicted / measured; unknown where one side is, or has nothing."""
    if not predicted_ms or not measured_ms:
        return UNKNOWN
    return f"{significant(predicted_ms / measured_ms, 3)} ×"


def what(match: Match) -> str:
    """How a match is not simply the same: `2 kernels for 1 layer`, `only in engine`, `by its place`."""
    if match.status == "merged differently":
        return f"{plural(len(match.predicted), 'kernel')} for {plural(len(match.measured), 'layer')}"
    if match.status != "same":
        return match.status
    if len(match.predicted) > 1:
        return f"a region of {plural(len(match.predicted), 'kernel')}"
    return _HOW[match.by]


_HOW: Mapping[By, str] = {"nodes": "", "swap": "a sum in its neighbour", "place": "by its place"}


def in_order(found: Comparison, sorting: Sorting | None = None) -> list[Match]:
    """The matches sorted: without a wish by the difference where there are times, else by status and prediction."""
    if sorting is None:
        sorting = "difference" if found.engine.has_times else "predicted"
    key = _KEYS[sorting]
    return list(found.matches) if key is None else sorted(found.matches, key=key)


def _by_ratio(match: Match) -> float:
    predicted, measured = match.predicted_ms, match.measured_ms
    return -max(predicted / measured, measured / predicted) if predicted and measured else float("inf")


_KEYS: Mapping[Sorting, Callable[[Match], float] | None] = {
    "difference": lambda match: -abs(match.difference_ms or 0.0),
    "ratio": _by_ratio,
    "measured": lambda match: -(match.measured_ms or 0.0),
    "predicted": lambda match: -(match.predicted_ms or 0.0),
    "order": None,
}


def sides(match: Match) -> list[tuple[str, str]]:
    """Both sides of a match in full: `("engine", name)` for each layer, `("predicted", name)` for each kernel."""
    layers = [("engine", layer.name) for layer in match.measured]
    return layers + [("predicted", kernel.name) for kernel in match.predicted]


def differing(found: Sequence[Match]) -> list[Match]:
    """The matches that are merged differently."""
    return [match for match in found if match.status == "merged differently"]
