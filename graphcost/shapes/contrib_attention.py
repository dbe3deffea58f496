"""com.microsoft: attention in the forms that ONNX Runtime fuses it into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Dim, TensorType, Type, Unknown

from .reading import Dims, count, give, has, integer, integers, known_integer, like, plain, ranked, tensor, typed


def merged_attention(weights: int = 1, past: int = 4, like: int = 0) -> InferTypes:
    """Attention that projects its input [batch, positions, width] itself, with weights [width, query + key + value].

    The second result is [2, batch, heads, past + positions, head size].
    """

    def infer(node: Node, known: Known) -> list[Type]:
        data, columns = ranked(node, 0, 3), _columns(node, ranked(node, weights, 2))
        dtype = tensor(node, like).dtype
        if data is None or columns is None:
            return give(node, TensorType(dtype, None), TensorType(dtype, None))
        batch, positions, _ = data
        query, value = columns
        heads = count(node, "num_heads")
        present = (2, batch, heads, _grown(node, past, positions, axis=3), query // heads)
        return give(node, TensorType(dtype, (batch, positions, value)), TensorType(dtype, present))

    return infer


def _columns(node: Node, weights: Dims | None) -> tuple[Dim, Dim] | None:
    """Widths of query and value: given, or a third of the weights each."""
    if len(sizes := integers(node, "qkv_hidden_sizes")) == 3:
        return sizes[0], sizes[2]
    return None if weights is None else (weights[1] // 3, weights[1] // 3)


def _grown(node: Node, past: int, positions: Dim, axis: int) -> Dim:
    """Positions in the cache after this call; a cache that is shared with the past keeps its size."""
    before = ranked(node, past, axis + 2) if has(node, past) else None
    if before is None:
        return positions
    return before[axis] if integer(node, "past_present_share_buffer") else before[axis] + positions


def packed_attention(node: Node, known: Known) -> list[Type]:
    """Padding removed: [tokens, width]."""
    data, columns = ranked(node, 0, 2), _columns(node, ranked(node, 1, 2))
    return give(node, typed(node, 0, None if data is None or columns is None else (data[0], columns[1])))


def packed_multi_head(node: Node, known: Known) -> list[Type]:
    """[tokens, value width]; or query, key and value packed as [tokens, heads, 3, head size]."""
    query, value = ranked(node, 0, 2, 4), ranked(node, 2, 2)
    if query is None or (has(node, 2) and value is None):
        return give(node, typed(node, 0, None))
    width = query[1] * query[3] if value is None else value[1]
    return give(node, typed(node, 0, (query[0], width)))


@dataclass(frozen=True, slots=True)
class Heads:
    """What multi-head attention works on. `size` is that of a key head, `value_size` that of a value head."""

    batch: Dim
    positions: Dim
    heads: int
    keys: Dim
    size: Dim
    value_size: Dim


def multi_head(past: int) -> InferTypes:
    """Output [batch, positions, heads * value size], present key and value [batch, heads, keys, size], and the
    product of queries and keys. The past key stands in slot `past`."""

    def infer(node: Node, known: Known) -> list[Type]:
        found = _heads(node)
        if found is None:
            return give(node, *(typed(node, 0, None) for _ in range(4)))
        total = _total(node, past, found)
        output = (found.batch, found.positions, found.heads * found.value_size)
        cache = (found.batch, found.heads, total)
        return give(
            node,
            typed(node, 0, output),
            typed(node, 0, (*cache, found.size)),
            typed(node, 0, (*cache, found.value_size)),
            typed(node, 0, (found.batch, found.heads, found.positions, total)),
        )

    return infer


def _heads(node: Node) -> Heads | None:
    """From query [batch, positions, width], or [batch, positions, heads, 3, size] with key and value in it."""
    query, heads = ranked(node, 0, 3, 5), count(node, "num_heads")
    if query is None:
        return None
    if len(query) == 5:
        return Heads(query[0], query[1], heads, query[1], query[4], query[4])
    if not has(node, 1):
        size = query[2] // (3 * heads)
        return Heads(query[0], query[1], heads, query[1], size, size)
    return _with_keys(node, query, heads)


def _with_keys(node: Node, query: Dims, heads: int) -> Heads | None:
    """Keys are [batch, keys, width], [batch, heads, keys, size], or [batch, keys, heads, 2, size] with the values."""
    key, value, size = ranked(node, 1, 3, 4, 5), ranked(node, 2, 3, 4), query[2] // heads
    if key is None or (value is None and len(key) != 5):
        return None
    keys = key[2] if len(key) == 4 else key[1]
    if value is None:
        return Heads(query[0], query[1], heads, keys, size, key[4])
    return Heads(query[0], query[1], heads, keys, size, value[3] if len(value) == 4 else value[2] // heads)


def _total(node: Node, past: int, found: Heads) -> Dim:
    """Past and new keys; a past that comes with its own length (the next slot but one) is a buffer of full size."""
    before = ranked(node, past, 4) if has(node, past) else None
    if before is not None and has(node, past + 2):
        return before[2]
    return _grown(node, past, found.keys, axis=2)


def grouped_query(total: int) -> InferTypes:
    """Output [batch, positions, heads * size], present key and value [batch, key heads, keys, size], and the product
    of queries and keys. Slots 3 and 4 hold the past; slot `total` how many keys there are with the new ones."""

    def infer(node: Node, known: Known) -> list[Type]:
        query, heads = ranked(node, 0, 3), count(node, "num_heads")
        if query is None:
            return give(node, plain(node, 0), _cache(node, 3), _cache(node, 4), plain(node, 0))
        batch, positions, _ = query
        shared, size = count(node, "kv_num_heads"), _head_size(node, query[2], heads)
        keys = _cached(node, known_integer(node, known, total), positions)
        caches = (_grown_cache(node, slot, (batch, shared, keys, size)) for slot in (3, 4))
        product = typed(node, 0, (batch, heads, positions, keys))
        return give(node, typed(node, 0, (batch, positions, heads * size)), *caches, product)

    return infer


def _head_size(node: Node, width: Dim, heads: int) -> Dim:
    """Without keys in slot 1 the query holds them, and the values, as well."""
    return width // (heads if has(node, 1) else heads + 2 * count(node, "kv_num_heads", heads))


def _cache(node: Node, slot: int) -> TensorType:
    return plain(node, slot) if has(node, slot) else plain(node, 0).with_dims(None)


def _grown_cache(node: Node, slot: int, fresh: Dims) -> TensorType:
    """The past (slot 3 or 4) with more positions: its element type and head size may be those of a quantised cache."""
    past = ranked(node, slot, 4) if has(node, slot) else None
    dtype = tensor(node, slot).dtype if has(node, slot) else tensor(node, 0).dtype
    return TensorType(dtype, fresh if past is None else (*past[:2], fresh[2], past[3]))


def _cached(node: Node, total: int | None, positions: Dim) -> Dim:
    """Keys in the cache: the total where it is known, but no fewer than the past has, which may be a buffer."""
    past = ranked(node, 3, 4) if has(node, 3) else None
    before: Dim = 0 if past is None else past[2]
    if total is None:
        return before + positions
    return max(before, total) if isinstance(before, int) else Unknown(f"max({before.name},{total})", before.max)


def decoder_attention(node: Node, known: Known) -> list[Type]:
    """Positions first: [positions, batch, width]; how far the caches grow, flags decide at run time."""
    data, heads = ranked(node, 0, 3), count(node, "num_heads")
    if data is None:
        return give(node, *(typed(node, 0, None) for _ in range(3)))
    cache = typed(node, 0, (data[1], heads, Unknown(node.name), data[2] // heads))
    return give(node, plain(node, 0), cache, cache)


def paged_attention(node: Node, known: Known) -> list[Type]:
    """[tokens, heads * size]; the caches are written in place. Keys and values may come packed in the query."""
    query, heads = ranked(node, 0, 2), count(node, "num_heads")
    shape = None if query is None else (query[0], heads * _head_size(node, query[1], heads))
    return give(node, typed(node, 0, shape), plain(node, 3), plain(node, 4))


def gated_position_bias(node: Node, known: Known) -> list[Type]:
    """[batch, heads, positions, positions]."""
    query, heads = ranked(node, 0, 3), count(node, "num_heads")
    return give(node, typed(node, 0, None if query is None else (query[0], heads, query[1], query[1])))


_OPERATORS: Mapping[str, InferTypes] = {
    "Attention": merged_attention(),
    "DecoderAttention": decoder_attention,
    "DecoderMaskedMultiHeadAttention": multi_head(past=5),
    "DecoderMaskedSelfAttention": merged_attention(),
    "GatedRelativePositionBias": gated_position_bias,
    "GemmaRotaryEmbedding": like(1, 3),
    "GroupQueryAttention": grouped_query(total=6),
    "LongformerAttention": like(0),
    "MRotaryEmbedding": like(0),
    "MultiHeadAttention": multi_head(past=6),
    "PackedAttention": packed_attention,
    "PackedMultiHeadAttention": packed_multi_head,
    "PagedAttention": paged_attention,
    "QAttention": merged_attention(past=8, like=3),
    "QOrderedAttention": like(0),
    "RotaryEmbedding": like(0),
    "SparseAttention": grouped_query(total=7),
}

SHAPES: Mapping[str, InferTypes] = {f"com.microsoft.{name}": infer for name, infer in _OPERATORS.items()}
