"""What a report says of each ONNX node, as keys and texts: the notes that a copy of the model carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .instruments import OnnxNode
from .report import Kernel, Report

_PREFIX = "graphcost."


def node_notes(report: Report, nodes: Iterable[OnnxNode]) -> dict[str, Mapping[str, str]]:
    """By the name of each tensor that a node makes: the kernels that stand for the node, or why none does.

    Times are those of whole kernels, so that nodes of one kernel all say the same time.
    """
    standing: dict[str, list[Kernel]] = {}
    for kernel in report.kernels:
        for name in kernel.origin:
            standing.setdefault(name, []).append(kernel)
    gone = {entry.node: entry.reason for entry in report.eliminated}
    return {
        tensor: _prefixed(_of_kernels(standing[node.name]) if node.name in standing else _gone(gone.get(node.name)))
        for node in nodes
        for tensor in node.outputs
    }


def model_notes(report: Report) -> Mapping[str, str]:
    """What the figures are for, and the total."""
    target, totals = report.target, report.totals
    notes = {
        "device": target.device,
        "power_mode": target.power_mode,
        "runtime": target.runtime,
        "precision": target.precision,
        "latency_ms": _ms(totals.latency_ms),
    }
    return _prefixed(notes)


def _of_kernels(kernels: Sequence[Kernel]) -> dict[str, str | None]:
    """Of several kernels each figure once, in the order of execution."""
    return {
        "kernel": _each(kernel.name for kernel in kernels),
        "kernel_ms": _each(_ms(kernel.latency_ms) for kernel in kernels),
        "bound": _each(kernel.bound for kernel in kernels),
        "precision": _each(kernel.precision for kernel in kernels),
        "layer_type": _each(kernel.layer_type for kernel in kernels),
        "tactic": _each(kernel.tactic for kernel in kernels),
        "trust": _each(kernel.trust for kernel in kernels),
    }


def _gone(reason: str | None) -> dict[str, str | None]:
    return {"eliminated": reason}


def _each(texts: Iterable[str | None]) -> str | None:
    return "; ".join(dict.fromkeys(text for text in texts if text)) or None


def _ms(time: float | None) -> str | None:
    return None if time is None else f"{time:.4f}"


def _prefixed(notes: Mapping[str, str | None]) -> dict[str, str]:
    """What is not known is left out."""
    return {_PREFIX + key: text for key, text in notes.items() if text is not None}
