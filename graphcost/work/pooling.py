"""Pooling: a window, or a whole image, joined into one element."""

from __future__ import annotations

import math
from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort, UnknownWork

from .quantization import DEQUANTIZE, QUANTIZE
from .sizes import (
    integer,
    integers,
    operand,
    operand_bytes,
    operand_elements,
    operand_shape,
    result_elements,
    size_bytes,
)


def window(per_position: int = 1, per_output: int = -1) -> CountWork:
    """{per_position} for each position of the kernel and element of the result, padding like any other position;
    {per_output} more for each element of the result."""

    def count(node: Node) -> Effort:
        kernel = integers(node, "kernel_shape")
        if not kernel:
            raise UnknownWork("attribute kernel_shape is absent")
        each = math.prod(kernel) * per_position + per_output
        return Effort(elementwise_ops=result_elements(node) * max(each, 0))

    return count


def whole(per_input: int = 1, per_output: int = 0) -> CountWork:
    """{per_input} for each element read; {per_output} for each element of the result."""

    def count(node: Node) -> Effort:
        ops = operand_elements(node) * per_input + result_elements(node) * per_output
        return Effort(elementwise_ops=max(ops, 0))

    return count


def unpool(node: Node) -> Effort:
    """Writes each element to its index; the rest is zero."""
    return Effort(bytes_read=operand_bytes(node, 0, 1))


def roi_pool(node: Node) -> Effort:
    """Each region is covered by its bins once: a comparison for each element of the map, for each region."""
    regions = operand_shape(node, 1)[0]
    image = math.prod(operand_shape(node)[1:])
    return Effort(elementwise_ops=regions * image)


def roi_align(node: Node) -> Effort:
    """Each bin joins `sampling_ratio`² samples, each the weighted sum of 4 neighbours (7 operations) and one joining.

    Not counted: with ratio 0 the number of samples follows the size of the regions, which only the data decides.

    The regions read at most the whole map, or the neighbours of all samples.
    """
    ratio = integer(node, "sampling_ratio")
    if ratio < 1:
        raise UnknownWork("sampling_ratio 0 takes as many samples as the data say")
    samples = result_elements(node) * ratio * ratio
    image = operand(node, 0)
    neighbours = samples * 4 * size_bytes(image) // max(operand_elements(node), 1)
    read = min(size_bytes(image), neighbours) + operand_bytes(node, 1, 2)
    return Effort(elementwise_ops=samples * 8, bytes_read=read)


POOLING: Mapping[str, CountWork] = {
    "onnx.MaxPool": window(),
    "onnx.AveragePool": window(1, 0),  # n - 1 sums, 1 division
    "onnx.LpPool": window(2, 0),  # powers, n - 1 sums, 1 root
    "onnx.GlobalMaxPool": whole(1, -1),
    "onnx.GlobalAveragePool": whole(1, 0),
    "onnx.GlobalLpPool": whole(2, 0),
    "onnx.MaxUnpool": unpool,
    "onnx.MaxRoiPool": roi_pool,
    "onnx.RoiAlign": roi_align,
    "com.microsoft.NhwcMaxPool": window(),
    "com.microsoft.nchwc.MaxPool": window(),
    "com.microsoft.nchwc.AveragePool": window(1, 0),
    "com.microsoft.nchwc.GlobalMaxPool": whole(1, -1),
    "com.microsoft.nchwc.GlobalAveragePool": whole(1, 0),
    "com.microsoft.MaxpoolWithMask": window(2, -1),
    "com.microsoft.QLinearAveragePool": window(DEQUANTIZE + 1, QUANTIZE),
    "com.microsoft.QLinearGlobalAveragePool": whole(DEQUANTIZE + 1, QUANTIZE),
}
