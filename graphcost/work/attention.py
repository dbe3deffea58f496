"""Attention as one operator: queries × keys, softmax, × values; every score counts, masked or not.

In the shapes, S is the length of the queries, T that of keys and values with what the cache holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort, UnknownWork

from .normalization import SOFTMAX
from .sizes import has_operand, integer, integers, number, operand_elements, operand_shape

_SOFTCAP = 3
"""Divide, tanh, multiply."""


class Scores(NamedTuple):
    """What attention multiplies: for each of `heads` = batch · heads a matrix of `queries` x `keys`."""

    heads: int
    queries: int
    keys: int
    key_size: int
    value_size: int

    def effort(self, masks: int) -> Effort:
        return attend(self.heads * self.queries * self.keys, self.key_size, self.value_size, masks)


def attend(scores: int, key_size: int, value_size: int, masks: int = 0) -> Effort:
    """`scores` = batch · heads · S · T; each is scaled, masked as often as `masks` says, and goes through softmax."""
    return Effort(scores * (key_size + value_size), scores * (1 + masks + SOFTMAX))


def _heads(node: Node, slot: int, heads: int) -> tuple[int, int, int, int]:
    """Batch, heads, length and head size of [batch, heads, length, size] or [batch, length, heads·size]."""
    dims = operand_shape(node, slot)
    if len(dims) == 4:
        return dims[0], dims[1], dims[2], dims[3]
    if len(dims) != 3 or heads < 1:
        raise UnknownWork(f"operand {slot} has neither four dimensions nor three with a number of heads")
    return dims[0], heads, dims[1], dims[2] // heads


def _cached(node: Node, slot: int, axis: int = 2) -> int:
    """The length of the cache in an optional operand."""
    return operand_shape(node, slot)[axis] if has_operand(node, slot) else 0


def _keys_with_cache(node: Node, fresh: int, slot: int, axis: int = 2) -> int:
    """New keys and those in the cache; a cache that is shared with the present holds both."""
    cached = _cached(node, slot, axis)
    return max(cached, fresh) if cached and integer(node, "past_present_share_buffer") else cached + fresh


def attention(node: Node) -> Effort:
    """Queries × keys, softmax, × values; each mask and the soft cap where they are there. Key heads that queries share
    share keys, not scores.

    Not counted: copying the past keys and values, which a runtime keeps in place.
    """
    masks = has_operand(node, 3) + integer(node, "is_causal") + _SOFTCAP * (number(node, "softcap", 0.0) != 0.0)
    return _scores(node).effort(masks)


def _scores(node: Node) -> Scores:
    batch, heads, length, size = _heads(node, 0, integer(node, "q_num_heads"))
    _, _, keys, _ = _heads(node, 1, integer(node, "kv_num_heads"))
    value_size = _heads(node, 2, integer(node, "kv_num_heads"))[3]
    return Scores(batch * heads, length, keys + _cached(node, 4), size, value_size)


def projected_attention(
    weight: int = 1, bias: int = 2, mask: int = 3, past: int = 4, extra: int | None = 5
) -> CountWork:
    """One matrix makes Q, K and V of [batch, S, hidden]; queries × keys, softmax, × values; past [2, batch, heads, P,
    size]."""

    def count(node: Node) -> Effort:
        batch, length, _ = operand_shape(node)
        columns = operand_shape(node, weight)[1]
        query, key, value = (*integers(node, "qkv_hidden_sizes"), 0, 0, 0)[:3]
        if not query:
            query = key = value = columns // 3
        keys = _keys_with_cache(node, length, past, axis=3)
        masks = has_operand(node, mask) + has_operand(node, extra) + integer(node, "unidirectional")
        core = attend(batch * length * keys, key, value)
        scores = batch * integer(node, "num_heads", 1) * length * keys
        biased = batch * length * columns * has_operand(node, bias)
        macs = core.macs + batch * length * math.prod(operand_shape(node, weight))
        return Effort(macs, scores * (1 + masks + SOFTMAX) + biased)

    return count


def multi_head_attention(bias: int, masks: tuple[int, int], past: int) -> CountWork:
    """Queries × keys, softmax, × values; the biases of Q, K and V. Q [batch, S, hidden]; K and V alike, packed as
    [batch, T, heads, 2, size], or with Q as [batch, S, heads, 3, size]."""

    def count(node: Node) -> Effort:
        masked = sum(has_operand(node, slot) for slot in masks) + integer(node, "unidirectional")
        inputs = sum(operand_elements(node, s) for s in (0, 1, 2) if has_operand(node, s))
        core = _multi_head_scores(node, past).effort(masked)
        return Effort(core.macs, core.elementwise_ops + has_operand(node, bias) * inputs)

    return count


def _multi_head_scores(node: Node, past: int = 6) -> Scores:
    batch, heads, length, keys, size, value_size = _multi_head(node)
    return Scores(batch * heads, length, _keys_with_cache(node, keys, past), size, value_size)


def _multi_head(node: Node) -> tuple[int, int, int, int, int, int]:
    """Batch, heads, queries, keys, size of a key head, size of a value head."""
    heads, dims = integer(node, "num_heads"), operand_shape(node)
    if len(dims) == 5:
        return dims[0], heads, dims[1], dims[1], dims[4], dims[4]
    if not has_operand(node, 1):
        batch, heads, length, size = _heads(node, 0, 3 * heads)
        return batch, heads // 3, length, length, size, size
    return (*_heads(node, 0, heads)[:3], *_keys_and_values(node, heads))


def _keys_and_values(node: Node, heads: int) -> tuple[int, int, int]:
    """How many keys there are, and the sizes of a key head and of a value head."""
    key, size = operand_shape(node, 1), _heads(node, 0, heads)[3]
    if len(key) == 5:
        return key[1], size, key[4]
    return _heads(node, 1, heads)[2], size, _heads(node, 2, heads)[3]


def group_query_attention(node: Node) -> Effort:
    """Queries × keys, softmax, × values, rotary embedding where the attribute asks for it.

    Q is [batch, S, heads·size], or Q, K and V are packed along the last dimension; the past key [batch, kv heads, T,
    size] says how long the cache is.
    """
    scores, heads, shared = _grouped_scores(node), integer(node, "num_heads"), integer(node, "kv_num_heads")
    masks = 1 + has_operand(node, 10) + _SOFTCAP * (number(node, "softcap", 0.0) != 0.0)
    core = scores.effort(masks)
    tokens = scores.heads // heads * scores.queries
    rotated = 3 * tokens * scores.key_size * (heads + shared) * integer(node, "do_rotary")
    return Effort(core.macs, core.elementwise_ops + rotated)


def _grouped_scores(node: Node) -> Scores:
    heads, shared = integer(node, "num_heads"), integer(node, "kv_num_heads")
    batch, length, hidden = operand_shape(node)
    if not heads or not shared:
        raise UnknownWork("attributes num_heads and kv_num_heads are absent")
    size = hidden // (heads if has_operand(node, 1) else heads + 2 * shared)
    return Scores(batch * heads, length, length + _cached(node, 3), size, size)


def flex_attention(node: Node) -> Effort:
    """Queries × keys, softmax, × values. What its bodies do to scores and probabilities is counted beside it."""
    batch, heads, length, size = _heads(node, 0, 0)
    keys, value_size = _heads(node, 1, 0)[2], _heads(node, 2, 0)[3]
    return attend(batch * heads * length * keys, size, value_size)


def linear_attention(node: Node) -> Effort:
    """A state of key size × value size for each key head, updated and read at each step. The outer product k ⊗ v, the
    delta rule's read of the state and the query's read are products of matrices with vectors; the decay scales it."""
    query_heads, heads = integer(node, "q_num_heads"), integer(node, "kv_num_heads")
    if not query_heads or not heads:
        raise UnknownWork("attributes q_num_heads and kv_num_heads are absent")
    batch, length, columns = operand_shape(node, 1)
    key_size, value_size = columns // heads, operand_shape(node, 2)[2] // heads
    rule = node.attrs.get("update_rule", "gated_delta")
    steps, state = batch * length, key_size * value_size
    reads = query_heads + heads * (1 + (rule in ("delta", "gated_delta")))
    decays = heads * (rule in ("gated", "gated_delta"))
    return Effort(steps * state * reads, steps * state * decays)


ATTENTION: Mapping[str, CountWork] = {
    "onnx.Attention": attention,
    "onnx.LinearAttention": linear_attention,
    "ai.onnx.preview.FlexAttention": flex_attention,
    "com.microsoft.Attention": projected_attention(),
    "com.microsoft.QAttention": projected_attention(mask=5, past=8, extra=None),
    "com.microsoft.DecoderMaskedSelfAttention": projected_attention(),
    "com.microsoft.MultiHeadAttention": multi_head_attention(bias=3, masks=(4, 5), past=6),
    "com.microsoft.DecoderMaskedMultiHeadAttention": multi_head_attention(bias=10, masks=(3, 4), past=5),
    "com.microsoft.GroupQueryAttention": group_query_attention,
    "com.microsoft.LinearAttention": linear_attention,
}

SCORES: Mapping[str, Callable[[Node], Scores]] = {
    "onnx.Attention": _scores,
    "com.microsoft.MultiHeadAttention": _multi_head_scores,
    "com.microsoft.GroupQueryAttention": _grouped_scores,
}
"""Operators that are two products and a softmax, and no product besides."""
