"""Operators of com.microsoft that ONNX Runtime writes into a model: fused elementwise work, blocks and mixtures."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort

from .activation import GELU, GELU_TANH, SILU
from .elementwise import per_element, rotary_embedding
from .quantization import DEQUANTIZE
from .sizes import (
    has_operand,
    integer,
    operand,
    operand_bytes,
    operand_elements,
    operand_shape,
    result_elements,
    size_bytes,
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
    "com.microsoft.RotaryEmbedding": rotary_embedding,
}
