"""The lines around the table: what the figures are for, what they come to, and what is not in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from graphcost.report import Kernel, Memory, Report, Tensor, Totals

from .columns import PLAIN, Screen, fold
from .units import count, milliseconds, plural, rate, share, significant, size

STEP_MEANS = "latency = GPU compute time of one training step: forward, backward, optimizer"
LATENCY_MEANS = "latency = GPU compute time of one inference, without copies, clocks at maximum"
_NO_DEVICE = "work and memory only (--device adds latency)"
_LABEL = 13
_WORTH_TELLING = 0.05
_REASONS = 2  # the most frequent ones, told by default
_FEW = 8  # unknown operators and the like that are named before the rest is only counted


def headline(report: Report) -> str:
    """`nano@MAXN · tensorrt-8.2 · fp16 · batch 1 · latency = …`."""
    target = report.target
    device = "no device" if target.device is None else _at(target.device, target.power_mode)
    batch = "batch unknown" if target.batch is None else f"batch {target.batch}"
    mode = [] if target.mode == "inference" else [target.mode]
    meaning = _NO_DEVICE if target.device is None else STEP_MEANS if mode else LATENCY_MEANS
    return " · ".join([device, target.runtime, target.precision, *mode, batch, meaning])


def model_line(report: Report) -> str:
    """`resnet50 · opset 17 · 25.56 M parameters · x f32[1,3,224,224] → y f32[1,1000]`."""
    model = report.model
    opset = model.opset.get("ai.onnx", model.opset.get(""))
    parts = [model.name, "" if opset is None else f"opset {opset}"]
    if model.parameters.distinct is not None:
        parts.append(f"{count(model.parameters.distinct)} parameters")
    border = f"{_border('input', model.inputs)} → {_border('output', model.outputs)}"
    return " · ".join(filter(None, [*parts, border]))


def _of_training(report: Report) -> Iterable[tuple[str, str]]:
    from .training import training_lines

    return training_lines(report)


def summary(report: Report, screen: Screen = PLAIN) -> list[str]:
    """Latency with its interval, work, memory and whether it fits, coverage."""
    lines = [
        *_latency(report),
        *_extrapolation(report),
        *_what_if(report),
        ("work", _work(report)),
        *(_memory(report) if report.totals.training is None else _of_training(report)),
        ("coverage", _coverage(report.totals)),
        *_fallback_count(report),
        *_eliminated_count(report),
    ]
    return [line for label, text in lines for line in _labelled(label, text, screen)]


def notes(report: Report, verbose: bool = False, screen: Screen = PLAIN) -> list[str]:
    """Unknown nodes, warnings, suggestions and, when asked for, the nodes that no kernel stands for."""
    unknown = [f"unknown: {u.op} {u.node!r}: {u.reason}" for u in report.unknown]
    warnings = [f"warning: {warning}" for warning in report.warnings]
    gone = [*_fallbacks(report), *(f"eliminated: {e.node}: {e.reason}" for e in report.eliminated)] if verbose else []
    shown = _few(unknown, "more unknown nodes", verbose) + _few(warnings, "more warnings", verbose)
    shown += _suggestions(report, verbose)
    told = [screen.paint(line, "yellow") for text in shown for line in fold(text, screen, 2)]
    return told + [screen.paint(line, "dim") for text in gone for line in fold(text, screen, 2)]


def _suggestions(report: Report, verbose: bool) -> list[str]:
    """What would lower the peak of memory; by little, only when asked for."""
    gain, peak = report.memory.reorder_gain_bytes, report.totals.peak_activation_bytes
    if report.totals.training is not None or not gain or not peak or (gain < _WORTH_TELLING * peak and not verbose):
        return []
    return [f"suggestion: another order of execution lowers the peak by {size(gain)} ({share(gain / peak)}): --reorder"]


def interval(totals: Totals) -> str:
    """`12.35 ms (9.80 … 16.0, 90 %)`."""
    low, high = totals.latency_low_ms, totals.latency_high_ms
    if totals.latency_ms is None or low is None or high is None:
        return milliseconds(totals.latency_ms)
    return f"{milliseconds(totals.latency_ms)} ({significant(low, 3)} … {significant(high, 3)}, 90 %)"


def fits(memory: Memory) -> str:
    """`fits`, `does not fit: …` or `unknown whether it fits: …`."""
    verdict = {True: "fits", False: "does not fit", None: "unknown whether it fits"}[memory.fits]
    return f"{verdict}: {memory.fits_reason}" if memory.fits_reason else verdict


def _labelled(label: str, text: str, screen: Screen) -> list[str]:
    first, *rest = fold(f"{label:<{_LABEL}}{text}", screen, _LABEL)
    return [screen.paint(first[:_LABEL], "dim") + first[_LABEL:], *rest]


def _at(device: str, mode: str | None) -> str:
    return device if mode is None or "@" in device else f"{device}@{mode}"


def _border(label: str, tensors: Sequence[Tensor]) -> str:
    """The one or two values that go in or out; more than these are counted."""
    if not 1 <= len(tensors) <= 2:
        return plural(len(tensors), label)
    return ", ".join(f"{t.name} {tensor_type(t)}" for t in tensors)


def tensor_type(tensor: Tensor) -> str:
    """`f16[1,64,56,56]:chw2`."""
    dims = "*" if tensor.shape is None else ",".join(map(str, tensor.shape))
    return f"{tensor.dtype}[{dims}]" + ("" if tensor.format == "linear" else f":{tensor.format}")


def _latency(report: Report) -> list[tuple[str, str]]:
    totals = report.totals
    if totals.latency_ms is None:
        return [] if report.target.device is None else [("latency", _why_unknown(report))]
    what = "inferences" if totals.training is None else "steps"
    per_s = "" if totals.inferences_per_s is None else f" · {rate(totals.inferences_per_s)} {what}/s"
    return [("latency", interval(totals) + per_s)]


def trust_cell(kernel: Kernel) -> str:
    """`fitted`, or `fitted*` where the kernel lies outside of what was fitted."""
    return f"{kernel.trust}*" if kernel.extrapolates else kernel.trust


def _extrapolation(report: Report) -> list[tuple[str, str]]:
    """Which kernels ought to be measured, for no measured one is like them."""
    far = [kernel for kernel in report.kernels if kernel.extrapolates]
    if not far:
        return []
    part = sum(kernel.share or 0.0 for kernel in far)
    worst = max(far, key=lambda kernel: kernel.share or 0.0)
    told = f"{plural(len(far), 'kernel')} (*), {share(part)} of the latency, like none that was measured"
    return [("measure", f"{told}: {worst.name} has {'; '.join(worst.extrapolates)}")]


def _what_if(report: Report) -> list[tuple[str, str]]:
    """That the runtime would not build this network as it is."""
    if not report.unsupported:
        return []
    nodes = plural(len(report.unsupported), "node")
    return [("what if", f"{report.target.runtime} may refuse {nodes}, named below: the figures are as if it took them")]


def _why_unknown(report: Report) -> str:
    missing = sum(kernel.latency_ms is None for kernel in report.kernels)
    return f"unknown: {plural(missing, 'kernel')} of {len(report.kernels):,} without an estimate"


def _work(report: Report) -> str:
    totals = report.totals
    moved = f"{size(totals.bytes_read)} read, {size(totals.bytes_written)} written"
    return f"{count(totals.macs)} MACs ({totals.macs:,}) · {count(totals.flops)} flops · {moved}"


def _memory(report: Report) -> Iterable[tuple[str, str]]:
    totals, memory = report.totals, report.memory
    yield "activations", _peak(totals, memory)
    parts = {
        "weights": totals.weight_bytes,
        "arena": totals.arena_bytes,
        "workspace": totals.workspace_bytes,
        "context": totals.context_bytes,
    }
    listed = " + ".join(f"{name} {size(part)}" for name, part in parts.items() if part)
    unknown = ", ".join(name for name, part in parts.items() if part is None)
    total = "" if totals.total_memory_bytes is None else f" = {size(totals.total_memory_bytes)}"
    yield "memory", listed + total + (f"; unknown: {unknown}" if unknown else "")
    if report.target.device is not None:
        usable = "" if memory.usable_ram_bytes is None else f"{size(memory.usable_ram_bytes)} of RAM can be used: "
        yield "", usable + fits(memory)


def _peak(totals: Totals, memory: Memory) -> str:
    if totals.peak_activation_bytes is None:
        return "unknown: the size of a tensor is not known"
    where = f" at {memory.peak_at}" if memory.peak_at else ""
    text = f"{size(totals.peak_activation_bytes)} at the peak{where}"
    bound = memory.arena_lower_bound_bytes
    if not totals.arena_bytes or not bound:
        return text
    strategy = f" ({memory.arena_strategy})" if memory.arena_strategy else ""
    return f"{text}; arena {totals.arena_bytes / bound:.2f} × the lower bound{strategy}"


def _coverage(totals: Totals) -> str:
    return f"{share(totals.coverage.nodes)} of nodes and {share(totals.coverage.bytes)} of bytes have a known formula"


def _eliminated_count(report: Report) -> list[tuple[str, str]]:
    if not report.eliminated:
        return []
    return [("eliminated", f"{plural(len(report.eliminated), 'node')} that no kernel stands for (-v lists them)")]


def _fallback_count(report: Report) -> list[tuple[str, str]]:
    """`7 kernels in f32 where f16 was asked for (-v lists them): …`, with the reasons, the most frequent first."""
    found = report.fallbacks
    if not found:
        return []
    computed, asked = _either(fall.precision for fall in found), _either(fall.asked for fall in found)
    reasons = Counter(fall.reason for fall in found).most_common()
    told = [f"{reason} ({number})" for reason, number in reasons[:_REASONS]]
    told += [plural(len(reasons) - _REASONS, "other reason")] if len(reasons) > _REASONS else []
    what = f"{plural(len(found), 'kernel')} in {computed} where {asked} was asked for (-v lists them)"
    return [("fell back", f"{what}: {', '.join(told)}")]


def _either(kinds: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(kinds))


def _fallbacks(report: Report) -> list[str]:
    """Kernels that fell back, those with one reason on one line."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for fall in report.fallbacks:
        groups.setdefault((fall.precision, fall.asked, fall.reason), []).append(fall.kernel)
    return [
        f"fell back: {plural(len(kernels), 'kernel')} in {precision}, not {asked}: {reason}: {_named(kernels)}"
        for (precision, asked, reason), kernels in groups.items()
    ]


def _named(names: Sequence[str]) -> str:
    """A few of the names; JSON has all."""
    rest = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {rest:,} more" if rest > 0 else "")


def _few(lines: list[str], rest: str, all_of_them: bool) -> list[str]:
    if all_of_them or len(lines) <= _FEW:
        return lines
    return [*lines[:_FEW], f"… {len(lines) - _FEW:,} {rest} (-v lists them)"]
