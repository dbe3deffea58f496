"""Attention and rotary embedding of ai.onnx."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Dim, Type

from .errors import ShapeMismatch
from .reading import Dims, count, dims, give, has, integer, like, ranked, tensor, typed


def attention(node: Node, known: Known) -> list[Type]:
    """Output, present key, present value, the product of queries and keys. A 3-D result packs the heads as its query
    does; the present tensors are always [batch, heads, positions, size]."""
    query, key, value = (_heads(node, slot, kind) for slot, kind in enumerate(("q", "kv", "kv")))
    if query is None or key is None or value is None:
        return give(node, *(typed(node, slot, None) for slot in (0, 1, 2, 0)))
    batch, heads, positions, _ = query
    total = key[2] + _past(node)
    output: Dims = (batch, heads, positions, value[3])
    if len(dims(node, 0) or ()) == 3:
        output = (batch, positions, heads * value[3])
    return give(
        node,
        typed(node, 0, output),
        typed(node, 1, (*key[:2], total, key[3])),
        typed(node, 2, (*value[:2], total, value[3])),
        typed(node, 0, (batch, heads, positions, total)),
    )


def _heads(node: Node, slot: int, kind: str) -> Dims | None:
    """An operand as [batch, heads, positions, size]; in 3-D form the number of heads stands in an attribute."""
    shape = dims(node, slot)
    if shape is None or len(shape) == 4:
        return shape
    heads = integer(node, f"{kind}_num_heads")
    if len(shape) != 3 or heads < 1:
        raise ShapeMismatch(node, f"operand {slot} must have 4 dimensions, or 3 with attribute {kind}_num_heads")
    return (shape[0], heads, shape[1], shape[2] // heads)


def _past(node: Node) -> Dim:
    past = ranked(node, 4, 4) if has(node, 4) else None
    return 0 if past is None else past[2]


def flex_attention(node: Node, known: Known) -> list[Type]:
    query, value = ranked(node, 0, 4), ranked(node, 2, 4)
    if query is None or value is None:
        return give(node, typed(node, 0, None))
    return give(node, typed(node, 0, (*query[:3], value[3])))


def linear_attention(node: Node, known: Known) -> list[Type]:
    """Heads are packed into the last dimension; the state is [batch, key heads, key size, value size]. com.microsoft
    allows more key heads than query heads, and may keep a window of states."""
    query, value = ranked(node, 0, 3), ranked(node, 2, 3)
    heads, shared = count(node, "q_num_heads"), count(node, "kv_num_heads")
    kept = integer(node, "state_window")
    state = tensor(node, 3) if has(node, 3) else tensor(node, 0)
    if query is None or value is None:
        return give(node, typed(node, 0, None), state.with_dims(None))
    size = value[2] // shared
    carried = (query[0], shared, query[2] // heads, size)
    output = typed(node, 0, (*query[:2], size * max(heads, shared)))
    return give(node, output, state.with_dims((kept, *carried) if kept else carried))


SHAPES: Mapping[str, InferTypes] = {
    "onnx.Attention": attention,
    "onnx.LinearAttention": linear_attention,
    "onnx.RotaryEmbedding": like(0),
    "ai.onnx.preview.FlexAttention": flex_attention,
    "com.microsoft.LinearAttention": linear_attention,
}
