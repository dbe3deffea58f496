"""Pooling: windows, global, regions of interest, and the inverse of max pooling."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Dim, Type, Unknown

from .reading import Dims, at_least, dims, give, integer, integers, known_dims, ranked, typed
from .window import slide, spread, window


def pool(channels_last: bool = False) -> InferTypes:
    """A window over the spatial axes of operand 0; a second result holds indices (MaxPool)."""

    def infer(node: Node, known: Known) -> list[Type]:
        last = channels_last or bool(integer(node, "channels_last"))
        result = typed(node, 0, _pooled(node, at_least(node, 0, 2), last))
        return give(node, result, result.with_dtype("i64"))

    return infer


def _pooled(node: Node, data: Dims | None, last: bool) -> Dims | None:
    kernel = integers(node, "kernel_shape")
    if data is None:
        return None
    if last:
        return (data[0], *slide(node, data[1:-1], kernel), data[-1])
    return (*data[:2], *slide(node, data[2:], kernel))


def global_pool(node: Node, known: Known) -> list[Type]:
    data = at_least(node, 0, 2)
    if data is None:
        return give(node, typed(node, 0, None))
    ones = (1,) * (len(data) - 2)
    if integer(node, "channels_last"):
        return give(node, typed(node, 0, (data[0], *ones, data[-1])))
    return give(node, typed(node, 0, (*data[:2], *ones)))


def max_unpool(node: Node, known: Known) -> list[Type]:
    """Operand 2, where given, holds the whole output shape."""
    data = at_least(node, 0, 2)
    if node.operand(2) is not None:
        return give(node, typed(node, 0, known_dims(node, known, 2) or _unnamed(node, data)))
    if data is None:
        return give(node, typed(node, 0, None))
    win = window(node, integers(node, "kernel_shape"))
    return give(node, typed(node, 0, (*data[:2], *spread(node, win, data[2:]))))


def _unnamed(node: Node, data: Dims | None) -> Dims | None:
    return None if data is None else (*data[:2], *(Unknown(f"{node.name}.{axis}") for axis in range(2, len(data))))


def roi_align(node: Node, known: Known) -> list[Type]:
    size = (integer(node, "output_height", 1), integer(node, "output_width", 1))
    return give(node, typed(node, 0, _regions(node, size)))


def max_roi_pool(node: Node, known: Known) -> list[Type]:
    return give(node, typed(node, 0, _regions(node, integers(node, "pooled_shape"))))


def crop_and_resize(node: Node, known: Known) -> list[Type]:
    """com.microsoft: operand 3 holds height and width."""
    size = known_dims(node, known, 3) or (Unknown(f"{node.name}.2"), Unknown(f"{node.name}.3"))
    return give(node, typed(node, 0, _regions(node, size)))


def _regions(node: Node, size: Dims) -> Dims | None:
    """[regions, channels, height, width]."""
    data, regions = ranked(node, 0, 4), dims(node, 1)
    if data is None:
        return None
    count: Dim = regions[0] if regions else Unknown(node.name)
    return (count, data[1], *size)


SHAPES: Mapping[str, InferTypes] = {
    "onnx.AveragePool": pool(),
    "onnx.MaxPool": pool(),
    "onnx.LpPool": pool(),
    "onnx.GlobalAveragePool": global_pool,
    "onnx.GlobalMaxPool": global_pool,
    "onnx.GlobalLpPool": global_pool,
    "onnx.MaxUnpool": max_unpool,
    "onnx.RoiAlign": roi_align,
    "onnx.MaxRoiPool": max_roi_pool,
    "com.microsoft.CropAndResize": crop_and_resize,
    "com.microsoft.MaxpoolWithMask": pool(),
    "com.microsoft.NhwcMaxPool": pool(channels_last=True),
    "com.microsoft.QLinearAveragePool": pool(),
    "com.microsoft.QLinearGlobalAveragePool": global_pool,
}
