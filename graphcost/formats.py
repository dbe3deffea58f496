"""Formats: which tensors lie in memory in the same way under two names, so that going from one to the other is free."""

from __future__ import annotations

import math
from typing import TypeAlias

from .types import CHANNEL_LANES, TensorType

_Order: TypeAlias = "tuple[int, int, int]"


def is_relabeling(source: TensorType, target: TensorType) -> bool:
    """Whether the bytes of `source` are those of `target`: one element type, one order, one padding.

    So for `hwc` and `hwc8` where channels come in eights, and for all formats without padding at one pixel. TensorRT
    lists such steps as NoOp (layer lists: `[HWC8:FP16] -> [HWCx:FP16]`, `32x512x1x1[HWCx:FP32] -> [LIN:FP32]`).
    """
    if source.dtype != target.dtype or source.dims != target.dims:
        return False
    if source.format == target.format:
        return True
    order = _order(source)
    return order is not None and order == _order(target)


def _order(kind: TensorType) -> _Order | None:
    """How often the channels are walked through, pixels between two steps, channels side by side: equal for equal
    layouts. None where a size is not known."""
    dims = kind.dims
    sizes = [dim for dim in dims or () if isinstance(dim, int)]
    if len(sizes) < 2 or len(sizes) < len(dims or ()):
        return None
    channels, pixels = sizes[1], math.prod(sizes[2:])
    lanes = CHANNEL_LANES[kind.format]
    padded = -(-channels // lanes) * lanes
    if pixels == 1:
        return (1, 1, padded)
    if kind.format.startswith("hwc") or padded == lanes > 1:
        return (1, pixels, padded)
    return (padded // lanes, pixels, lanes)
