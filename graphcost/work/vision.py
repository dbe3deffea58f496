"""Sampling of images, and the selection of boxes."""

from __future__ import annotations

import math
from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort

from .sizes import (
    constant,
    operand_bytes,
    operand_elements,
    operand_shape,
    result_bytes,
    result_elements,
    result_shape,
    sort_steps,
    text,
)

_NEIGHBOURS = {"nearest": 1, "linear": 2, "bilinear": 2, "cubic": 4, "bicubic": 4}
"""Neighbours along one axis that a sample weighs."""
OVERLAP = 13
"""Two boxes: 4 maxima and minima, 2 differences, 2 clamps, 1 product, sum of areas less the common one (2), 1 division,
1 comparison."""


def _weighing(neighbours: int) -> int:
    """The weighted sum of n neighbours: n products and n - 1 sums; a single one is only copied."""
    return 2 * neighbours - 1 if neighbours > 1 else 0


def resize(node: Node) -> Effort:
    """Each element of the result is the weighted sum of n neighbours, 1, 2 or 4 along each axis that is scaled: 2n - 1;
    nothing for the nearest. Reads at most what the samples touch.

    Not counted: the weights themselves, which are the same for a whole line.
    """
    source, target = operand_shape(node), result_shape(node)
    scaled = sum(a != b for a, b in zip(source, target))
    neighbours = _NEIGHBOURS.get(text(node, "mode", "nearest"), 1) ** scaled
    read = min(operand_bytes(node, 0), neighbours * result_bytes(node))
    return Effort(elementwise_ops=result_elements(node) * _weighing(neighbours), bytes_read=read)


def grid_sample(node: Node) -> Effort:
    """Each element of the result is the weighted sum of n neighbours, 1, 2 or 4 along every spatial axis: 2n - 1; 2 for
    each coordinate of the grid.

    Not counted: the weights themselves.
    """
    axes = len(operand_shape(node)) - 2
    neighbours = _NEIGHBOURS.get(text(node, "mode", "linear"), 2) ** axes
    return Effort(elementwise_ops=result_elements(node) * _weighing(neighbours) + 2 * operand_elements(node, 1))


def affine_grid(node: Node) -> Effort:
    """Each place of the grid is a matrix [n, n + 1] times its coordinates: multiply-adds; the base grid is written on
    the fly."""
    return Effort(result_elements(node) * operand_shape(node)[-1], bytes_read=operand_bytes(node, 0))


def crop_and_resize(node: Node) -> Effort:
    """A bilinear sample for each element."""
    return Effort(
        elementwise_ops=result_elements(node) * _weighing(4),
        bytes_read=min(operand_bytes(node, 0), 4 * result_bytes(node)),
    )


def fold_columns(node: Node) -> Effort:
    """Every column entry is added to its place in the image."""
    return Effort(elementwise_ops=operand_elements(node), bytes_read=operand_bytes(node, 0))


def non_max_suppression(node: Node) -> Effort:
    """For each image and class: the scores sorted, then every box that is kept against every box. The most that
    `max_output_boxes_per_class` allows; all boxes where it is not known."""
    batch, boxes = operand_shape(node)[:2]
    classes = operand_shape(node, 1)[1]
    most = constant(node, 2)
    kept = min(int(most[0]), boxes) if most else boxes
    return Effort(elementwise_ops=batch * classes * (sort_steps(boxes) + kept * boxes * OVERLAP))


def determinant(node: Node) -> Effort:
    """LU factorisation: 2/3 n³ operations (Golub and Van Loan, Matrix Computations, 3.2)."""
    *batch, n, _ = operand_shape(node)
    return Effort(elementwise_ops=math.prod(batch) * (2 * n**3 // 3))


def inverse(node: Node) -> Effort:
    """2 n³ operations: LU factorisation and n solves (Golub and Van Loan, Matrix Computations, 3.2)."""
    *batch, n, _ = operand_shape(node)
    return Effort(elementwise_ops=math.prod(batch) * 2 * n**3)


def decode_image(node: Node) -> Effort:
    """One conversion for each value of the image.

    Not counted: entropy decoding and inverse transforms, which the encoded data decide.
    """
    return Effort(elementwise_ops=result_elements(node))


VISION: Mapping[str, CountWork] = {
    "onnx.Resize": resize,
    "onnx.Upsample": resize,
    "onnx.GridSample": grid_sample,
    "onnx.AffineGrid": affine_grid,
    "onnx.Col2Im": fold_columns,
    "onnx.NonMaxSuppression": non_max_suppression,
    "onnx.ImageDecoder": decode_image,
    "onnx.Det": determinant,
    "com.microsoft.nchwc.Upsample": resize,
    "com.microsoft.CropAndResize": crop_and_resize,
    "com.microsoft.GridSample": grid_sample,
    "com.microsoft.Inverse": inverse,
}
