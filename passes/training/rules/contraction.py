"""Convolutions and matrix products: dgrad, then the bias, then wgrad, each a kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphcost.types import TensorType, Type

from ..tape import Step


def convolution(step: Step) -> None:
    """dgrad, bias and wgrad; the input of the network needs none."""
    for slot in (0, 2, 1):
        if slot < len(step.needs) and step.needs[slot]:
            step.new(slot)


def gemm(step: Step) -> None:
    """A·B + C: dgrad = dY·Bᵀ, wgrad = Aᵀ·dY, and dY summed over what C was broadcast."""
    for slot in (0, 1):
        if step.needs[slot]:
            step.new(slot)
    if len(step.needs) > 2 and step.needs[2]:
        step.pass_on(2)


def matmul(step: Step) -> None:
    """A batched product for each factor; one that was broadcast over the batch is summed after."""
    for slot in step.needed():
        operand, full = step.operand(slot), _batched(step, slot)
        gradient = step.new(slot, kind=full, give=False)
        step.tape.give(operand, gradient if full.elements == operand.type.elements else step.reduced(slot, gradient))


def _batched(step: Step, slot: int) -> Type:
    """The type of a factor's gradient before it is summed over the batch."""
    own, result = step.operand(slot).type, step.node.results[0].type
    if not isinstance(own, TensorType) or not isinstance(result, TensorType) or not own.dims or not result.dims:
        return own
    if len(own.dims) < 2 or (slot == 1 and len(own.dims) == 2):  # one matrix for all rows is one product
        return own
    return own.with_dims((*result.dims[:-2], *own.dims[-2:]))


def einsum(step: Step) -> None:
    """A contraction for each factor."""
    for slot in step.needed():
        step.new(slot)


CONTRACTION: Mapping[str, Callable[[Step], None]] = {
    "onnx.Conv": convolution,
    "onnx.ConvTranspose": convolution,
    "onnx.Gemm": gemm,
    "onnx.MatMul": matmul,
    "onnx.Einsum": einsum,
}
