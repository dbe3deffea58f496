"""Quantisation: between real numbers and the integers that stand for them."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort

from .activation import GELU
from .sizes import has_operand, operand_elements, result_elements

QUANTIZE = 5
"""Divide by the scale, round, add the zero point, clamp from both sides."""
DEQUANTIZE = 2
"""Subtract the zero point, multiply by the scale."""


def quantize(node: Node) -> Effort:
    """Divide by the scale, round, add the zero point if any, clamp from both sides: up to 5 for each element."""
    return Effort(elementwise_ops=result_elements(node) * (QUANTIZE - 1 + has_operand(node, 2)))


def dequantize(node: Node) -> Effort:
    """Subtract the zero point if there is one, multiply by the scale: up to 2 for each element."""
    return Effort(elementwise_ops=result_elements(node) * (DEQUANTIZE - 1 + has_operand(node, 2)))


def quantize_dynamically(node: Node) -> Effort:
    """Find the least and the largest, then quantise."""
    return Effort(elementwise_ops=operand_elements(node) * (2 + QUANTIZE))


def requantized(per_element: int, operands: int = 1) -> CountWork:
    """Between integers, for each element of the result: operands dequantised (2 for each of {operands}), the result
    quantised (5); {per_element} for the operation itself."""

    def count(node: Node) -> Effort:
        return Effort(elementwise_ops=result_elements(node) * (operands * DEQUANTIZE + per_element + QUANTIZE))

    return count


def requantized_reduction(per_input: int) -> CountWork:
    """{per_input} for each element read, dequantised (2); each element of the result is quantised (5)."""

    def count(node: Node) -> Effort:
        inputs, outputs = operand_elements(node), result_elements(node)
        return Effort(elementwise_ops=inputs * (DEQUANTIZE + per_input) + outputs * QUANTIZE)

    return count


def multiply_integers(node: Node) -> Effort:
    """(A - zero point) · (B - zero point)."""
    return Effort(elementwise_ops=result_elements(node) * (1 + has_operand(node, 1) + has_operand(node, 3)))


QUANTIZATION: Mapping[str, CountWork] = {
    "onnx.QuantizeLinear": quantize,
    "onnx.DequantizeLinear": dequantize,
    "onnx.DynamicQuantizeLinear": quantize_dynamically,
    "com.microsoft.QuantizeWithOrder": quantize,
    "com.microsoft.DequantizeWithOrder": dequantize,
    "com.microsoft.QOrderedGelu": requantized(GELU),
    "com.microsoft.QuantizeLinear": quantize,
    "com.microsoft.DequantizeLinear": dequantize,
    "com.microsoft.QLinearAdd": requantized(1, operands=2),
    "com.microsoft.QLinearMul": requantized(1, operands=2),
    "com.microsoft.QLinearSigmoid": requantized(4),
    "com.microsoft.QLinearLeakyRelu": requantized(2),
    "com.microsoft.QLinearSoftmax": requantized(5),
    "com.microsoft.QLinearConcat": requantized(0),
    "com.microsoft.QLinearWhere": requantized(1),
    "com.microsoft.QLinearReduceMean": requantized_reduction(1),
    "com.microsoft.MulInteger": multiply_integers,
}
