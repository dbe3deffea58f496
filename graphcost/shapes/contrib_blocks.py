"""com.microsoft: products with weights in few bits, padding that is removed and restored, dropout with packed masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import TensorType, Type, Unknown, bound, product

from .normalization import layer_norm
from .reading import (
    agree,
    count,
    dims,
    element_type,
    give,
    integer,
    known_dims,
    like,
    plain,
    ranked,
    typed,
)


def rows_of_weight(node: Node, known: Known) -> list[Type]:
    """[..., N] from A [..., K] and a weight [N, K] or packed."""
    data, weight = dims(node, 0), ranked(node, 1, 2)
    return give(node, typed(node, 0, None if not data or weight is None else (*data[:-1], weight[0])))


def shape_of_weight(node: Node, known: Known) -> list[Type]:
    """[..., N] from A [..., K] and the shape [K, N] of a packed weight in operand 2."""
    data, weight = dims(node, 0), known_dims(node, known, 2)
    return give(node, typed(node, 0, None if not data or weight is None else (*data[:-1], weight[-1])))


def ordered_matmul(node: Node, known: Known) -> list[Type]:
    """[..., M, N] from A and B [K, N], which the order COL stores transposed; dims are the logical ones."""
    data, weight = dims(node, 0), dims(node, 2)
    return give(node, typed(node, 0, None if not data or not weight else (*data[:-1], weight[-1])))


def sparse_matmul(node: Node, known: Known) -> list[Type]:
    left, right = dims(node, 0), dims(node, 1)
    if left is None or right is None or len(left) < 2 or len(right) < 2:
        return give(node, typed(node, 1, None))
    flipped_left, flipped_right = integer(node, "transA") != 0, integer(node, "transB") != 0
    agree(node, left[-2 if flipped_left else -1], right[-1 if flipped_right else -2], "the inner dimensions")
    outer = (left[-1 if flipped_left else -2], right[-2 if flipped_right else -1])
    return give(node, typed(node, 1, (*right[:-2], *outer)))


def projections(columns: Sequence[str]) -> InferTypes:
    """[..., N] for each attribute that says how many columns it has, then the sum that was normalised."""

    def infer(node: Node, known: Known) -> list[Type]:
        data = dims(node, 0)
        shapes = (None if not data else (*data[:-1], count(node, name)) for name in columns)
        return give(node, *(typed(node, 0, shape) for shape in shapes), plain(node, 0))

    return infer


def remove_padding(node: Node, known: Known) -> list[Type]:
    """[tokens, hidden] from [batch, positions, hidden]; an offset for each position, cumulated lengths, the longest."""
    data = ranked(node, 0, 3)
    if data is None:
        return give(node, typed(node, 0, None), *(TensorType("i32", None),) * 3)
    tokens = Unknown(node.name, bound(product(data[:2])))
    kept = typed(node, 0, (tokens, data[2]))
    return give(node, kept, *(TensorType("i32", shape) for shape in (data[:2], (data[0] + 1,), (1,))))


def restore_padding(node: Node, known: Known) -> list[Type]:
    """[batch, positions, hidden] from [tokens, hidden] and the offsets [batch, positions]."""
    data, offsets = ranked(node, 0, 2), ranked(node, 1, 2)
    return give(node, typed(node, 0, None if data is None or offsets is None else (*offsets, data[1])))


def packed_dropout(node: Node, known: Known) -> list[Type]:
    """The data, and a mask with one bit for each element in words of 32."""
    data = dims(node, 0)
    words = None if data is None else ((product(data) + 31) // 32,)
    return give(node, plain(node, 0), TensorType("u32", words))


def quantized(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType("i8", dims(node, 0)))


def dequantized(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType(element_type(node, "to", "f32"), dims(node, 0)))


_OPERATORS: Mapping[str, InferTypes] = {
    "BitmaskBiasDropout": packed_dropout,
    "BitmaskDropout": packed_dropout,
    "DequantizeWithOrder": dequantized,
    "MatMulBlockQuantizedFp4Weight": rows_of_weight,
    "MatMulBlockQuantizedFp8Weight": rows_of_weight,
    "MatMulFpQ4": shape_of_weight,
    "MatMulNBitsMlp": projections(("N",)),
    "MatMulNBitsQkv": projections(("Nq", "Nkv", "Nkv")),
    "QOrderedLongformerAttention": like(0),
    "QOrderedMatMul": ordered_matmul,
    "QuantizeWithOrder": quantized,
    "RemovePadding": remove_padding,
    "RestorePadding": restore_padding,
    "SimplifiedLayerNormalization": layer_norm,
    "SparseToDenseMatMul": sparse_matmul,
}

SHAPES: Mapping[str, InferTypes] = {f"com.microsoft.{name}": infer for name, infer in _OPERATORS.items()}
