"""One model on several boards, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .api import Source, analyze
from .report import Kernel, Report


@dataclass(frozen=True)
class KernelRow:
    """What stands for some ONNX nodes: on each board the kernel, or None where that board's runtime has another one."""

    name: str
    kernels: tuple[Kernel | None, ...]


@dataclass(frozen=True)
class Boards:
    """The reports of a model, one for each board, in the order in which they were asked for."""

    reports: tuple[Report, ...]

    def rows(self) -> Iterator[KernelRow]:
        """Kernels by what they were made of, in the order of the first board; those that only later boards have come
        behind. What has no origin (a reformat) goes by its name."""
        tables = [{_identity(kernel): kernel for kernel in report.kernels} for report in self.reports]
        for key in dict.fromkeys(key for table in tables for key in table):
            kernels = tuple(table.get(key) for table in tables)
            yield KernelRow(next(kernel.name for kernel in kernels if kernel is not None), kernels)


def biggest(rows: Sequence[KernelRow], count: int) -> list[KernelRow]:
    """The rows that have the largest share of the latency on any board, the largest first."""

    def share(row: KernelRow) -> float:
        return max((kernel.share or 0.0 for kernel in row.kernels if kernel is not None), default=0.0)

    return sorted(rows, key=share, reverse=True)[:count]


def compare_boards(model: Source, devices: Sequence[str], **options: Any) -> Boards:
    """Analyse a model for each device; the options are those of `graphcost.api.run`, and hold for all."""
    return Boards(tuple(analyze(model, device, **options) for device in devices))


def split_devices(text: str) -> list[str]:
    """`nano,tx2@MAXN` → two devices; the path of a file may hold commas."""
    if Path(text.rpartition("@")[0] or text).exists():
        return [text]
    return [part.strip() for part in text.split(",") if part.strip()]


def _identity(kernel: Kernel) -> tuple[str, ...]:
    return tuple(sorted(kernel.origin)) or (kernel.name,)
