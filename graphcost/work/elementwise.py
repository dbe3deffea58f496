"""Operators that compute each element of the result from the elements at its place."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.memory.aliases import cast_aliases
from graphcost.operators import CountWork, Effort

from .sizes import integer, operand_shape, result_elements


def per_element(ops: int) -> CountWork:
    """{ops} for each element of the result."""
    return lambda node: Effort(elementwise_ops=ops * result_elements(node))


def variadic(finish: int = 0) -> CountWork:
    """n - 1 steps for n operands, for each element of the result; {finish} more."""

    def count(node: Node) -> Effort:
        return Effort(elementwise_ops=result_elements(node) * (len(node.operands) - 1 + finish))

    return count


def cast(node: Node) -> Effort:
    """1 for each element of the result, a conversion; nothing at all where the element type stays the same."""
    if cast_aliases(node):
        return Effort(bytes_read=0, bytes_written=0)
    return Effort(elementwise_ops=result_elements(node))


def rotary_embedding(node: Node) -> Effort:
    """Each rotated element is x·cos ± y·sin: two products and a sum. Of each head `rotary_embedding_dim` elements
    rotate; all of them where it is 0."""
    dims, heads = operand_shape(node), integer(node, "num_heads")
    head = dims[-1] // heads if len(dims) == 3 and heads else dims[-1]
    rotated = integer(node, "rotary_embedding_dim") or head
    return Effort(elementwise_ops=3 * result_elements(node) * rotated // max(head, 1))


_ONE = (
    "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitShift", "BitwiseAnd", "BitwiseNot",
    "BitwiseOr", "BitwiseXor", "Ceil", "Cos", "Cosh", "Div", "Equal", "Erf", "Exp", "Floor", "Greater",
    "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Log", "Mod", "Mul", "Neg", "Not", "Or", "Pow",
    "Reciprocal", "Round", "Sign", "Sin", "Sinh", "Sqrt", "Sub", "Tan", "Where", "Xor",
)  # fmt: skip
"""One arithmetic operation, comparison, choice or evaluated function for each element."""

ELEMENTWISE: Mapping[str, CountWork] = {
    **{f"onnx.{name}": per_element(1) for name in _ONE},
    "onnx.Sum": variadic(),
    "onnx.Max": variadic(),
    "onnx.Min": variadic(),
    "onnx.Mean": variadic(finish=1),
    "onnx.Cast": cast,
    "onnx.CastLike": cast,
    "onnx.RotaryEmbedding": rotary_embedding,
}
