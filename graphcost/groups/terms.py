"""Parts of which the patterns of groups are made: formulas in all the ways in which exporters write them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from graphcost.ir import Value
from graphcost.rewrite import Match, Operators, Pattern, anything, const, either, scalar_of
from graphcost.types import FLOATS, Attr

_SHAPING = frozenset({
    "onnx.Identity", "onnx.Cast", "onnx.Reshape", "onnx.Unsqueeze", "onnx.Squeeze", "onnx.Transpose", "onnx.Add",
    "onnx.Mul", "onnx.QuantizeLinear", "onnx.DequantizeLinear",
})  # fmt: skip


def product(op: Operators, *factors: Pattern | float) -> Pattern:
    """The product of factors, multiplied in any order; a number may also stand as a division by its inverse."""
    if len(factors) == 1:
        return _factor(factors[0])
    return either(*(way for left, right in _splits(factors) for way in _times(op, left, right)))


def _times(op: Operators, left: Sequence[Pattern | float], right: Sequence[Pattern | float]) -> Iterator[Pattern]:
    yield op.Mul(product(op, *left), product(op, *right))
    for number, others in ((left, right), (right, left)):
        if len(number) == 1 and isinstance(number[0], float):
            yield op.Div(product(op, *others), const(1 / number[0]))


def _splits(factors: Sequence[Pattern | float]) -> Iterator[tuple[list[Pattern | float], list[Pattern | float]]]:
    """Every way to part the factors in two; the first one is always on the left."""
    others = range(1, len(factors))
    for size in range(len(others)):
        for chosen in combinations(others, size):
            left = [factors[0], *(factors[i] for i in chosen)]
            yield left, [factors[i] for i in others if i not in chosen]


def _factor(factor: Pattern | float) -> Pattern:
    return factor if isinstance(factor, Pattern) else const(factor)


def square(op: Operators, x: Pattern) -> Pattern:
    return either(op.Mul(x, x), op.Pow(x, const(2)))


def square_root(op: Operators, x: Pattern) -> Pattern:
    return either(op.Sqrt(x), op.Pow(x, const(0.5)))


def over(op: Operators, x: Pattern, divisor: Pattern) -> Pattern:
    """x / divisor, also as a product with the reciprocal."""
    return either(op.Div(x, divisor), op.Mul(x, either(op.Reciprocal(divisor), op.Div(const(1), divisor))))


def over_root(op: Operators, x: Pattern, radicand: Pattern) -> Pattern:
    """x / √radicand."""
    return either(over(op, x, square_root(op, radicand)), op.Mul(x, op.Pow(radicand, const(-0.5))))


def relaxed(op: Operators, x: Pattern) -> Pattern:
    """x, converted to another floating-point type once or twice, or not."""
    once = either(op.Cast(x, to=_is_float), x)
    return either(op.Cast(once, to=_is_float), x)


def _is_float(dtype: Attr | None) -> bool:
    return dtype in FLOATS


def mean(op: Operators, x: Pattern, name: str = "") -> Pattern:
    """The mean over some axes, which are kept with size 1."""
    return op.ReduceMean(x, ..., keepdims=lambda keep: keep in (None, 1)).named(name)


def scalar(name: str = "") -> Pattern:
    """Any value of one element, known or computed."""
    return anything(name, is_scalar, "a scalar")


def parameter(name: str = "") -> Pattern:
    """A weight of the network, or something computed from weights alone."""
    return anything(name, is_parameter, "a weight")


def is_scalar(value: Value) -> bool:
    return scalar_of(value) is not None or value.type.elements == 1


def is_parameter(value: Value, steps: int = 4) -> bool:
    node = value.producer
    if node is None:
        return value.is_weight
    return steps > 0 and node.op in _SHAPING and all(is_parameter(operand, steps - 1) for operand in node.inputs)


def known(**scalars: Value | None) -> dict[str, Attr]:
    """Attributes for the scalars whose value is known."""
    numbers = {name: scalar_of(value) for name, value in scalars.items() if value is not None}
    return {name: number for name, number in numbers.items() if number is not None}


def axes_of(match: Match, name: str) -> dict[str, Attr]:
    """The axes over which the named node reduces, where they are known."""
    node = match.named.get(name)
    axes = None if node is None else node.operand(1)
    if axes is None or axes.constant is None:
        return {}
    return {"axes": tuple(int(axis) for axis in axes.constant.values)}
