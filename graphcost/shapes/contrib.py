"""com.microsoft: fused elementwise operators, normalisations, embeddings, and the smaller helpers of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Dim, TensorType, Type, Unknown, bound

from .reading import (
    Dims,
    at,
    axis_of,
    broadcast,
    count,
    data_dependent,
    dims,
    element_type,
    give,
    integer,
    known_dim,
    known_integer,
    like,
    plain,
    ranked,
    tensor,
    typed,
)
from .window import steps


def bias_split_gelu(node: Node, known: Known) -> list[Type]:
    """One half of the last axis gates the other."""
    data = dims(node, 0)
    return give(node, typed(node, 0, (*data[:-1], data[-1] // 2) if data else None))


def bias_dropout(node: Node, known: Known) -> list[Type]:
    return give(node, plain(node, 0), TensorType("bool", dims(node, 0)))


def skip_layer_norm(node: Node, known: Known) -> list[Type]:
    """Output, mean, inverse standard deviation, and the sum that was normalised."""
    data = dims(node, 0)
    statistics = TensorType("f32", (*data[:-1], 1) if data else None)
    return give(node, plain(node, 0), statistics, statistics, plain(node, 0))


def embed_layer_norm(node: Node, known: Known) -> list[Type]:
    """[batch, positions, hidden], a mask index [batch], and the sum before normalising."""
    tokens, table = ranked(node, 0, 2), ranked(node, 2, 2)
    result = typed(node, 2, None if tokens is None or table is None else (*tokens, table[1]))
    return give(node, result, TensorType("i32", tokens[:1] if tokens else None), result)


def quantized_embed_layer_norm(node: Node, known: Known) -> list[Type]:
    """As embed_layer_norm; the tables are quantised and the result has the element type of their scales."""
    output, mask, *_ = embed_layer_norm(node, known)
    real = output.with_dtype(tensor(node, 8).dtype) if isinstance(output, TensorType) else output
    return give(node, real, mask)


def broadcasting(*slots: int, dtype: str | None = None) -> InferTypes:
    """The operands in these slots broadcast; the element type is that of the last unless `dtype` is given."""

    def infer(node: Node, known: Known) -> list[Type]:
        shape = broadcast(node, *(dims(node, slot) for slot in slots))
        return give(node, TensorType(dtype or tensor(node, slots[-1]).dtype, shape))

    return infer


def quantized_concat(node: Node, known: Known) -> list[Type]:
    """Operands: scale and zero point of the result, then tensor, scale and zero point of each part."""
    parts = [dims(node, slot) for slot in range(2, len(node.operands), 3)]
    shape = parts[0] if parts else None
    if shape is None:
        return give(node, typed(node, 1, None))
    axis = axis_of(node, integer(node, "axis"), len(shape))
    total: Dim = 0
    for part in parts:
        if part is None or len(part) != len(shape):
            return give(node, typed(node, 1, None))
        total = total + part[axis]
    return give(node, typed(node, 1, at(shape, axis, total)))


def torch_embedding(node: Node, known: Known) -> list[Type]:
    table, indices = ranked(node, 0, 2), dims(node, 1)
    return give(node, typed(node, 0, None if table is None or indices is None else (*indices, table[1])))


def gather_block_quantized(node: Node, known: Known) -> list[Type]:
    """Gather and dequantise; two 4-bit numbers in a byte along the last axis count as two."""
    data, indices = tensor(node, 0), dims(node, 1)
    if not data.dims or indices is None:
        return give(node, typed(node, 2, None))
    axis = axis_of(node, integer(node, "gather_axis"), len(data.dims))
    packed = 8 // count(node, "bits", 4) if data.dtype == "u8" else 1
    logical: Dims = (*data.dims[:-1], data.dims[-1] * packed)
    return give(node, typed(node, 2, (*logical[:axis], *indices, *logical[axis + 1 :])))


def distances(node: Node, known: Known) -> list[Type]:
    """[m, k] between the rows of [m, n] and of [k, n]."""
    a, b = ranked(node, 0, 2), ranked(node, 1, 2)
    return give(node, typed(node, 0, None if a is None or b is None else (a[0], b[0])))


def unfold(node: Node, known: Known) -> list[Type]:
    """Slices of `size` along `dim`, one each `step`, as a new last axis."""
    data, size = dims(node, 0), integer(node, "size")
    if data is None:
        return give(node, typed(node, 0, None))
    axis = axis_of(node, integer(node, "dim", -1), len(data))
    slices = steps(data[axis], size, count(node, "step"))
    return give(node, typed(node, 0, (*at(data, axis, slices), size)))


def expand_dims(node: Node, known: Known) -> list[Type]:
    data, axis = dims(node, 0), known_integer(node, known, 1)
    if data is None or axis is None:
        return give(node, typed(node, 0, None))
    axis = axis_of(node, axis, len(data) + 1)
    return give(node, typed(node, 0, (*data[:axis], 1, *data[axis:])))


def relative_position_bias(node: Node, known: Known) -> list[Type]:
    """[1, heads, query positions, key positions] from a table [buckets, heads] and two lengths."""
    table = ranked(node, 0, 2)
    lengths = (known_dim(node, known, slot) or Unknown(f"{node.name}.{slot}") for slot in (1, 2))
    return give(node, typed(node, 0, None if table is None else (1, table[1], *lengths)))


def dynamic_time_warping(node: Node, known: Known) -> list[Type]:
    """The path through a cost matrix [m, n]: two coordinates, fewer than m + n steps."""
    data = dims(node, 0)
    most = bound(data[-2] + data[-1] - 1) if data and len(data) > 1 else None
    return give(node, TensorType("i32", (2, data_dependent(node, most))))


def murmur_hash(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType("u32" if integer(node, "positive", 1) else "i32", dims(node, 0)))


def all_finite(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType("bool", ()))


def gemm_float8(node: Node, known: Known) -> list[Type]:
    """A product of matrices whose element type stands in attribute dtype."""
    a, b = ranked(node, 0, 2), ranked(node, 1, 2)
    shape = None if a is None or b is None else (a[integer(node, "transA")], b[1 - integer(node, "transB")])
    return give(node, TensorType(element_type(node, "dtype", "f32"), shape))


_LIKE_FIRST = (
    "BiasAdd", "BiasGelu", "BiasSoftmax", "BranchwiseRMSNorm", "FastGelu", "GatedAdd", "GatedRMSNorm", "Gelu",
    "GroupNorm", "Inverse", "MoE", "NGramRepeatBlock", "QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax", "QMoE",
    "QOrderedGelu", "QOrderedLayerNormalization", "QuickGelu", "SampleOp", "ScaledSiLU", "Trilu",
)  # fmt: skip

_OPERATORS: Mapping[str, InferTypes] = {
    **dict.fromkeys(_LIKE_FIRST, like(0)),
    "BiasDropout": bias_dropout,
    "BiasSplitGelu": bias_split_gelu,
    "CDist": distances,
    "ComplexMul": broadcasting(0, 1),
    "ComplexMulConj": broadcasting(0, 1),
    "DynamicTimeWarping": dynamic_time_warping,
    "EmbedLayerNormalization": embed_layer_norm,
    "ExpandDims": expand_dims,
    "GatherBlockQuantized": gather_block_quantized,
    "GemmFloat8": gemm_float8,
    "IsAllFinite": all_finite,
    "MulInteger": broadcasting(0, 2, dtype="i32"),
    "MurmurHash3": murmur_hash,
    "QEmbedLayerNormalization": quantized_embed_layer_norm,
    "QLinearAdd": broadcasting(0, 3),
    "QLinearConcat": quantized_concat,
    "QLinearMul": broadcasting(0, 3),
    "QLinearWhere": broadcasting(0, 1, 4),
    "RelativePositionBias": relative_position_bias,
    "SkipGroupNorm": like(0, 0),
    "SkipLayerNormalization": skip_layer_norm,
    "SkipSimplifiedLayerNormalization": skip_layer_norm,
    "TorchEmbedding": torch_embedding,
    "UnfoldTensor": unfold,
}

SHAPES: Mapping[str, InferTypes] = {f"com.microsoft.{name}": infer for name, infer in _OPERATORS.items()}
