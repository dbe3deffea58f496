"""Fourier transforms. Complex numbers are a last dimension of 2: real and imaginary part."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Dim, Type, Unknown

from .errors import ShapeMismatch
from .reading import (
    Dims,
    at,
    axis_of,
    data_dependent,
    dims,
    give,
    has,
    integer,
    known_dim,
    known_integer,
    ranked,
    typed,
)


def dft(node: Node, known: Known) -> list[Type]:
    """Operand 1 is the length of the transform, operand 2 the axis (-2 without it)."""
    data = dims(node, 0)
    axis = known_integer(node, known, 2) if has(node, 2) else integer(node, "axis", -2)
    if data is None or axis is None:
        return give(node, typed(node, 0, None))
    axis = axis_of(node, axis, len(data))
    return give(node, typed(node, 0, _transformed(node, at(data, axis, _points(node, known, data, axis)), axis)))


def _points(node: Node, known: Known, data: Dims, axis: int) -> Dim:
    """Length of the transform: a one-sided inverse has given away half of its points."""
    if has(node, 1):
        points = known_dim(node, known, 1)
        return data_dependent(node) if points is None else points
    if integer(node, "onesided") and integer(node, "inverse"):
        return (data[axis] - 1) * 2
    return data[axis]


def _transformed(node: Node, data: Dims, axis: int) -> Dims:
    """One-sided: half of the points and one more; back from there to real numbers when inverse."""
    if not integer(node, "onesided"):
        return (*data[:-1], 2)
    if integer(node, "inverse"):
        return (*data[:-1], 1)
    return (*at(data, axis, data[axis] // 2 + 1)[:-1], 2)


def stft(node: Node, known: Known) -> list[Type]:
    """[batch, frames, bins, 2] from a signal [batch, samples, 1 or 2]; operand 1 is the step between frames."""
    signal, step = ranked(node, 0, 2, 3), known_integer(node, known, 1)
    if signal is None:
        return give(node, typed(node, 0, None))
    if step is not None and step < 1:
        raise ShapeMismatch(node, f"the step between frames is {step} where 1 or more is accepted")
    points = _frame_length(node, known)
    frames = Unknown(f"{node.name}.1") if step is None else (signal[1] - points) // step + 1
    bins = points // 2 + 1 if integer(node, "onesided", 1) else points
    return give(node, typed(node, 0, (signal[0], frames, bins, 2)))


def _frame_length(node: Node, known: Known) -> Dim:
    """Operand 3, else the length of the window in operand 2."""
    if has(node, 3):
        length = known_dim(node, known, 3)
        return Unknown(f"{node.name}.2") if length is None else length
    window = dims(node, 2)
    return window[0] if window else Unknown(f"{node.name}.2")


def rfft(node: Node, known: Known) -> list[Type]:
    """com.microsoft: real [..., n] to complex [..., n // 2 + 1, 2], or [..., n, 2] when not one-sided."""
    data = dims(node, 0)
    if not data:
        return give(node, typed(node, 0, None))
    bins = data[-1] // 2 + 1 if integer(node, "onesided", 1) else data[-1]
    return give(node, typed(node, 0, (*data[:-1], bins, 2)))


def irfft(node: Node, known: Known) -> list[Type]:
    """com.microsoft: the inverse of rfft, which gives an even number of points when one-sided."""
    data = dims(node, 0)
    if data is None or len(data) < 2:
        return give(node, typed(node, 0, None))
    points = (data[-2] - 1) * 2 if integer(node, "onesided", 1) else data[-2]
    return give(node, typed(node, 0, (*data[:-2], points)))


SHAPES: Mapping[str, InferTypes] = {
    "onnx.DFT": dft,
    "onnx.STFT": stft,
    "com.microsoft.Irfft": irfft,
    "com.microsoft.Rfft": rfft,
}
