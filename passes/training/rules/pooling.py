"""Pooling and resizing: one tensor of the operand's size."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..tape import Step


def spread(step: Step) -> None:
    """Each gradient of the result is spread over the window, or goes where the maximum was."""
    if step.needs[0]:
        step.new(0)


_SPREADING = (
    "MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool Resize Upsample GridSample DepthToSpace "
    "SpaceToDepth Col2Im MaxUnpool RoiAlign"
)

POOLING: Mapping[str, Callable[[Step], None]] = {f"onnx.{name}": spread for name in _SPREADING.split()}
