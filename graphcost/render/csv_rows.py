"""A report as comma-separated values: a row per kernel in execution order, numbers as they are, unknown empty."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from graphcost.report import Kernel, Report, Tensor

from .rows import select
from .summary import tensor_type

if TYPE_CHECKING:
    from . import Order

_JOIN = "; "


def _tensors(tensors: tuple[Tensor, ...]) -> str:
    return _JOIN.join(f"{tensor.name}: {tensor_type(tensor)}" for tensor in tensors)


# Column -> what stands in it; the names are those of the JSON report.
_COLUMNS: Mapping[str, Callable[[Kernel], object]] = {
    "name": lambda k: k.name,
    "op": lambda k: k.op,
    "kind": lambda k: k.kind,
    "phase": lambda k: k.phase,
    "tactic": lambda k: k.tactic,
    "precision": lambda k: k.precision,
    "latency_ms": lambda k: k.latency_ms,
    "latency_low_ms": lambda k: k.latency_low_ms,
    "latency_high_ms": lambda k: k.latency_high_ms,
    "share": lambda k: k.share,
    "macs": lambda k: k.macs,
    "flops": lambda k: k.flops,
    "elementwise_ops": lambda k: k.elementwise_ops,
    "bytes_read": lambda k: k.bytes_read,
    "bytes_written": lambda k: k.bytes_written,
    "bound": lambda k: k.bound,
    "trust": lambda k: k.trust,
    "region": lambda k: k.region,
    "extrapolates": lambda k: _JOIN.join(k.extrapolates),
    "origin": lambda k: _JOIN.join(k.origin),
    "inputs": lambda k: _tensors(k.inputs),
    "outputs": lambda k: _tensors(k.outputs),
}


def render_csv(report: Report, sort: Order | None = None, top: int | None = None) -> str:
    """A heading and the rows. All of them unless `top` says how many; there is no row of totals."""
    rows = select(report, sort or "order", top or 0).shown
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", *_COLUMNS])
    for row in rows:
        writer.writerow([row.number, *(value(row.kernel) for value in _COLUMNS.values())])
    return text.getvalue()
