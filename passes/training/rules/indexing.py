"""Gather, scatter, embedding: dense gradients of the size of what was indexed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..tape import Step


def indexed(step: Step) -> None:
    """Zeros of the table's size, to which the gradient's rows are added."""
    if step.needs[0]:
        step.new(0)


def scattered(step: Step) -> None:
    """The gradient with zeros where it was written, and what was written, gathered."""
    for slot in (0, 2):
        if slot < len(step.needs) and step.needs[slot]:
            step.new(slot)


INDEXING: Mapping[str, Callable[[Step], None]] = {
    "onnx.Gather": indexed,
    "onnx.GatherElements": indexed,
    "onnx.GatherND": indexed,
    "onnx.TopK": indexed,
    "onnx.ScatterElements": scattered,
    "onnx.ScatterND": scattered,
}
