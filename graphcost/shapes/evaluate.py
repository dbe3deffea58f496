"""Data of small tensors: arithmetic, comparisons and logic, with ONNX's rules and with dimensions that are unknown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy

from graphcost.ir import Node
from graphcost.operators import Evaluate
from graphcost.types import FLOATS, INTEGERS, TensorType, Unknown, bound

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
        return [compute(node, *arrays)]

    return evaluate


def pointwise(numbers: Pointwise, unknown: Pointwise | None = None) -> Evaluate:
    """`numbers` works on whole arrays; `unknown` on single elements of which one may be an unknown dimension. Without
    it, what comes from an unknown is a new unknown without a bound."""
    careful = unknown or _opaque(numbers)

    def compute(node: Node, *arrays: Array) -> Array:
        if any(array.dtype == object for array in arrays):
            spread = numpy.frompyfunc(careful, len(arrays), 1)(*arrays)
            return numpy.asarray(spread, dtype=object)
        with numpy.errstate(all="ignore"):
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


# Arithmetic. A dimension is never negative, which is what the rules for unknown ones rest on.


def _whole(item: Any) -> Any:
    """A float that stands for a whole number, as one: dimensions pass through floats in exported arithmetic."""
    return int(item) if isinstance(item, float) and item.is_integer() else item


def _add(a: Any, b: Any) -> Any:
    return _whole(a) + _whole(b) if _exact(a, b) else _estimate(a, b)


def _subtract(a: Any, b: Any) -> Any:
    return _whole(a) - _whole(b) if _exact(a, b) else _estimate(a, b)


def _multiply(a: Any, b: Any) -> Any:
    if _exact(a, b):
        return _whole(a) * _whole(b)
    unknown, factor = (a, b) if isinstance(a, Unknown) else (b, a)
    most = None if unknown.max is None else max(math.ceil(unknown.max * factor), 0)
    return Unknown(f"({unknown.name}*{factor!r})", most)


def _divide(a: Any, b: Any) -> Any:
    if not _exact(a, b) or b == 0:
        return _estimate(a, b)
    return _whole(a) // _whole(b)


def _exact(a: Any, b: Any) -> bool:
    """Whether dimension arithmetic can take both."""
    return all(isinstance(_whole(item), (int, Unknown)) for item in (a, b)) or not _any_unknown(a, b)


def _any_unknown(*items: Any) -> bool:
    return any(isinstance(item, Unknown) for item in items)


def _estimate(a: Any, b: Any) -> Unknown:
    unknown = a if isinstance(a, Unknown) else b
    return Unknown(f"({unknown.name})" if isinstance(unknown, Unknown) else "?")


def _minimum(a: Any, b: Any) -> Any:
    if not _any_unknown(a, b):
        return min(a, b)
    limits = [limit for limit in map(_bound, (a, b)) if limit is not None]
    return a if a == b else Unknown(f"min({_name(a)},{_name(b)})", min(limits, default=None))


def _maximum(a: Any, b: Any) -> Any:
    if not _any_unknown(a, b):
        return max(a, b)
    if a == b or _never_more(a):
        return b
    if _never_more(b):
        return a
    high_a, high_b = _bound(a), _bound(b)
    most = None if high_a is None or high_b is None else max(high_a, high_b)
    return Unknown(f"max({_name(a)},{_name(b)})", most)


def _never_more(item: Any) -> bool:
    """Whether a number cannot exceed a dimension."""
    return not isinstance(item, Unknown) and item <= 0


def _bound(item: Any) -> int | None:
    whole = _whole(item)
    return bound(whole) if isinstance(whole, (int, Unknown)) else None


def _name(item: Any) -> str:
    return item.name if isinstance(item, Unknown) else str(item)


def _integer_division(a: Array, b: Array) -> Array:
    """ONNX divides integers towards zero."""
    if a.dtype.kind == "f" or b.dtype.kind == "f":
        return numpy.asarray(numpy.true_divide(a, b))
    if (b == 0).any():
        raise ZeroDivisionError("an integer divided by zero")
    return numpy.asarray(numpy.sign(a) * numpy.sign(b) * (numpy.abs(a) // numpy.abs(b)))


def _modulo(node: Node, a: Array, b: Array) -> Array | None:
    if object in (a.dtype, b.dtype):
        return _modulo_unknown(a, b)
    if b.dtype.kind != "f" and (b == 0).any():
        return None
    return numpy.asarray(numpy.fmod(a, b) if integer(node, "fmod") else numpy.mod(a, b))


def _modulo_unknown(a: Array, b: Array) -> Array:
    def rest(x: Any, y: Any) -> Any:
        if not _any_unknown(x, y):
            return x % y
        return Unknown(f"({_name(x)}%{_name(y)})", max(y - 1, 0) if isinstance(y, int) else None)

    return numpy.asarray(numpy.frompyfunc(rest, 2, 1)(a, b), dtype=object)


def _power(a: Array, b: Array) -> Array:
    """A negative power of an integer is 0 or ±1, as in C++."""
    if a.dtype.kind != "f" and b.dtype.kind != "f" and (b < 0).any():
        return numpy.asarray(numpy.power(a.astype(float), b))
    return numpy.asarray(numpy.power(a, b))


# Comparisons: what stands in for a dimension is at least 0


def _equal(a: Any, b: Any) -> Any:
    if a == b:
        return True
    return False if not _any_unknown(a, b) or _negative(a) or _negative(b) or _beyond(a, b) else _perhaps(a, b)


def _negative(item: Any) -> bool:
    return not isinstance(item, Unknown) and item < 0


def _beyond(a: Any, b: Any) -> bool:
    """Whether one is a number that the other cannot reach."""
    high_a, high_b = _bound(a), _bound(b)
    if isinstance(a, Unknown):
        return not isinstance(b, Unknown) and high_a is not None and b > high_a
    return high_b is not None and a > high_b


def _perhaps(a: Any, b: Any) -> Unknown:
    return Unknown(f"({_name(a)}?{_name(b)})", 1)


def _less(a: Any, b: Any) -> Any:
    if not _any_unknown(a, b):
        return a < b
    high = _bound(a)
    if high is not None and not isinstance(b, Unknown) and high < b:
        return True
    return False if _never_more(b) else _perhaps(a, b)


def _not(item: Any) -> Any:
    return Unknown(f"!{item.name}", 1) if isinstance(item, Unknown) else not item


def _and(a: Any, b: Any) -> Any:
    if not _any_unknown(a, b):
        return bool(a) and bool(b)
    known = b if isinstance(a, Unknown) else a
    return False if not isinstance(known, Unknown) and not known else _perhaps(a, b)


def _or(a: Any, b: Any) -> Any:
    return _not(_and(_not(a), _not(b)))


def _choose(condition: Any, then: Any, otherwise: Any) -> Any:
    if not isinstance(condition, Unknown):
        return then if condition else otherwise
    if then == otherwise:
        return then
    highs = [_bound(then), _bound(otherwise)]
    most = None if None in highs else max(high for high in highs if high is not None)
    return Unknown(f"({_name(then)}|{_name(otherwise)})", most)


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
    "Add": pointwise(numpy.add, _add),
    "Sub": pointwise(numpy.subtract, _subtract),
    "Mul": pointwise(numpy.multiply, _multiply),
    "Div": pointwise(_integer_division, _divide),
    "Mod": strict(_modulo),
    "Pow": pointwise(_power),
    "Min": folded(numpy.minimum, _minimum),
    "Max": folded(numpy.maximum, _maximum),
    "Sum": folded(numpy.add, _add),
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
    "Equal": pointwise(numpy.equal, _equal),
    "Less": pointwise(numpy.less, _less),
    "Greater": pointwise(numpy.greater, lambda a, b: _less(b, a)),
    "LessOrEqual": pointwise(numpy.less_equal, lambda a, b: _not(_less(b, a))),
    "GreaterOrEqual": pointwise(numpy.greater_equal, lambda a, b: _not(_less(a, b))),
    "Not": pointwise(numpy.logical_not, _not),
    "And": pointwise(numpy.logical_and, _and),
    "Or": pointwise(numpy.logical_or, _or),
    "Xor": pointwise(numpy.logical_xor),
    "IsNaN": pointwise(numpy.isnan),
    "Where": pointwise(numpy.where, _choose),
}

EVALUATORS: Mapping[str, Evaluate] = {f"onnx.{name}": evaluate for name, evaluate in ARITHMETIC.items()}
