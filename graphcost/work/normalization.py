"""Normalisations and softmax. Counts for each element follow the steps of the ONNX function bodies; what is done once
for a mean (add epsilon, root, reciprocal) counts once for each mean."""

from __future__ import annotations

import math
from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort

from .activation import SILU
from .quantization import DEQUANTIZE, QUANTIZE
from .sizes import has_operand, integer, integers, operand_bytes, operand_shape, result_elements

PER_MEAN = 3
"""Add epsilon, take the root, its reciprocal."""
LAYER_NORM = 6
"""Mean, subtract it, square, mean of squares, multiply by the reciprocal deviation, multiply by the scale."""
RMS_NORM = 4
"""Square, mean, multiply by the reciprocal root, multiply by the scale."""
SOFTMAX = 5
"""Maximum, subtract it, exponential, sum, divide (log-softmax: subtract the logarithm of the sum)."""


def softmax(before: int = 0) -> CountWork:
    """Maximum, subtract it, exponential, sum, divide: 5 for each element; {before} before."""
    return lambda node: Effort(elementwise_ops=result_elements(node) * (SOFTMAX + before))


def hardmax(node: Node) -> Effort:
    """A maximum, and a comparison with it."""
    return Effort(elementwise_ops=2 * result_elements(node))


def layer_normalization(each: int = LAYER_NORM, bias: int | None = 2, addends: tuple[int, ...] = ()) -> CountWork:
    """{each} for each element read; a shift and what is added before where they are there; 3 for each mean (add
    epsilon, root, reciprocal).

    Normalised over the dimensions from the attribute `axis` on (the last by default). `bias` is the slot of the shift,
    `addends` are slots of what is added before.
    """

    def count(node: Node) -> Effort:
        dims = operand_shape(node)
        ops = math.prod(dims) * (each + sum(has_operand(node, slot) for slot in (*addends, bias)))
        return Effort(elementwise_ops=ops + math.prod(dims[: integer(node, "axis", -1)]) * PER_MEAN)

    return count


def embed_layer_normalization(node: Node) -> Effort:
    """Rows of up to three tables (slots 2 to 4) are gathered, added and normalised (scale 5, shift 6)."""
    tables = sum(has_operand(node, slot) for slot in (2, 3, 4))
    outputs, rows = result_elements(node), math.prod(operand_shape(node))
    gathered = operand_bytes(node, 0, 1, 5, 6, 7, 8) + _rows_of_tables(node, rows)
    return Effort(elementwise_ops=outputs * (tables + LAYER_NORM) + rows * PER_MEAN, bytes_read=gathered)


def quantized_embed_layer_normalization(node: Node) -> Effort:
    """Rows of up to three quantised tables (slots 2 to 4) are gathered, dequantised, added and normalised."""
    tables = sum(has_operand(node, slot) for slot in (2, 3, 4))
    outputs, rows = result_elements(node), math.prod(operand_shape(node))
    gathered = operand_bytes(node, 0, 1, *range(5, 18)) + _rows_of_tables(node, rows)
    each = tables * (1 + DEQUANTIZE) + LAYER_NORM
    return Effort(elementwise_ops=outputs * each + rows * PER_MEAN, bytes_read=gathered)


