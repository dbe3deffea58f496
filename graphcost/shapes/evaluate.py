"""Data of small tensors: arithmetic, comparisons and logic, with ONNX's rules and with dimensions that are unknown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy

from graphcost.ir import Node
from graphcost.operators import Evaluate
from graphcost.types import FLOATS, INTEGERS, TensorType, Unknown

from . import dimensions
from .reading import integer, word

if TYPE_CHECKING:
    Array: TypeAlias = numpy.ndarray[Any, Any]

Compute: TypeAlias = "Callable[..., Array | None]"
"""From a node and the data of its operands, all known (None where the operand is absent), to the data of its result."""

Pointwise: TypeAlias = "Callable[..., Any]"


def strict(compute: Compute) -> Evaluate:
    """An evaluator of one result that needs the data of every operand that is there."""

    def evaluate(node: Node, arrays: Sequence[Array | None]) -> Sequence[Array | None]:
        for array, operand in zip(arrays, node.operands):
            if array is None and operand is not None:
                return [None] * len(node.results)
        made = compute(node, *arrays)
        return [None if made is None else numpy.asarray(made)]  # one element of an object array comes bare

    return evaluate


def pointwise(numbers: Pointwise, unknown: Pointwise | None = None) -> Evaluate:
    """`numbers` works on whole arrays; `unknown` on single elements of which one may be an unknown dimension. Without
    it, what comes from an unknown is a new unknown without a bound."""
    careful = unknown or _opaque(numbers)

    def compute(node: Node, *arrays: Array) -> Array:
        if any(array.dtype == object for array in arrays):
            spread = numpy.frompyfunc(careful, len(arrays), 1)(*arrays)
            return numpy.asarray(spread, dtype=object)
        return numpy.asarray(numbers(*arrays))

    return strict(compute)


def folded(numbers: Pointwise, unknown: Pointwise | None = None) -> Evaluate:
    """A function of two operands, applied over as many as there are."""
    pair = pointwise(numbers, unknown)

    def compute(node: Node, first: Array, *rest: Array) -> Array | None:
        total: Array | None = first
        for array in rest:
            (total,) = pair(node, (total, array))
        return total

    return strict(compute)


def _opaque(numbers: Pointwise) -> Pointwise:
    def careful(*items: Any) -> Any:
        unknown = next((item for item in items if isinstance(item, Unknown)), None)
        if unknown is not None:
            return Unknown(f"({unknown.name})")
        return numbers(*(numpy.asarray(item) for item in items)).item()

    return careful


def _integer_division(a: Array, b: Array) -> Array:
    """ONNX divides integers towards zero."""
    if a.dtype.kind == "f" or b.dtype.kind == "f":
        return numpy.asarray(numpy.true_divide(a, b))
    if (b == 0).any():
        raise ZeroDivisionError("an integer divided by zero")
    return numpy.asarray(numpy.sign(a) * numpy.sign(b) * (numpy.abs(a) // numpy.abs(b)))


def _modulo(node: Node, a: Array, b: Array) -> Array | None:
    if object in (a.dtype, b.dtype):
        return numpy.asarray(numpy.frompyfunc(dimensions.remainder, 2, 1)(a, b), dtype=object)
    if b.dtype.kind != "f" and (b == 0).any():
        return None
    return numpy.asarray(numpy.fmod(a, b) if integer(node, "fmod") else numpy.mod(a, b))


def _power(a: Array, b: Array) -> Array:
    """A negative power of an integer is 0 or ±1, as in C++."""
    if a.dtype.kind != "f" and b.dtype.kind != "f" and (b < 0).any():
        return numpy.asarray(numpy.power(a.astype(float), b))
    return numpy.asarray(numpy.power(a, b))


# Other element types


def _cast(node: Node, array: Array, *_: Array) -> Array | None:
    result = node.results[0].type
    dtype = result.dtype if isinstance(result, TensorType) else "?"
    if dtype == "str" or (array.dtype == object and not any(isinstance(i, Unknown) for i in array.flat)):
        return None
    if array.dtype == object:
        return array
    return _converted(array, dtype)


def _converted(array: Array, dtype: str) -> Array | None:
    if dtype == "bool":
        return numpy.asarray(array != 0)
    if dtype in FLOATS:
        return array.astype(numpy.float64)
    if dtype not in INTEGERS:
        return None
    if array.dtype.kind == "f" and not numpy.isfinite(array).all():
        return None
    return array.astype(numpy.int64)


def _clip(node: Node, array: Array, low: Array | None = None, high: Array | None = None) -> Array | None:
    if array.dtype == object:
        return None
    return array if low is None and high is None else numpy.asarray(numpy.clip(array, low, high))


def _shift(node: Node, a: Array, b: Array) -> Array | None:
    if object in (a.dtype, b.dtype):
        return None
    return numpy.asarray(numpy.left_shift(a, b) if word(node, "direction") == "LEFT" else numpy.right_shift(a, b))


def _same(item: Any) -> Any:
    return item if isinstance(item, Unknown) else math.floor(item)


_erf = numpy.vectorize(math.erf, otypes=[float])

ARITHMETIC: Mapping[str, Evaluate] = {
    "Add": pointwise(numpy.add, dimensions.add),
    "Sub": pointwise(numpy.subtract, dimensions.subtract),
    "Mul": pointwise(numpy.multiply, dimensions.multiply),
    "Div": pointwise(_integer_division, dimensions.divide),
    "Mod": strict(_modulo),
    "Pow": pointwise(_power),
    "Min": folded(numpy.minimum, dimensions.minimum),
    "Max": folded(numpy.maximum, dimensions.maximum),
    "Sum": folded(numpy.add, dimensions.add),
    "BitShift": strict(_shift),
    "BitwiseAnd": pointwise(numpy.bitwise_and),
    "BitwiseOr": pointwise(numpy.bitwise_or),
    "BitwiseXor": pointwise(numpy.bitwise_xor),
    "BitwiseNot": pointwise(numpy.bitwise_not),
    "Neg": pointwise(numpy.negative),
    "Abs": pointwise(numpy.abs, lambda item: item if isinstance(item, Unknown) else abs(item)),
    "Sign": pointwise(numpy.sign),
    "Floor": pointwise(numpy.floor, _same),
    "Ceil": pointwise(numpy.ceil, lambda item: item if isinstance(item, Unknown) else math.ceil(item)),
    "Round": pointwise(numpy.rint, lambda item: item if isinstance(item, Unknown) else round(item)),
    "Sqrt": pointwise(numpy.sqrt),
    "Exp": pointwise(numpy.exp),
    "Log": pointwise(numpy.log),
    "Erf": pointwise(_erf),
    "Reciprocal": pointwise(lambda array: numpy.true_divide(1.0, array)),
    "Sin": pointwise(numpy.sin),
    "Cos": pointwise(numpy.cos),
    "Tanh": pointwise(numpy.tanh),
    "Relu": pointwise(lambda array: numpy.maximum(array, 0), lambda item: item),
    "Clip": strict(_clip),
    "Cast": strict(_cast),
    "CastLike": lambda node, arrays: [None if arrays[0] is None else _cast(node, arrays[0])],
    "Equal": pointwise(numpy.equal, dimensions.equal),
    "Less": pointwise(numpy.less, dimensions.less),
    "Greater": pointwise(numpy.greater, lambda a, b: dimensions.less(b, a)),
    "LessOrEqual": pointwise(numpy.less_equal, lambda a, b: dimensions.negate(dimensions.less(b, a))),
    "GreaterOrEqual": pointwise(numpy.greater_equal, lambda a, b: dimensions.negate(dimensions.less(a, b))),
    "Not": pointwise(numpy.logical_not, dimensions.negate),
    "And": pointwise(numpy.logical_and, dimensions.both),
    "Or": pointwise(numpy.logical_or, dimensions.either),
    "Xor": pointwise(numpy.logical_xor),
    "IsNaN": pointwise(numpy.isnan),
    "Where": pointwise(numpy.where, dimensions.choose),
}

EVALUATORS: Mapping[str, Evaluate] = {f"onnx.{name}": evaluate for name, evaluate in ARITHMETIC.items()}
