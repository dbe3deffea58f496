"""Rows that are kept together when fit and test are split: by family, by source. Never by row."""

from __future__ import annotations

from collections import Counter
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


_PARTS, _ROWS_TO_DEAL = 4, 25


def families_or_parts(measurements: Sequence[Measurement]) -> list[str]:
    """For each row what is left out with it: its family. The only family of a source is dealt into parts, for without
    any of its rows nobody could tell what the host of the source adds."""
    families: dict[str, set[str]] = {}
    for row in measurements:
        families.setdefault(row.source, set()).add(row.kin)
    counts = Counter(row.source for row in measurements)
    seen: Counter[str] = Counter()
    names = []
    for row in measurements:
        part = seen[row.source] % _PARTS + 1
        seen[row.source] += 1
        alone = len(families[row.source]) == 1 and counts[row.source] >= _ROWS_TO_DEAL
        names.append(f"{row.kin}, part {part}" if alone else row.kin)
    return names


def _each(group: Callable[[Measurement], str]) -> Callable[[Sequence[Measurement]], list[str]]:
    return lambda measurements: [group(m) for m in measurements]


_GROUPS: Mapping[str, Callable[[Sequence[Measurement]], list[str]]] = {
    "family": families_or_parts,
    "source": _each(lambda m: m.source),
    "device": _each(lambda m: m.device),
    "network": _each(lambda m: m.network),
}


def folds(measurements: Sequence[Measurement], by: str = "family") -> list[Fold]:
    """One fold for each family (or `source`, `device`, `network`), by name: no row of a fold's test is in its train."""
    group = _GROUPS.get(by)
    if group is None:
        raise UnknownName("group of folds", by, _GROUPS)
    names = group(measurements)
    return [_fold(name, names, measurements) for name in sorted(set(names))]


def _fold(left_out: str, names: Sequence[str], measurements: Sequence[Measurement]) -> Fold:
    pairs = list(zip(names, measurements))
    return Fold(
        left_out,
        train=tuple(m for name, m in pairs if name != left_out),
        test=tuple(m for name, m in pairs if name == left_out),
    )
