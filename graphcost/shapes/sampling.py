"""Sampling images along a grid, and putting columns of patches back into an image."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Type, Unknown, bound, product

from .errors import ShapeMismatch
from .reading import dims, give, known_dims, ranked, typed


def affine_grid(node: Node, known: Known) -> list[Type]:
    """[batch, size..., axes]: operand 1 holds [batch, channels, size...]; theta is [batch, axes, axes + 1]."""
    theta, size = ranked(node, 0, 3), known_dims(node, known, 1)
    if theta is None:
        return give(node, typed(node, 0, None))
    axes = theta[1]
    if size:
        return give(node, typed(node, 0, (size[0], *size[2:], axes)))
    if isinstance(axes, Unknown):
        return give(node, typed(node, 0, None))
    spatial = (Unknown(f"{node.name}.{axis + 1}") for axis in range(axes))
    return give(node, typed(node, 0, (theta[0], *spatial, axes)))


def grid_sample(node: Node, known: Known) -> list[Type]:
    """Batch and channels of the image, size of the grid."""
    image, grid = dims(node, 0), dims(node, 1)
    return give(node, typed(node, 0, None if image is None or grid is None else (*image[:2], *grid[1:-1])))


def col2im(node: Node, known: Known) -> list[Type]:
    """[batch, channels, image...] from columns [batch, channels * block, positions]."""
    columns, image, block = ranked(node, 0, 3), known_dims(node, known, 1), known_dims(node, known, 2)
    if columns is None or image is None:
        return give(node, typed(node, 0, None))
    block_size = product(block or ())
    if block_size == 0:
        raise ShapeMismatch(node, "a block without elements cannot be put into an image")
    channels = Unknown(f"{node.name}.1", bound(columns[1])) if block is None else columns[1] // block_size
    return give(node, typed(node, 0, (columns[0], channels, *image)))


SHAPES: Mapping[str, InferTypes] = {
    "onnx.AffineGrid": affine_grid,
    "onnx.Col2Im": col2im,
    "onnx.GridSample": grid_sample,
    "com.microsoft.GridSample": grid_sample,
}
