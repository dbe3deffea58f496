"""Reductions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..tape import Step


def mean(step: Step) -> None:
    """The gradient, expanded and divided: a tensor of the operand's size."""
    step.new(0)


def total(step: Step) -> None:
    """The gradient expanded, which is a view: it stays as small as the result."""
    step.tape.give(step.operand(0), step.gradient)


def extreme(step: Step) -> None:
    """The gradient where the operand equals the result: a mask and a product."""
    step.new(0, temporaries=1)


def cumulated(step: Step) -> None:
    """Flipped, cumulated, flipped back."""
    step.new(0, temporaries=1)


_COMPARED = "ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp"

REDUCTION: Mapping[str, Callable[[Step], None]] = {
    "onnx.ReduceMean": mean,
    "onnx.ReduceSum": total,
    "onnx.CumSum": cumulated,
    **{f"onnx.{name}": extreme for name in _COMPARED.split()},
}
