"""Attention of com.microsoft over packed, paged, sparse or quantised operands."""

from __future__ import annotations

import math
from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort, UnknownWork

from .attention import attend
from .quantization import DEQUANTIZE, QUANTIZE
from .sizes import (
    has_operand,
    integer,
    integers,
    operand_bytes,
    operand_elements,
    operand_shape,
    result_bytes,
    result_elements,
)


def packed_attention(node: Node) -> Effort:
    """One matrix makes Q, K and V of [tokens, hidden]; every sequence (operand 3 is [batch, S]) counts at the longest
    that it may have: queries × keys, softmax, × values."""
    tokens, _ = operand_shape(node)
    columns = operand_shape(node, 1)[1]
    query, _, value = integers(node, "qkv_hidden_sizes") or (columns // 3,) * 3
    core = _sequences(node, operand_shape(node, 3), query, value, has_operand(node, 5))
    projected = tokens * math.prod(operand_shape(node, 1))
    return Effort(core.macs + projected, core.elementwise_ops + tokens * columns * has_operand(node, 2))


def packed_multi_head(node: Node) -> Effort:
    """Queries × keys, softmax, × values; every sequence (operand 4 is [batch, S]) counts at the longest that it may
    have."""
    query, heads = operand_shape(node), integer(node, "num_heads")
    if len(query) == 4:
        width = value = query[1] * query[3]
    else:
        width, value = query[1], operand_shape(node, 2)[1]
    core = _sequences(node, operand_shape(node, 4), width, value, has_operand(node, 6))
    biased = query[0] * (2 * width + value) * has_operand(node, 3)
    return Effort(core.macs, core.elementwise_ops + biased * (heads > 0))


def _sequences(node: Node, offsets: tuple[int, ...], query: int, value: int, masks: int) -> Effort:
    """Attention within each sequence; `query` and `value` are widths over all heads."""
    heads = integer(node, "num_heads")
    if not heads:
        raise UnknownWork("attribute num_heads is absent")
    batch, longest = offsets
    return attend(batch * heads * longest**2, query // heads, value // heads, masks)


def paged_attention(node: Node) -> Effort:
    """Queries × keys, softmax, × values. Each token [tokens, heads·size] counts with all keys that its row of the block
    table (operand 7) can point to; of the cache only so much is read, and the new keys and values are written."""
    tokens, heads, shared = operand_shape(node)[0], integer(node, "num_heads"), integer(node, "kv_num_heads")
    size = result_elements(node) // max(tokens * heads, 1)
    blocks, table = operand_shape(node, 3)[0], operand_shape(node, 7)
    if not heads or not shared or not size:
        raise UnknownWork("the number of heads or their size is not known")
    keys = table[1] * (operand_elements(node, 3) // max(blocks, 1) // (shared * size))
    caches = operand_bytes(node, 3, 4)
    touched = min(caches, caches * math.prod(table) // max(blocks, 1))
    read = touched + operand_bytes(node, 0, 1, 2, 5, 6, 7, 8, 9)
    added = operand_bytes(node, 1, 2) or operand_bytes(node, 0) * 2 * shared // (heads + 2 * shared)
    core = attend(tokens * heads * keys, size, size, masks=1)
    rotated = 3 * tokens * size * (heads + shared) * integer(node, "do_rotary")
    return Effort(core.macs, core.elementwise_ops + rotated, read, result_bytes(node) - caches + added)


def sparse_attention(node: Node) -> Effort:
    """Queries × keys, softmax, × values, for the blocks that the layout (operand 6) keeps, at most all of them."""
    heads, block = integer(node, "num_heads"), integer(node, "sparse_block_size")
    if not heads or not block:
        raise UnknownWork("attributes num_heads and sparse_block_size are absent")
    batch, length, hidden = operand_shape(node)
    size = hidden // (heads if has_operand(node, 1) else heads + 2 * integer(node, "kv_num_heads"))
    dense = length * operand_shape(node, 3)[2]
    kept = operand_shape(node, 6)[1] * block**2
    core = attend(batch * heads * min(dense, kept), size, size)
    rotated = 3 * batch * length * size * (heads + integer(node, "kv_num_heads")) * integer(node, "do_rotary")
    return Effort(core.macs, core.elementwise_ops + rotated)


def longformer_attention(weights: tuple[int, int], requantized: bool = False) -> CountWork:
    """Two matrices make local and global Q, K and V; each token meets the keys within `window` on both sides.

    Not counted: the scores of the global tokens, how many there are only the data say.
    """

    def count(node: Node) -> Effort:
        batch, length, hidden = operand_shape(node)
        heads = max(integer(node, "num_heads"), 1)
        near = min(2 * integer(node, "window") + 1, length)
        core = attend(batch * heads * length * near, hidden // heads, hidden // heads, masks=1)
        projected = batch * length * sum(operand_elements(node, slot) for slot in weights)
        columns = batch * length * sum(operand_shape(node, slot)[1] for slot in weights)
        each = 1 + requantized * (QUANTIZE + DEQUANTIZE)
        return Effort(core.macs + projected, core.elementwise_ops + columns * each)

    return count


def ordered_attention(node: Node) -> Effort:
    """Three matrices make Q, K and V of [batch, S, hidden]; queries × keys, softmax, × values; each product is
    quantised again."""
    batch, length, _ = operand_shape(node)
    heads, weights = max(integer(node, "num_heads"), 1), [operand_shape(node, slot) for slot in (5, 6, 7)]
    keys = length + (operand_shape(node, 18)[3] if has_operand(node, 18) else 0)
    masks = has_operand(node, 17) + has_operand(node, 19) + integer(node, "unidirectional")
    core = attend(batch * heads * length * keys, weights[1][1] // heads, weights[2][1] // heads, masks)
    projected = batch * length * sum(map(math.prod, weights))
    columns = batch * length * sum(shape[1] for shape in weights)
    requantized = columns * (1 + QUANTIZE) + (2 * batch * heads * length * keys + result_elements(node)) * QUANTIZE
    return Effort(core.macs + projected, core.elementwise_ops + requantized)


def decoder_attention(node: Node) -> Effort:
    """Two matrices make Q of [S, batch, hidden] and K and V of [T, batch, hidden]; queries × keys, softmax, × values.

    The flags that switch the caches are data: new keys and the cache both count.
    """
    length, batch, hidden = operand_shape(node)
    heads, source = max(integer(node, "num_heads"), 1), operand_shape(node, 1)[0]
    keys = source + (operand_shape(node, 6)[2] if has_operand(node, 6) else 0)
    core = attend(batch * heads * length * keys, hidden // heads, hidden // heads, has_operand(node, 5))
    projected = batch * (length * operand_elements(node, 2) + source * operand_elements(node, 3))
    biased = batch * hidden * (length + 2 * source)
    return Effort(core.macs + projected, core.elementwise_ops + biased)


def gated_position_bias(node: Node) -> Effort:
    """Each query meets the weight [size, D]; both halves are summed into gates (sigmoid), which scale the bias of every
    key."""
    batch, length, hidden = operand_shape(node)
    heads, (size, columns) = max(integer(node, "num_heads"), 1), operand_shape(node, 3)
    rows = batch * length * heads
    gates = rows * (2 * columns - 2 + 2 * 4 + 4)  # bias and sums, two sigmoids, u · (r · a - 1) + 2
    return Effort(rows * size * columns, batch * length * hidden + gates + result_elements(node))


def position_bias(node: Node) -> Effort:
    """The bucket of each pair of positions: difference, sign, compare, logarithm, scale, minimum, choose. Of the table
    what it gives is read.
    """
    pairs = result_elements(node) // max(operand_shape(node)[1], 1)
    return Effort(elementwise_ops=7 * pairs, bytes_read=min(operand_bytes(node, 0), result_bytes(node)))


CONTRIB_ATTENTION: Mapping[str, CountWork] = {
    "com.microsoft.DecoderAttention": decoder_attention,
    "com.microsoft.GatedRelativePositionBias": gated_position_bias,
    "com.microsoft.LongformerAttention": longformer_attention(weights=(1, 4)),
    "com.microsoft.PackedAttention": packed_attention,
    "com.microsoft.PackedMultiHeadAttention": packed_multi_head,
    "com.microsoft.PagedAttention": paged_attention,
    "com.microsoft.QOrderedAttention": ordered_attention,
    "com.microsoft.QOrderedLongformerAttention": longformer_attention(weights=(2, 8), requantized=True),
    "com.microsoft.RelativePositionBias": position_bias,
    "com.microsoft.SparseAttention": sparse_attention,
}
