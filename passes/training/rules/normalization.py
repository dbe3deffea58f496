"""Normalisations: one kernel for input, scale and shift together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..tape import Step


def normalization(step: Step) -> None:
    """Input, scale and shift in one call."""
    step.all_at_once(step.needed())


def rms_norm(step: Step) -> None:
    """PyTorch writes it out: the products with the scale and with the root, two tensors more."""
    if step.needs[0]:
        step.new(0, temporaries=2)
    if len(step.needs) > 1 and step.needs[1]:
        full = step.new(1, kind=step.node.results[0].type, give=False)
        step.pass_on(1, full)


NORMALIZATION: Mapping[str, Callable[[Step], None]] = {
    **dict.fromkeys(
        (
            "onnx.BatchNormalization",
            "onnx.InstanceNormalization",
            "onnx.GroupNormalization",
            "onnx.LayerNormalization",
            "group.layer_norm",
            "group.group_norm",
        ),
        normalization,
    ),
    "group.rms_norm": rms_norm,
    "onnx.RMSNormalization": rms_norm,
}
