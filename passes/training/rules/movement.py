"""Operators that only move or look at elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphcost.ir import Value

from ..tape import Step


def reshaped(step: Step) -> None:
    """The gradient under the operand's shape: a view."""
    if step.needs[0]:
        step.reshaped()


def concat(step: Step) -> None:
    """Each operand gets its part of the gradient: a view."""
    for slot in step.needed():
        step.part(slot)


def split(step: Step) -> None:
    """The parts' gradients put together; zeros for a part that has none."""
    if not step.needs[0]:
        return
    zeros = [_zeros(step, index) for index, gradient in enumerate(step.gradients) if gradient is None]
    step.new(0, *zeros)


def _zeros(step: Step, index: int) -> Value:
    result = step.node.results[index]
    made = [(f"{result.name}.zeros", result.type)]
    return step.tape.emit("grad.zeros", f"{step.node.name}.zeros", (), made, {"of": step.node.name})[0]


def sliced(step: Step) -> None:
    """Zeros of full size, into which the gradient is copied."""
    if step.needs[0]:
        step.new(0)


def expanded(step: Step) -> None:
    """Summed over what was expanded."""
    if step.needs[0]:
        step.pass_on(0)


MOVEMENT: Mapping[str, Callable[[Step], None]] = {
    **{
        f"{world}.{name}": reshaped
        for world in ("onnx", "aten")
        for name in ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "clone")
    },
    "onnx.Concat": concat,
    "onnx.Split": split,
    "aten.Split": split,
    "onnx.Slice": sliced,
    "aten.Slice": sliced,
    "aten.Gather": sliced,
    "onnx.Pad": sliced,
    "onnx.Tile": sliced,
    "onnx.Trilu": sliced,
    "onnx.Expand": expanded,
    "aten.Expand": expanded,
}
