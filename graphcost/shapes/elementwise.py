"""Elementwise operators: the operands broadcast as numpy's do, and the operator says which element type comes out."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import TensorType, Type

from .reading import Dims, broadcast, dims, element_type, give, tensor


def like_first(node: Node, known: Known) -> list[Type]:
    """One operand decides; what else there is (bounds, parameters) fits itself to it."""
    found = tensor(node, 0)
    return give(node, TensorType(found.dtype, found.dims))


def broadcasting(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType(_first_dtype(node, 0), _together(node)))


def comparing(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType("bool", _together(node)))


def testing(node: Node, known: Known) -> list[Type]:
    """A yes or no for each element of one operand."""
    return give(node, TensorType("bool", dims(node, 0)))


def where(node: Node, known: Known) -> list[Type]:
    """The condition broadcasts with both choices, which share an element type."""
    return give(node, TensorType(_first_dtype(node, 1), _together(node)))


def cast(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType(element_type(node, "to", "?"), dims(node, 0)))


def cast_like(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType(tensor(node, 1).dtype, dims(node, 0)))


def _together(node: Node) -> Dims | None:
    shapes = [dims(node, slot) for slot in range(len(node.operands))]
    first = shapes[0]
    return first if all(shape == first for shape in shapes) else broadcast(node, *shapes)


def _first_dtype(node: Node, start: int) -> str:
    """The element type that the operands share, from the first of them that has one."""
    found = (tensor(node, slot).dtype for slot in range(start, len(node.operands)))
    return next((dtype for dtype in found if dtype != "?"), "?")


_LIKE_FIRST = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Ceil", "Celu", "Clip", "Cos", "Cosh",
    "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Mish", "Neg", "Not", "PRelu",
    "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt",
    "SwiGLU", "Swish", "Tan", "Tanh", "ThresholdedRelu",
)  # fmt: skip
_BROADCASTING = (
    "Add", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Max", "Mean", "Min", "Mod", "Mul", "Pow", "Sub",
    "Sum",
)  # fmt: skip
_COMPARING = ("And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Or", "Xor")

SHAPES: Mapping[str, InferTypes] = {
    **{f"onnx.{name}": like_first for name in _LIKE_FIRST},
    **{f"onnx.{name}": broadcasting for name in _BROADCASTING},
    **{f"onnx.{name}": comparing for name in _COMPARING},
    "onnx.IsInf": testing,
    "onnx.IsNaN": testing,
    "onnx.Where": where,
    "onnx.Cast": cast,
    "onnx.BitCast": cast,
    "onnx.CastLike": cast_like,
}
