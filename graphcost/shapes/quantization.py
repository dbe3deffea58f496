"""Quantize and dequantize: only the element type changes."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import TensorType, Type

from .reading import dims, element_type, give, has, tensor


def quantize(node: Node, known: Known) -> list[Type]:
    """The element type is that of the zero point, else attribute output_dtype, else u8."""
    dtype = tensor(node, 2).dtype if has(node, 2) else element_type(node, "output_dtype", "u8")
    return give(node, TensorType(dtype, dims(node, 0)))


def dequantize(node: Node, known: Known) -> list[Type]:
    """The element type is attribute output_dtype, else that of the scale."""
    return give(node, TensorType(element_type(node, "output_dtype", tensor(node, 1).dtype), dims(node, 0)))


def dynamic_quantize(node: Node, known: Known) -> list[Type]:
    """The quantised tensor, its scale and its zero point."""
    return give(node, TensorType("u8", dims(node, 0)), TensorType("f32", ()), TensorType("u8", ()))


SHAPES: Mapping[str, InferTypes] = {
    "onnx.DequantizeLinear": dequantize,
    "onnx.DynamicQuantizeLinear": dynamic_quantize,
    "onnx.QuantizeLinear": quantize,
    "com.microsoft.DequantizeLinear": dequantize,
    "com.microsoft.QuantizeLinear": quantize,
}
