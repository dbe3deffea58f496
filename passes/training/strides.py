"""Strides of tensors as PyTorch keeps them, in elements: what is a view, what must be copied."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

Strides: TypeAlias = tuple[int, ...]


def contiguous(dims: Sequence[int]) -> Strides:
    """Row-major."""
    return tuple(math.prod(dims[axis + 1 :]) for axis in range(len(dims)))


def viewed(dims: Sequence[int], strides: Strides, new: Sequence[int]) -> Strides | None:
    """The strides of the same elements under other dims, or None where they must be copied. The rule of
    at::detail::computeStride (ATen/TensorUtils.cpp)."""
    if math.prod(dims) == 0:
        return contiguous(new)
    made, at = [0] * len(new), len(new) - 1
    chunk, chunk_stride, seen = 1, strides[-1] if strides else 1, 1
    for axis in range(len(dims) - 1, -1, -1):
        chunk *= dims[axis]
        ends = axis == 0 or (dims[axis - 1] != 1 and strides[axis - 1] != chunk * chunk_stride)
        if not ends:
            continue
        while at >= 0 and (seen < chunk or new[at] == 1):
            made[at] = seen * chunk_stride
            seen *= new[at]
            at -= 1
        if seen != chunk:
            return None
        if axis > 0:
            chunk, chunk_stride, seen = 1, strides[axis - 1], 1
    return tuple(made) if at == -1 else (contiguous(new) if not dims else None)


def permuted(strides: Strides, perm: Sequence[int]) -> Strides:
    return tuple(strides[axis] for axis in perm)
