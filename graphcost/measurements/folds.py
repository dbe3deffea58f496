"""Rows that are kept together when fit and test are split: by family, by source. Never by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from graphcost.errors import UnknownName

from .measurement import Measurement


@dataclass(frozen=True)
class Fold:
    """`test` is the group that is left out, `train` all other rows."""

    left_out: str
    train: tuple[Measurement, ...]
    test: tuple[Measurement, ...]


_GROUPS: Mapping[str, Callable[[Measurement], str]] = {
    "family": lambda m: m.kin,
    "source": lambda m: m.source,
    "device": lambda m: m.device,
    "network": lambda m: m.network,
}


def folds(measurements: Sequence[Measurement], by: str = "family") -> list[Fold]:
    """One fold for each family (or `source`, `device`, `network`), by name: no row of a fold's test is in its train."""
    group = _GROUPS.get(by)
    if group is None:
        raise UnknownName("group of folds", by, _GROUPS)
    names = [group(m) for m in measurements]
    return [_fold(name, names, measurements) for name in sorted(set(names))]


def _fold(left_out: str, names: Sequence[str], measurements: Sequence[Measurement]) -> Fold:
    pairs = list(zip(names, measurements))
    return Fold(
        left_out,
        train=tuple(m for name, m in pairs if name != left_out),
        test=tuple(m for name, m in pairs if name == left_out),
    )
