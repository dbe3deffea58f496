"""Thresholds that a build can break: `latency>30ms`, `peak_memory>1GiB`; between two reports also `latency>+5%`.

Unknown never passes: where a threshold needs a number that the report does not have, the answer is "cannot tell".
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import Literal, TypeAlias

from .errors import UnknownName, UsageError
from .report import Coverage, Report, Totals, TrainingTotals

Quantity: TypeAlias = Literal["time", "bytes", "count", "share"]

ALIASES: Mapping[str, str] = {
    "latency": "latency_ms",
    "latency_low": "latency_low_ms",
    "latency_high": "latency_high_ms",
    "throughput": "inferences_per_s",
    "peak_memory": "total_memory_bytes",
    "activations": "peak_activation_bytes",
    "arena": "arena_bytes",
    "weights": "weight_bytes",
    "workspace": "workspace_bytes",
    "context": "context_bytes",
    "coverage": "coverage.nodes",
    "step": "training.step_ms",
    "training_peak": "training.peak_allocated_bytes",
}

# How much of a metric's own unit (ms, bytes, one, a share of one) a unit is.
_UNITS: Mapping[Quantity, Mapping[str, float]] = {
    "time": {"ms": 1.0, "us": 1e-3, "µs": 1e-3, "s": 1e3},
    "bytes": {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30},
    "count": {"K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12},
    "share": {"%": 0.01},
}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_FORM = re.compile(
    r"\s*(?P<metric>[A-Za-z_.]+)\s*(?P<op>[<>]=?)\s*(?P<sign>[+-]?)"
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE]\d+)?)\s*(?P<unit>\S*)\s*"
)


class Outcome(Enum):
    """What a threshold says about a report."""

    PASSED = 0
    BROKEN = 1
    CANNOT_TELL = 4


@dataclass(frozen=True)
class Gate:
    """Fail if `metric` stands in this relation to `limit` (in the metric's own unit: ms, bytes, one, share of one).

    `relative` limits bound the change against another report: by a part of it (`+5%`) or by an amount (`+1MiB`).
    """

    text: str
    metric: str
    op: str
    limit: float
    relative: Literal["part", "amount"] | None = None


@dataclass(frozen=True)
class Verdict:
    """A gate's answer, in one sentence."""

    outcome: Outcome
    sentence: str


def _quantity(key: str) -> Quantity:
    if key.endswith("_ms"):
        return "time"
    if key.endswith("_probability"):
        return "share"
    return "bytes" if "bytes" in key.split("_") else "count"


_WORDS = ("peak_at", "at_peak", "timeline")  # of a training step: no figures

METRICS: Mapping[str, Quantity] = {
    **{f.name: _quantity(f.name) for f in fields(Totals) if f.name not in ("coverage", "training")},
    **{f"coverage.{f.name}": "share" for f in fields(Coverage)},
    **{f"training.{f.name}": _quantity(f.name) for f in fields(TrainingTotals) if f.name not in _WORDS},
}
"""What a threshold can bound: the keys of the report's totals."""


def parse_gates(texts: Iterable[str], compares: bool) -> list[Gate]:
    """The gates that texts describe. Without a comparison (`compares`), those that bound a change are refused."""
    gates = [parse_gate(text) for text in texts]
    changes = [gate.text for gate in gates if gate.relative]
    if changes and not compares:
        raise UsageError(f"threshold {changes[0]!r} bounds a change: use it with `graphcost diff BEFORE AFTER`")
    return gates


def parse_gate(text: str) -> Gate:
    """The gate that `METRIC OP VALUE UNIT` describes. UsageError says what would be accepted."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise UsageError(f"threshold {text!r} is not METRIC > VALUE UNIT, such as 'latency>30ms' or 'peak_memory>1GiB'")
    metric = ALIASES.get(match["metric"], match["metric"])
    if metric not in METRICS:
        raise UnknownName("metric", match["metric"], [*ALIASES, *METRICS])
    quantity, unit, signed = METRICS[metric], match["unit"], bool(match["sign"])
    number = float(match["sign"] + match["number"])
    if unit == "%" and quantity != "share":
        return Gate(text, metric, match["op"], number / 100, "part")
    limit = number / 100 if unit == "%" else number * _factor(text, metric, quantity, unit)
    if quantity == "share" and not signed and limit > 1:
        raise UsageError(f"threshold {text!r}: {metric} is a share from 0 to 1, or up to 100 %")
    return Gate(text, metric, match["op"], limit, "amount" if signed else None)


def parse_share(text: str) -> float:
    """A share of one from `95%`, `0.95` or `95`."""
    match = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(%?)\s*", text)
    number = float(match[1]) if match else -1.0
    part = number / 100 if match and (match[2] or number > 1) else number
    if not 0 <= part <= 1:
        raise UsageError(f"{text!r} is not a share: write 95% or 0.95")
    return part


def check(gates: Iterable[Gate], report: Report, before: Report | None = None) -> list[Verdict]:
    """What each gate says of a report, and of how it differs from `before` where a gate asks for that."""
    return [_check(gate, report, before) for gate in gates]


def check_support(report: Report) -> Verdict:
    """Whether the runtime takes every operator, so that the figures are no what-if."""
    ops = ", ".join(dict.fromkeys(node.op.removeprefix("onnx.") for node in report.unsupported))
    if not ops:
        return Verdict(Outcome.PASSED, f"{report.target.runtime} takes every operator")
    count = len(report.unsupported)
    nodes = f"{count:,} node{'s' if count > 1 else ''} ({ops})"
    return Verdict(Outcome.CANNOT_TELL, f"{report.target.runtime} may refuse {nodes}, so the figures are a what-if")


def check_coverage(least: float, report: Report) -> Verdict:
    """Whether the smaller of both coverages, that of nodes and that of bytes, reaches `least` (a share of one)."""
    coverage = report.totals.coverage
    nodes, bytes_ = f"{coverage.nodes:.2%} of nodes", f"{coverage.bytes:.2%} of bytes"
    enough = min(coverage.nodes, coverage.bytes) >= least
    relation = "reaches" if enough else "is below"
    sentence = f"coverage ({nodes}, {bytes_}) {relation} the required {least:.2%}"
    return Verdict(Outcome.PASSED if enough else Outcome.CANNOT_TELL, sentence)


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """0 if all passed, 1 if a threshold is broken, 4 if one cannot be told: 4 outranks 1."""
    return max((verdict.outcome.value for verdict in verdicts), default=0)


def value_of(totals: Totals, metric: str) -> float | None:
    """The figure that a metric names; `coverage.nodes` is one level deeper than the others. None where there is none,
    as of training in the report of an inference."""
    owner: object = totals
    for name in metric.split("."):
        owner = getattr(owner, name, None)
    return owner if isinstance(owner, (int, float)) else None


def _check(gate: Gate, report: Report, before: Report | None) -> Verdict:
    value = value_of(report.totals, gate.metric)
    if value is None:
        return _cannot_tell(gate, report, "")
    if gate.relative is None:
        return _compare(gate, value, _show(gate.metric, value))
    base = value_of(before.totals, gate.metric) if before else None
    if base is None:
        return _cannot_tell(gate, before or report, " before")
    return _compare_change(gate, base, value)


def _compare_change(gate: Gate, base: float, value: float) -> Verdict:
    texts = f"{_show(gate.metric, base)} → {_show(gate.metric, value)}"
    if gate.relative == "amount":
        return _compare(gate, value - base, f"changed by {_show(gate.metric, value - base, '+')}: {texts}")
    part = _part(base, value)
    return _compare(gate, part, f"changed by {part:+.2%}: {texts}")


def _part(base: float, value: float) -> float:
    """The change as a part of what was there; from nothing to something is infinitely much."""
    return (value - base) / base if base else float("inf") if value else 0.0


def _compare(gate: Gate, value: float, told: str) -> Verdict:
    broken = _COMPARISONS[gate.op](value, gate.limit)
    verb = "breaks" if broken else "keeps"
    copula = "" if gate.relative else "= "
    sentence = f"{gate.metric} {copula}{told} {verb} the threshold {gate.text!r}"
    return Verdict(Outcome.BROKEN if broken else Outcome.PASSED, sentence)


def _cannot_tell(gate: Gate, report: Report, when: str) -> Verdict:
    sentence = f"cannot tell whether {gate.text!r}: {gate.metric} is unknown{when}{_why(gate.metric, report)}"
    return Verdict(Outcome.CANNOT_TELL, sentence)


def _why(metric: str, report: Report) -> str:
    if report.target.device is None:
        return " (no device was given)"
    missing = sum(kernel.latency_ms is None for kernel in report.kernels)
    return (
        f" ({missing} of {len(report.kernels)} kernels have no estimate)" if metric == "latency_ms" and missing else ""
    )


def _factor(text: str, metric: str, quantity: Quantity, unit: str) -> float:
    """How much of the metric's own unit `unit` is; without a unit the number is in the metric's own."""
    units = _UNITS[quantity]
    if unit and unit not in units:
        raise UsageError(f"threshold {text!r}: {metric} takes {', '.join(units)}, not {unit!r}")
    return units.get(unit, 1)


def _show(metric: str, value: float, sign: Literal["", "+"] = "") -> str:
    from .render.units import count, milliseconds, share, signed, size

    quantity = METRICS[metric]
    text = {"time": milliseconds, "bytes": size, "share": share, "count": count}[quantity](value)
    return signed(text, value) if sign else text
