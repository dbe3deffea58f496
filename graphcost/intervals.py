"""90 % intervals that mean what they say: split conformal prediction over what was left out of the fit.

The score of a row is `log(measured / predicted)`, a residual normalised by the predicted scale. Rows of a family are
scored by a model that never saw the family; an interval is the predicted latency times the quantiles of these scores,
taken so that a new row falls inside with at least the asked probability whatever the distribution (Vovk et al. 2005;
for latencies of layers: Wess et al. 2024, doi 10.1109/ACCESS.2024.3439850).

Rows of one family err alike, so that it is families that are drawn anew and not rows: a family of many rows weighs as
much as a few in the quantiles (the pooled distribution of Dunn, Wasserman and Ramdas 2022, doi
10.1080/01621459.2022.2060112), else the interval would speak of sizes of known networks.

A network's interval is calibrated on networks: the errors of its kernels partly cancel, so that it is narrower than the
sum of theirs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from .cost import Cost, CostModel
    from .device import DeviceProfile

COVERAGE = 0.9

ROWS_OF_A_FAMILY = 10
"""A family of more rows weighs as much as this many: sizes and widths of one network are no independent witnesses."""

ENOUGH_FOR_A_BOARD = 39
"""So many rows give a board quantiles of its own: from 19 on a tail of 5 % can be told at all, by the most extreme row
alone; with twice as many it does not hang on one row. Boards with fewer share the rows of all. Those of a large family
count as they weigh."""


class Factors(NamedTuple):
    """An interval as factors of the predicted latency: (0.8, 1.25)."""

    low: float
    high: float


class Kin(NamedTuple):
    """A row that was left out: its family, and measured over predicted."""

    family: str
    ratio: float


def family_weights(families: Sequence[str]) -> list[float]:
    """What each row counts, that of a large family as part of it."""
    sizes = Counter(families)
    return [min(1.0, ROWS_OF_A_FAMILY / sizes[family]) for family in families]


def conformal_factors(
    ratios: Sequence[float], coverage: float = COVERAGE, weights: Sequence[float] | None = None
) -> Factors | None:
    """The factors within which measured / predicted of a new row lies with at least this probability.

    `ratios` are measured / predicted of rows that were left out, `weights` what each counts, the new one 1. With n rows
    of weight 1 the quantile of level q is the ceil(q·(n + 1))-th of them: each tail by itself where there are enough
    rows to tell it, else one for both sides. None where even that cannot be told: below 9 rows for 90 %.
    """
    scores = [(math.log(ratio), weight) for ratio, weight in zip(ratios, weights or [1.0] * len(ratios))]
    total = sum(weight for _, weight in scores) + 1
    tail = (1 - coverage) / 2 * total
    low, high = _outermost(sorted(scores), tail), _outermost(sorted(scores, reverse=True), tail)
    if low is not None and high is not None:
        return Factors(math.exp(low), math.exp(high))
    width = _reaching(sorted((abs(score), weight) for score, weight in scores), coverage * total)
    return None if width is None else Factors(math.exp(-width), math.exp(width))


_ROUNDING = 1e-9

_Scores: TypeAlias = "Sequence[tuple[float, float]]"


def _outermost(scores: _Scores, tail: float) -> float | None:
    """The last score up to which no more than the tail has been counted; None where the first is more already."""
    found, counted = None, 0.0
    for score, weight in scores:
        counted += weight
        if counted > tail + _ROUNDING:
            break
        found = score
    return found


def _reaching(scores: _Scores, level: float) -> float | None:
    """The first score with which the level is counted; None where all together do not reach it."""
    counted = 0.0
    for score, weight in scores:
        counted += weight
        if counted >= level - _ROUNDING:
            return score
    return None


def board_factors(rows: Mapping[str, Sequence[Kin]], coverage: float = COVERAGE) -> dict[str, Factors | None]:
    """Factors by board: from its own rows where there are enough, from those of all boards together where not."""
    pooled = _of_kin([kin for members in rows.values() for kin in members], coverage)
    return {board: _of_kin(members, coverage) if _is_enough(members) else pooled for board, members in rows.items()}


def _of_kin(rows: Sequence[Kin], coverage: float) -> Factors | None:
    return conformal_factors([kin.ratio for kin in rows], coverage, family_weights([kin.family for kin in rows]))


def _is_enough(rows: Sequence[Kin]) -> bool:
    return sum(family_weights([kin.family for kin in rows])) >= ENOUGH_FOR_A_BOARD


def factors_from_others(family: str, rows: Iterable[tuple[str, str, float]]) -> dict[str, Factors | None]:
    """Factors by board for a family that they have not seen: `rows` are family, board and measured / predicted."""
    others: dict[str, list[Kin]] = {}
    for kin, board, ratio in rows:
        others.setdefault(board, []).extend([] if kin == family else [Kin(kin, ratio)])
    return board_factors(others)


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
