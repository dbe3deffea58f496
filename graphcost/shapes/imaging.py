"""Images at another size: resized, cropped, traded between space and channels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Dim, Type, Unknown

from .errors import ShapeMismatch
from .reading import Dims, at, axis_of, dims, give, has, integer, integers, known_dims, typed, word


def depth_to_space(node: Node, known: Known) -> list[Type]:
    data, size = dims(node, 0), integer(node, "blocksize", 1)
    if data is None or len(data) < 3:
        return give(node, typed(node, 0, None))
    channels, *spatial = data[1:]
    return give(node, typed(node, 0, (data[0], channels // size ** len(spatial), *(d * size for d in spatial))))


def space_to_depth(node: Node, known: Known) -> list[Type]:
    data, size = dims(node, 0), integer(node, "blocksize", 1)
    if data is None or len(data) < 3:
        return give(node, typed(node, 0, None))
    channels, *spatial = data[1:]
    return give(node, typed(node, 0, (data[0], channels * size ** len(spatial), *(d // size for d in spatial))))


def center_crop_pad(node: Node, known: Known) -> list[Type]:
    data, sizes = dims(node, 0), known_dims(node, known, 1)
    if data is None:
        return give(node, typed(node, 0, None))
    axes = integers(node, "axes") or tuple(range(len(data)))
    if sizes is None:
        sizes = tuple(Unknown(f"{node.name}.{axis}") for axis in axes)
    for axis, size in zip(axes, sizes):
        data = at(data, axis_of(node, axis, len(data)), size)
    return give(node, typed(node, 0, data))


def resize(node: Node, known: Known) -> list[Type]:
    """By the sizes of operand 3, or by the scales of operand 2; `axes` may name a few dimensions only."""
    data = dims(node, 0)
    if data is None:
        return give(node, typed(node, 0, None))
    axes = tuple(axis_of(node, a, len(data)) for a in integers(node, "axes")) or tuple(range(len(data)))
    sizes = _asked_sizes(node, known, data, axes) if has(node, 3) else _scaled(node, known, data, axes)
    if sizes is None:
        sizes = tuple(Unknown(f"{node.name}.{axis}") for axis in axes)
    if len(sizes) != len(axes):
        raise ShapeMismatch(node, f"{len(sizes)} sizes are given for {len(axes)} axes")
    for axis, size in zip(axes, sizes):
        data = at(data, axis, size)
    return give(node, typed(node, 0, data))


def _asked_sizes(node: Node, known: Known, data: Dims, axes: tuple[int, ...]) -> Dims | None:
    sizes, policy = known_dims(node, known, 3), word(node, "keep_aspect_ratio_policy", "stretch")
    if sizes is None or policy == "stretch":
        return sizes
    pairs = [(size, data[axis]) for axis, size in zip(axes, sizes)]
    ratios = [size / dim for size, dim in pairs if isinstance(size, int) and isinstance(dim, int) and dim]
    if len(ratios) < len(axes):
        return None
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    return tuple(int(ratio * dim + 0.5) for _, dim in pairs if isinstance(dim, int))


def _scaled(node: Node, known: Known, data: Dims, axes: tuple[int, ...]) -> Dims | None:
    """floor(dim · scale), in single precision as runtimes compute it."""
    scales, roi = known(node.operand(2)), _region(node, known, len(axes))
    if scales is None or roi is None:
        return None
    if scales.size != len(axes):
        raise ShapeMismatch(node, f"{scales.size} scales are given for {len(axes)} axes")
    factors = scales.astype(numpy.float32) * numpy.asarray(roi, numpy.float32)
    return tuple(_times(node, data[axis], float(factor), axis) for axis, factor in zip(axes, factors))


def _region(node: Node, known: Known, rank: int) -> list[float] | None:
    """The part of each axis that is taken: all of it, unless the mode crops."""
    if word(node, "coordinate_transformation_mode") != "tf_crop_and_resize":
        return [1.0] * rank
    roi = known(node.operand(1))
    if roi is None or roi.size != 2 * rank:
        return None
    return [float(end - start) for start, end in zip(roi[:rank], roi[rank:])]


def _times(node: Node, dim: Dim, factor: float, axis: int) -> Dim:
    if factor == 1.0:
        return dim
    if isinstance(dim, int):
        return int(numpy.floor(numpy.float32(dim) * numpy.float32(factor)))
    return dim * int(factor) if factor.is_integer() else Unknown(f"{node.name}.{axis}")


SHAPES: Mapping[str, InferTypes] = {
    "onnx.CenterCropPad": center_crop_pad,
    "onnx.DepthToSpace": depth_to_space,
    "onnx.Resize": resize,
    "onnx.SpaceToDepth": space_to_depth,
}
