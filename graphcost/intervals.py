"""90 % intervals that mean what they say: split conformal prediction over what was left out of the fit.

The score of a row is `log(measured / predicted)`, a residual normalised by the predicted scale. Rows of a family are
scored by a model that never saw the family; an interval is the predicted latency times the quantiles of these scores,
taken so that a new row falls inside with at least the asked probability whatever the distribution (Vovk et al. 2005;
for latencies of layers: Wess et al. 2024, doi 10.1109/ACCESS.2024.3439850).

A network's interval is calibrated on networks: the errors of its kernels partly cancel, so that it is narrower than the
sum of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .cost import Cost, CostModel
    from .device import DeviceProfile

COVERAGE = 0.9

ENOUGH_FOR_A_BOARD = 39
"""So many rows give a board quantiles of its own: from 19 on a tail of 5 % can be told at all, by the most extreme row
alone; with twice as many it does not hang on one row. Boards with fewer share the rows of all."""


class Factors(NamedTuple):
    """An interval as factors of the predicted latency: (0.8, 1.25)."""

    low: float
    high: float


def conformal_factors(ratios: Sequence[float], coverage: float = COVERAGE) -> Factors | None:
    """The factors within which measured / predicted of a new row lies with at least this probability.

    `ratios` are measured / predicted of rows that were left out. With n rows the quantile of level q is the
    ceil(q·(n + 1))-th of them: each tail by itself where there are enough rows to tell it, else one for both sides.
    None where even that cannot be told: below 9 rows for 90 %.
    """
    scores = sorted(map(math.log, ratios))
    tail = (1 - coverage) / 2
    cut = math.floor(tail * (len(scores) + 1) + 1e-9)
    if cut >= 1:
        return Factors(math.exp(scores[cut - 1]), math.exp(scores[-cut]))
    rank = math.ceil(coverage * (len(scores) + 1) - 1e-9)
    if rank > len(scores):
        return None
    width = sorted(map(abs, scores))[rank - 1]
    return Factors(math.exp(-width), math.exp(width))


def board_factors(ratios: Mapping[str, Sequence[float]], coverage: float = COVERAGE) -> dict[str, Factors | None]:
    """Factors by board: from its own rows where there are enough, from those of all boards together where not."""
    pooled = conformal_factors([ratio for rows in ratios.values() for ratio in rows], coverage)
    return {
        board: conformal_factors(rows, coverage) if len(rows) >= ENOUGH_FOR_A_BOARD else pooled
        for board, rows in ratios.items()
    }


def factors_from_others(family: str, rows: Iterable[tuple[str, str, float]]) -> dict[str, Factors | None]:
    """Factors by board for a family that they have not seen: `rows` are family, board and measured / predicted."""
    ratios: dict[str, list[float]] = {}
    for kin, board, ratio in rows:
        ratios.setdefault(board, []).extend([] if kin == family else [ratio])
    return board_factors(ratios)


def total_interval_ms(
    costs: Iterable[Cost], models: Sequence[CostModel], device: DeviceProfile | None
) -> tuple[float | None, float | None]:
    """The 90 % interval of a network, in ms: that of totals for the part that a model with such knowledge estimated,
    the sum of the kernels' ends for the rest. None as soon as one kernel is unknown."""
    parts: dict[str, list[Cost]] = {}
    for cost in costs:
        parts.setdefault(cost.model, []).append(cost)
    factors = {} if device is None else _total_factors(models, device)
    ends = [_ends(part, factors.get(model)) for model, part in parts.items()]
    return _sum([low for low, _ in ends]), _sum([high for _, high in ends])


def _total_factors(models: Sequence[CostModel], device: DeviceProfile) -> dict[str, Factors]:
    from .cost import KnowsTotals

    told = {model.name: model.total_factors(device) for model in models if isinstance(model, KnowsTotals)}
    return {name: Factors(*factors) for name, factors in told.items() if factors is not None}


def _ends(costs: Sequence[Cost], factors: Factors | None) -> tuple[float | None, float | None]:
    if factors is None:
        return _sum([cost.low_ms for cost in costs]), _sum([cost.high_ms for cost in costs])
    latency_ms = _sum([cost.latency_ms for cost in costs])
    return (None, None) if latency_ms is None else (latency_ms * factors.low, latency_ms * factors.high)


def _sum(parts: Sequence[float | None]) -> float | None:
    """None as soon as one part is: an unknown is no zero."""
    return None if any(part is None for part in parts) else sum(part for part in parts if part is not None)