def _rows_of_tables(node: Node, rows: int) -> int:
    """Bytes of so many rows of each table, a small table being read once."""
    tables = [slot for slot in (2, 3, 4) if has_operand(node, slot)]
    sizes = [(operand_bytes(node, slot), operand_shape(node, slot)[0]) for slot in tables]
    return sum(min(size, size * rows // max(length, 1)) for size, length in sizes)


def instance_normalization(node: Node) -> Effort:
    """A mean and a deviation for each channel of each image, scale and shift: 7 for each element, 3 for each mean."""
    dims = operand_shape(node)
    return Effort(elementwise_ops=math.prod(dims) * (LAYER_NORM + 1) + math.prod(dims[:2]) * PER_MEAN)


def group_normalization(groups: str, addends: tuple[int, ...] = ()) -> CountWork:
    """A mean and a deviation for each group of each image, scale and shift: 7 for each element, 3 for each mean; what
    is added before and a SiLU after where they are there. `groups` is the attribute that says how many groups there
    are."""

    def count(node: Node) -> Effort:
        dims = operand_shape(node)
        each = LAYER_NORM + 1 + sum(has_operand(node, slot) for slot in addends) + SILU * integer(node, "activation")
        return Effort(elementwise_ops=math.prod(dims) * each + dims[0] * integer(node, groups, 1) * PER_MEAN)

    return count


def batch_normalization(node: Node) -> Effort:
    """Subtract the mean, divide by the deviation, scale, shift: 4. In training the batch gives mean and variance (sum,
    subtract, square, sum: 4 more), and both running statistics move (2 products and a sum for each channel)."""
    dims, training = operand_shape(node), integer(node, "training_mode")
    channels = dims[1] if len(dims) > 1 else 1
    return Effort(elementwise_ops=math.prod(dims) * (4 + 4 * training) + channels * (2 + 6 * training))


def local_response(node: Node) -> Effort:
    """x / (bias + alpha/size · Σ x²)^beta over `size` channels: square, size - 1 sums, multiply, add, power, divide."""
    return Effort(elementwise_ops=result_elements(node) * (integer(node, "size", 1) + 4))


def lp_normalization(node: Node) -> Effort:
    """|x| or x², their sum, a division; a root for each line where p is 2."""
    dims = operand_shape(node)
    lines = math.prod(dims) // max(dims[integer(node, "axis", -1)], 1)
    return Effort(elementwise_ops=3 * math.prod(dims) + lines * (integer(node, "p", 2) == 2))


def mean_variance(node: Node) -> Effort:
    """(x - E[x]) / (√(E[x²] - E[x]²) + 1e-9): mean, square, mean of squares, subtract, divide; 4 for each mean."""
    dims, axes = operand_shape(node), integers(node, "axes") or (0, 2, 3)
    reduced = {axis % len(dims) for axis in axes}
    means = math.prod(dim for axis, dim in enumerate(dims) if axis not in reduced)
    return Effort(elementwise_ops=5 * math.prod(dims) + 4 * means)


NORMALIZATION: Mapping[str, CountWork] = {
    "onnx.Softmax": softmax(),
    "onnx.LogSoftmax": softmax(),
    "onnx.Hardmax": hardmax,
    "onnx.BatchNormalization": batch_normalization,
    "onnx.LayerNormalization": layer_normalization(),
    "onnx.SimplifiedLayerNormalization": layer_normalization(RMS_NORM, bias=None),
    "onnx.RMSNormalization": layer_normalization(RMS_NORM, bias=None),
    "onnx.InstanceNormalization": instance_normalization,
    "onnx.GroupNormalization": group_normalization("num_groups"),
    "onnx.LRN": local_response,
    "onnx.LpNormalization": lp_normalization,
    "onnx.MeanVarianceNormalization": mean_variance,
    "com.microsoft.BiasSoftmax": softmax(before=1),
    "com.microsoft.SimplifiedLayerNormalization": layer_normalization(RMS_NORM, bias=None),
    "com.microsoft.SkipLayerNormalization": layer_normalization(LAYER_NORM, bias=3, addends=(1, 4)),
    "com.microsoft.SkipSimplifiedLayerNormalization": layer_normalization(RMS_NORM, bias=None, addends=(1, 3)),
    "com.microsoft.EmbedLayerNormalization": embed_layer_normalization,
    "com.microsoft.QEmbedLayerNormalization": quantized_embed_layer_normalization,
    "com.microsoft.QOrderedLayerNormalization": layer_normalization(LAYER_NORM + DEQUANTIZE + QUANTIZE, bias=3),
    "com.microsoft.GroupNorm": group_normalization("groups"),
    "com.microsoft.SkipGroupNorm": group_normalization("groups", addends=(3, 4)),
}
