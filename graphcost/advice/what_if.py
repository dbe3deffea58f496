"""What another precision or a larger batch would bring, and why not more: the model analysed again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphcost.api import Run, Source, analyze
from graphcost.device import DeviceProfile
from graphcost.errors import UserError
from graphcost.report import Report
from graphcost.types import BITS

from .suggestion import Suggestion

BATCHES = (2, 4, 8)
"""Multiples of the batch that are tried."""

WORTH = 0.05
"""The least part of the latency that is worth telling."""

_NEXT = {"fp32": ("fp16", "best"), "tf32": ("fp16", "best"), "fp16": ("best",), "int8": ("best",)}
"""The precisions that allow more than the asked one; `best` is FP16 and INT8."""

_NEEDS = {"fp16": ("f16",), "best": ("f16", "i8")}
_TITLES = {"fp16": "FP16", "best": "INT8 beside FP16"}


def precisions(run: Run, model: Source, device: Any, options: Mapping[str, Any]) -> Iterator[Suggestion]:
    """Each further precision that the device has, and why it does not bring what the peak rates promise."""
    profile, now_ms = run.target.device, run.report.totals.latency_ms
    if profile is None or not now_ms:
        return
    for precision in _NEXT.get(run.target.precision, ()):
        if precision not in run.target.runtime.precisions or not _has(profile, precision):
            continue
        report = analyze(model, device, **{**options, "precision": precision})
        if report.totals.latency_ms:
            yield _precision(precision, report, report.totals.latency_ms, now_ms)


def _has(device: DeviceProfile, precision: str) -> bool:
    """Whether the device has all that the precision adds, and computes no slower in it."""
    fp32 = device.peak_flops_per_s("f32") or 0.0
    return all((device.peak_flops_per_s(kind) or 0.0) >= fp32 > 0 for kind in _NEEDS[precision])


def _precision(precision: str, report: Report, then_ms: float, now_ms: float) -> Suggestion:
    saving = 1 - then_ms / now_ms
    shares = _shares(report)
    reasons = ", ".join(f"{100 * part:.0f} % {what}" for what, part in shares.items() if part >= 0.01)
    change = f"-{100 * saving:.0f} %" if saving >= 0 else f"+{-100 * saving:.0f} %"
    gain = f"{_TITLES[precision]} would take {then_ms:.4g} ms instead of {now_ms:.4g} ({change})"
    calibration = "; INT8 needs Q/DQ nodes or a calibration" if precision == "best" else ""
    return Suggestion(
        topic="precision",
        sentence=f"{gain}; of that {reasons}{calibration}" if reasons else f"{gain}{calibration}",
        saving=saving,
        evidence={"now_ms": now_ms, "then_ms": then_ms, **shares},
    )


def _shares(report: Report) -> dict[str, float]:
    """What of the latency a faster type cannot make faster."""
    kernels = report.kernels
    return {
        "waits for launches": sum(k.share or 0.0 for k in kernels if k.bound == "launch"),
        "waits for memory": sum(k.share or 0.0 for k in kernels if k.bound == "memory"),
        "goes to reformats": sum(k.share or 0.0 for k in kernels if k.kind == "reformat" or k.op == "trt.reformat"),
        "stays in FP32": sum(k.share or 0.0 for k in kernels if BITS.get(k.precision) == 32 and k.macs),
    }


def batches(run: Run, model: Source, device: Any, options: Mapping[str, Any]) -> Iterator[Suggestion]:
    """The batch at which one inference becomes cheapest, where it becomes cheaper."""
    now_ms, batch = run.report.totals.latency_ms, run.report.target.batch
    if not now_ms or not batch or options.get("shapes"):
        return
    found = {times * batch: _at_batch(model, device, options, times * batch) for times in BATCHES}
    each_ms = {many: ms / many for many, ms in found.items() if ms is not None}
    best = min(each_ms, key=lambda many: each_ms[many], default=None)
    if best is None or 1 - each_ms[best] * batch / now_ms < WORTH:
        return
    saving = 1 - each_ms[best] * batch / now_ms
    yield Suggestion(
        topic="batch",
        sentence=f"in a batch of {best} one inference takes {each_ms[best]:.4g} ms instead of {now_ms / batch:.4g} "
        f"(-{100 * saving:.0f} %); the batch takes {found[best]:.4g} ms",
        saving=saving,
        evidence={f"batch_{many}_ms": ms for many, ms in found.items() if ms is not None},
    )


def _at_batch(model: Source, device: Any, options: Mapping[str, Any], batch: int) -> float | None:
    """None where the model cannot take this batch, or its latency is unknown."""
    try:
        return analyze(model, device, **{**options, "batch": batch}).totals.latency_ms
    except UserError:
        return None


def launches(run: Run) -> Iterator[Suggestion]:
    """Kernels that take as long as their launch, whatever they compute."""
    waiting = [kernel for kernel in run.report.kernels if kernel.bound == "launch"]
    part = sum(kernel.share or 0.0 for kernel in waiting)
    if part < WORTH:
        return
    these = f"{len(waiting)} of {run.report.totals.kernels} kernels, {100 * part:.0f} % of the latency,"
    yield Suggestion(
        topic="launch",
        sentence=f"{these} take as long as their launch, whatever they compute: fewer and larger layers, a larger "
        "batch or a CUDA graph",
        saving=None,
        kernels=tuple(kernel.name for kernel in waiting),
        evidence={"share": part, "kernels": len(waiting)},
    )
