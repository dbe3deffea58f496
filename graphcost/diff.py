"""What changed between two reports: kernels matched by the ONNX nodes that they stand for, and the totals.

Two runtimes, or two precisions, fuse differently and name their kernels differently; the ONNX names are what stays.
Kernels that share a node form one row, on each side as many as there are, so that the rows still sum to the totals.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from .disjoint_sets import DisjointSets
from .gate import METRICS, value_of
from .report import Kernel, Report, Totals

Measure: TypeAlias = Literal["latency", "macs", "flops", "bytes"]
MEASURES: tuple[Measure, ...] = get_args(Measure)

_SAME = 1e-9  # relative: the same sum in another order


@dataclass(frozen=True)
class Delta:
    """A figure before and after, None where unknown. Absent kernels count as 0: they take nothing."""

    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def part(self) -> float | None:
        """The change as a part of what was before; None where that is unknown or nothing."""
        return None if self.change is None or not self.before else self.change / self.before

    @property
    def is_same(self) -> bool:
        if self.before is None or self.after is None:
            return self.before is self.after
        return math.isclose(self.before, self.after, rel_tol=_SAME)


@dataclass(frozen=True)
class DiffRow:
    """Kernels of both sides that stand for the same ONNX nodes; `origin` are these nodes."""

    before: tuple[Kernel, ...]
    after: tuple[Kernel, ...]
    amount: Delta
    origin: tuple[str, ...]

    @property
    def status(self) -> Literal["added", "removed", "changed", "unchanged"]:
        """Whether the figure changed; a kernel of the same figure that has another name is unchanged."""
        if not self.before or not self.after:
            return "removed" if self.before else "added"
        return "unchanged" if self.amount.is_same else "changed"

    @property
    def name(self) -> str:
        """That of the kernel; of several the first, and how many follow."""
        kernels = self.after or self.before
        if len(self.after) > 1 and len(self.before) == 1:
            kernels = self.before
        return kernels[0].name + (f" [+{len(kernels) - 1}]" if len(kernels) > 1 else "")


@dataclass(frozen=True)
class Diff:
    """Rows sorted by change, the biggest first; figures of totals by key; figures of kinds by name."""

    before: Report
    after: Report
    measure: Measure
    rows: tuple[DiffRow, ...]
    totals: Mapping[str, Delta]
    kinds: Mapping[str, Delta]
    warnings: tuple[str, ...]

    @property
    def total(self) -> Delta:
        """The measure over all kernels."""
        return _total(self.measure, self.totals)

    @property
    def has_matches(self) -> bool:
        """Whether any kernel has a counterpart; two networks without one have no ONNX name in common."""
        return any(row.before and row.after for row in self.rows)

    def count(self, status: str) -> int:
        return sum(row.status == status for row in self.rows)


def compare(before: Report, after: Report, measure: Measure | None = None) -> Diff:
    """The difference of two reports. Without a `measure`: latency where both know it, else bytes."""
    measure = measure or _natural(before, after)
    rows = [_row(old, new, measure) for old, new in match(before.kernels, after.kernels)]
    return Diff(
        before,
        after,
        measure,
        tuple(sorted(rows, key=_biggest_change_first)),
        totals=_totals(before.totals, after.totals),
        kinds=_kinds(before.kernels, after.kernels, measure),
        warnings=tuple(_warnings(before, after, rows)),
    )


def match(before: Sequence[Kernel], after: Sequence[Kernel]) -> list[tuple[list[Kernel], list[Kernel]]]:
    """Groups of kernels that share an ONNX node of the same phase, in the order of the second report, then what only
    the first has. Kernels without a node, such as reformats, are matched by their names."""
    numbers: dict[_Key, int] = {}
    sides = (_numbered(before, numbers), _numbered(after, numbers))
    sets = DisjointSets(len(numbers))
    for members in (*sides[0], *sides[1]):
        sets.unite(members)
    groups: dict[int, tuple[list[Kernel], list[Kernel]]] = {}
    for side, kernels in ((1, after), (0, before)):
        for kernel, members in zip(kernels, sides[side]):
            groups.setdefault(sets.find(members[0]), ([], []))[side].append(kernel)
    return list(groups.values())


_Key: TypeAlias = "tuple[str, str, int]"


def _numbered(kernels: Sequence[Kernel], numbers: dict[_Key, int]) -> list[list[int]]:
    """What each kernel is matched by, each key as its number in `numbers`, which grows."""
    seen: Counter[str] = Counter()
    return [[numbers.setdefault(key, len(numbers)) for key in _keys(kernel, seen)] for kernel in kernels]


def _keys(kernel: Kernel, seen: Counter[str]) -> list[_Key]:
    """Phase and node, for each node; phase, name and which one of that name where there is no node."""
    if kernel.origin:
        return [(kernel.phase, node, -1) for node in kernel.origin]
    seen[kernel.name] += 1
    return [(kernel.phase, kernel.name, seen[kernel.name])]


def _row(before: list[Kernel], after: list[Kernel], measure: Measure) -> DiffRow:
    nodes = dict.fromkeys(node for kernel in (*after, *before) for node in kernel.origin)
    return DiffRow(tuple(before), tuple(after), Delta(_sum(before, measure), _sum(after, measure)), tuple(nodes))


def _sum(kernels: Iterable[Kernel], measure: Measure) -> float | None:
    """Unknown as soon as one of the kernels is."""
    values = [_AMOUNTS[measure](kernel) for kernel in kernels]
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _moved(kernel: Kernel) -> int | None:
    if kernel.bytes_read is None or kernel.bytes_written is None:
        return None
    return kernel.bytes_read + kernel.bytes_written


_AMOUNTS: Mapping[Measure, Callable[[Kernel], float | None]] = {
    "latency": lambda kernel: kernel.latency_ms,
    "macs": lambda kernel: kernel.macs,
    "flops": lambda kernel: kernel.flops,
    "bytes": _moved,
}


def _natural(before: Report, after: Report) -> Measure:
    known = before.totals.latency_ms is not None and after.totals.latency_ms is not None
    return "latency" if known else "bytes"


def _biggest_change_first(row: DiffRow) -> float:
    """Unknown changes first: they may be the biggest."""
    return float("-inf") if row.amount.change is None else -abs(row.amount.change)


def _totals(before: Totals, after: Totals) -> dict[str, Delta]:
    """Every figure of the totals by its key; those of coverage as `coverage.nodes`, those of a training step where
    one of the two is one."""
    trains = before.training is not None or after.training is not None
    keys = [key for key in METRICS if trains or not key.startswith("training.")]
    return {key: Delta(value_of(before, key), value_of(after, key)) for key in keys}


def _total(measure: Measure, totals: Mapping[str, Delta]) -> Delta:
    if measure != "bytes":
        return totals["latency_ms" if measure == "latency" else measure]
    read, written = totals["bytes_read"], totals["bytes_written"]
    return Delta(_plus(read.before, written.before), _plus(read.after, written.after))


def _plus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b


def _kinds(before: Sequence[Kernel], after: Sequence[Kernel], measure: Measure) -> dict[str, Delta]:
    """The measure of each kind of kernel, kinds in order of appearance."""
    kinds: dict[str, tuple[list[Kernel], list[Kernel]]] = {}
    for number, side in ((1, after), (0, before)):
        for kernel in side:
            kinds.setdefault(kernel.kind, ([], []))[number].append(kernel)
    return {kind: Delta(_sum(old, measure), _sum(new, measure)) for kind, (old, new) in kinds.items()}


def _warnings(before: Report, after: Report, rows: Sequence[DiffRow]) -> Iterable[str]:
    if before.kernels and after.kernels and not any(row.before and row.after for row in rows):
        yield "no ONNX node is in both reports under one name: only totals and kinds can be compared"
    for what in ("device", "power_mode", "runtime", "precision", "mode", "batch"):
        old, new = getattr(before.target, what), getattr(after.target, what)
        if old != new:
            yield f"the {what.replace('_', ' ')} differs: {old or 'none'} and {new or 'none'}"
