"""Signals: Fourier transforms and the windows before them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort, UnknownWork

from .sizes import constant, has_operand, integer, operand_shape, result_elements, result_shape


def fft_ops(points: int) -> int:
    """5 n log2 n, the customary count of a complex transform of n points (Van Loan, Computational Frameworks for the
    FFT, 1.4; FFTW counts its speed by it). A transform of real data takes half."""
    return round(5 * points * math.log2(points)) if points > 1 else 0


def dft(node: Node) -> Effort:
    """5 n log2 n for each line along the axis, half of it for real data.

    The axis is operand 2, the last signal axis by default.
    """
    source, target = operand_shape(node), result_shape(node)
    chosen = constant(node, 2)
    axis = int(chosen[0]) if chosen else integer(node, "axis", -2)
    one_sided, backward = integer(node, "onesided"), integer(node, "inverse")
    points = target[axis] if backward or not one_sided else source[axis]
    lines = math.prod(source[:-1]) // max(source[axis], 1)
    return Effort(elementwise_ops=lines * fft_ops(points) // (2 if source[-1] == 1 or one_sided else 1))


def stft(node: Node) -> Effort:
    """For each frame: a product with the window (operand 2) where it is there, and 5 n log2 n, half of it for real
    data."""
    batch, frames, bins, _ = result_shape(node)
    one_sided = integer(node, "onesided", 1)
    points = _frame_length(node)
    if points is None:
        points = 2 * (bins - 1) if one_sided else bins
    each = fft_ops(points) // (2 if one_sided else 1) + points * has_operand(node, 2)
    return Effort(elementwise_ops=batch * frames * each)


def _frame_length(node: Node) -> int | None:
    if (given := constant(node, 3)) is not None:
        return int(given[0])
    return operand_shape(node, 2)[0] if has_operand(node, 2) else None


def window(cosines: int) -> CountWork:
    """A constant and {cosines} weighted cosines of 2πi/n, for each element: angle, cosine, weight and sum (4)."""
    return lambda node: Effort(elementwise_ops=result_elements(node) * 4 * cosines, bytes_read=0)


def mel_weights(node: Node) -> Effort:
    """6 for each element of the result: it lies on a rising or a falling line between two bins (subtract and divide
    twice, minimum, maximum)."""
    return Effort(elementwise_ops=6 * result_elements(node), bytes_read=0)


def real_fft(node: Node) -> Effort:
    """2.5 n log2 n for each line of the last axis.

    Not counted: transforms over more axes (`signal_ndim`); their work is unknown.
    """
    if integer(node, "signal_ndim", 1) != 1:
        raise UnknownWork("only transforms over one axis have a formula")
    dims = min(operand_shape(node), result_shape(node), key=len)
    return Effort(elementwise_ops=math.prod(dims[:-1]) * fft_ops(dims[-1]) // 2)


SIGNAL: Mapping[str, CountWork] = {
    "onnx.DFT": dft,
    "onnx.STFT": stft,
    "onnx.HannWindow": window(1),
    "onnx.HammingWindow": window(1),
    "onnx.BlackmanWindow": window(2),
    "onnx.MelWeightMatrix": mel_weights,
    "com.microsoft.Rfft": real_fft,
    "com.microsoft.Irfft": real_fft,
}
