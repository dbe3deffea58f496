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
    """One operation fewer without a zero point."""
    return Effort(elementwise_ops=result_elements(node) * (QUANTIZE - 1 + has_operand(node, 2)))


def dequantize(node: Node) -> Effort:
    return Effort(elementwise_ops=result_elements(node) * (DEQUANTIZE - 1 + has_operand(node, 2)))


def quantize_dynamically(node: Node) -> Effort:
    """Find the least and the largest, then quantise."""
    return Effort(elementwise_ops=operand_elements(node) * (2 + QUANTIZE))


def requantized(per_element: int, operands: int = 1) -> CountWork:
    """An elementwise operation on real numbers between integers: every operand dequantised, the result quantised."""

    def count(node: Node) -> Effort:
        return Effort(elementwise_ops=result_elements(node) * (operands * DEQUANTIZE + per_element + QUANTIZE))

    return count


def requantized_reduction(per_input: int) -> CountWork:
    """A reduction between integers."""

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
