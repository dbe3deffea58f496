"""com.microsoft.nchwc: what ONNX Runtime writes when it saves a model optimised for CPUs.

Channels lie in blocks of 8 or 16, as the processor has it, and their number is padded to whole blocks.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Dim, Type, Unknown

from .convolution import convolution
from .pooling import global_pool, pool
from .reading import Dims, at, dims, give, integer, integers, ranked, typed

SMALLEST_BLOCK, LARGEST_BLOCK = 8, 16
"""Channels in a block: those of AVX2 and NEON, those of AVX-512 (MlasNchwcGetBlockSize)."""


def reorder_input(node: Node, known: Known) -> list[Type]:
    """[N, C, H, W], or channels last, with channels in blocks."""
    data = ranked(node, 0, 3, 4)
    if data is None:
        return give(node, typed(node, 0, None))
    if integer(node, "channels_last"):
        data = (data[0], data[-1], *data[1:-1])
    return give(node, typed(node, 0, at(data, 1, _whole_blocks(node, data[1]))))


def _whole_blocks(node: Node, channels: Dim) -> Dim:
    if not isinstance(channels, int) or channels % LARGEST_BLOCK == 0:
        return channels
    high, low = (-(-channels // block) * block for block in (LARGEST_BLOCK, SMALLEST_BLOCK))
    return high if high == low else Unknown(node.name, high)


def reorder_output(node: Node, known: Known) -> list[Type]:
    """Attribute `channels` says how many there are without the padding."""
    data = ranked(node, 0, 3, 4)
    if data is None:
        return give(node, typed(node, 0, None))
    plain: Dims = at(data, 1, integer(node, "channels"))
    return give(node, typed(node, 0, (plain[0], *plain[2:], plain[1]) if integer(node, "channels_last") else plain))


def upsample(node: Node, known: Known) -> list[Type]:
    """Attribute `scales` has an integer for each dimension."""
    data, scales = dims(node, 0), integers(node, "scales")
    if data is None or len(scales) != len(data):
        return give(node, typed(node, 0, None))
    return give(node, typed(node, 0, tuple(dim * scale for dim, scale in zip(data, scales))))


_OPERATORS: Mapping[str, InferTypes] = {
    "AveragePool": pool(),
    "Conv": convolution(),
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "MaxPool": pool(),
    "ReorderInput": reorder_input,
    "ReorderOutput": reorder_output,
    "Upsample": upsample,
}

SHAPES: Mapping[str, InferTypes] = {f"com.microsoft.nchwc.{name}": infer for name, infer in _OPERATORS.items()}
