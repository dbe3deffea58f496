"""Operators of com.microsoft that ONNX Runtime writes into a model: fused elementwise work, blocks and mixtures."""

from __future__ import annotations

import math
from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort

from .activation import GELU, GELU_TANH, SILU
from .elementwise import per_element, rotary_embedding
from .movement import copy
from .normalization import PER_MEAN, RMS_NORM
from .quantization import DEQUANTIZE
from .sizes import (
    elements,
    has_operand,
    integer,
    operand,
    operand_bytes,
    operand_elements,
    operand_shape,
    result_elements,
    size_bytes,
    text,
)


def fast_gelu(node: Node) -> Effort:
    """The tanh form, after a bias that may be there."""
    return Effort(elementwise_ops=result_elements(node) * (GELU_TANH + has_operand(node, 1)))


def add_all(node: Node) -> Effort:
    """The sum of the operands."""
    return Effort(elementwise_ops=result_elements(node) * (sum(v is not None for v in node.operands) - 1))


def bias_dropout(node: Node) -> Effort:
    """data + bias, dropped out (draw, compare, mask, scale: counted as in training), + residual."""
    return Effort(elementwise_ops=result_elements(node) * (5 + has_operand(node, 2)))


def gather_quantized(node: Node) -> Effort:
    """Rows are gathered with their scales and zero points, in proportion, and every element is dequantised."""
    rows, stored = result_elements(node), operand_bytes(node, 0, 2, 3)
    packed = 8 // integer(node, "bits", 8) if size_bytes(operand(node, 0)) == operand_elements(node) else 1
    read = min(stored, rows * stored // max(operand_elements(node) * packed, 1))
    return Effort(elementwise_ops=rows * DEQUANTIZE, bytes_read=read + operand_bytes(node, 1))


def mixture_of_experts(node: Node) -> Effort:
    """Each token goes through `k` experts: fc1, activation, fc2, and fc3 for a gated one. Of the experts only those
    that some token goes to are read, at most all."""
    experts = operand_shape(node, 2)[0]
    tokens, chosen = result_elements(node) // max(operand_shape(node)[-1], 1), integer(node, "k", 1)
    matrices = [slot for slot in (2, 4, 6) if has_operand(node, slot)]
    weights = sum(operand_elements(node, slot) for slot in matrices) // max(experts, 1)
    active = min(experts, tokens * chosen)
    read = operand_bytes(node, 0, 1) + operand_bytes(node, *range(2, 8)) * active // max(experts, 1)
    routing = 5 * operand_elements(node, 1) + result_elements(node) * 2 * chosen
    return Effort(tokens * chosen * weights, routing, bytes_read=read)


def quantized_mixture(node: Node) -> Effort:
    """Each token goes through `k` experts, as in MoE; each weight of an expert that is read is dequantised.

    The packed dimension of a weight is one of fc1's [experts, columns, hidden / packed] and of fc2's.
    """
    experts, columns = operand_shape(node, 2)[:2]
    hidden, inner = operand_shape(node)[-1], columns // 2 if integer(node, "swiglu_fusion") else columns
    tokens, chosen = result_elements(node) // max(hidden, 1), integer(node, "k", 1)
    weights = columns * hidden + hidden * inner * (1 + has_operand(node, 8))
    active = min(experts, tokens * chosen)
    read = operand_bytes(node, 0, 1) + operand_bytes(node, *range(2, 14)) * active // max(experts, 1)
    routing = 5 * operand_elements(node, 1) + result_elements(node) * 2 * chosen
    return Effort(tokens * chosen * weights, routing + active * weights * DEQUANTIZE, bytes_read=read)


def branchwise_norm(node: Node) -> Effort:
    """Root mean square over each branch: square, mean, multiply by the reciprocal root, multiply by the scale; add
    epsilon, root and reciprocal for each mean."""
    dims = operand_shape(node)
    means = math.prod(dims[:-1]) * max(integer(node, "num_branches", 1), 1)
    return Effort(elementwise_ops=math.prod(dims) * (RMS_NORM - 1 + has_operand(node, 1)) + means * PER_MEAN)


def gated_norm(node: Node) -> Effort:
    """Root mean square over as many elements as the scale has, times the activated gate."""
    groups = result_elements(node) // max(operand_elements(node, 1), 1)
    gate = 4 if text(node, "activation", "silu") == "sigmoid" else SILU
    return Effort(elementwise_ops=result_elements(node) * (RMS_NORM + gate + 1) + groups * PER_MEAN)


def gemma_rotary(node: Node) -> Effort:
    """Sine and cosine of the embedding; x·cos + rotated·sin for queries and keys."""
    rotated = operand_elements(node, 1) + operand_elements(node, 3)
    return Effort(elementwise_ops=2 * operand_elements(node, 0) + 3 * rotated)


def all_finite(node: Node) -> Effort:
    """A test of each element, joined into one answer."""
    return Effort(elementwise_ops=2 * sum(elements(value) for value in node.inputs))


def warp_time(node: Node) -> Effort:
    """Dynamic programming over a cost matrix [m, n]: two comparisons and a sum for each entry."""
    return Effort(elementwise_ops=3 * operand_elements(node))


def forbid_repeats(node: Node) -> Effort:
    """The last n - 1 tokens are compared with those at every position; the scores are copied."""
    return Effort(elementwise_ops=operand_elements(node) * max(integer(node, "ngram_size", 1) - 1, 1))


def packed_dropout(bias: int | None = None, residual: int | None = None, mode: int = 2) -> CountWork:
    """Draw, compare, mask and scale each element, as in training unless the operand that says so is absent; bias and
    residual where they are there."""

    def count(node: Node) -> Effort:
        each = 4 * has_operand(node, mode) + has_operand(node, bias) + has_operand(node, residual)
        return Effort(elementwise_ops=operand_elements(node) * each)

    return count


def distances(node: Node) -> Effort:
    """Each row of A against each row of B: subtract, square, sum."""
    return Effort(elementwise_ops=3 * result_elements(node) * operand_shape(node)[-1])


CONTRIB: Mapping[str, CountWork] = {
    "com.microsoft.Gelu": per_element(GELU),
    "com.microsoft.BiasGelu": per_element(1 + GELU),
    "com.microsoft.FastGelu": fast_gelu,
    "com.microsoft.QuickGelu": per_element(1 + SILU),  # x · Sigmoid(1.702 · x)
    "com.microsoft.BiasSplitGelu": per_element(2 + GELU + 1),  # both halves biased, left · Gelu(right)
    "com.microsoft.BiasAdd": add_all,
    "com.microsoft.BiasDropout": bias_dropout,
    "com.microsoft.ComplexMul": per_element(3),  # 4 products and 2 sums for two numbers
    "com.microsoft.ComplexMulConj": per_element(3),
    "com.microsoft.CDist": distances,
    "com.microsoft.GatherBlockQuantized": gather_quantized,
    "com.microsoft.MoE": mixture_of_experts,
    "com.microsoft.QMoE": quantized_mixture,
    "com.microsoft.RotaryEmbedding": rotary_embedding,
    "com.microsoft.MRotaryEmbedding": rotary_embedding,
    "com.microsoft.GemmaRotaryEmbedding": gemma_rotary,
    "com.microsoft.BranchwiseRMSNorm": branchwise_norm,
    "com.microsoft.GatedRMSNorm": gated_norm,
    "com.microsoft.GatedAdd": per_element(2),
    "com.microsoft.ScaledSiLU": per_element(1 + SILU),
    "com.microsoft.IsAllFinite": all_finite,
    "com.microsoft.DynamicTimeWarping": warp_time,
    "com.microsoft.NGramRepeatBlock": forbid_repeats,
    "com.microsoft.BitmaskDropout": packed_dropout(mode=2),
    "com.microsoft.BitmaskBiasDropout": packed_dropout(bias=1, residual=2, mode=4),
    "com.microsoft.SampleOp": copy,
}
