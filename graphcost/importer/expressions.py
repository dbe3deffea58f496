"""Dimensions written as expressions, such as `16*h16` or `floor(w/2) + 1`: their symbols, values and solutions."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z")
_SEARCH_LIMIT = 1 << 20

_BINARY: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: int.__add__,
    ast.Sub: int.__sub__,
    ast.Mult: int.__mul__,
    ast.FloorDiv: int.__floordiv__,
    ast.Div: int.__floordiv__,  # exporters write floor(a/b); sizes are whole numbers
    ast.Mod: int.__mod__,
}
_CALLS: dict[str, Callable[..., int]] = {"floor": int, "Max": max, "Min": min, "max": max, "min": min}


def symbols_of(dim: str) -> list[str]:
    """The symbols in a dimension. A text that is no expression is one symbol."""
    tree = _tree(dim)
    if tree is None:
        return [dim]
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id not in _CALLS]
    return list(dict.fromkeys(names))


def evaluate(dim: str, symbols: Mapping[str, int]) -> int | None:
    """The value of a dimension; None while a symbol of it has none, or where a division by zero stands."""
    if dim in symbols:
        return symbols[dim]
    tree = _tree(dim)
    if tree is None:
        return None
    try:
        return _value(tree.body, symbols)
    except (KeyError, ZeroDivisionError):
        return None


def solve(dim: str, symbol: str, value: int, symbols: Mapping[str, int]) -> int | None:
    """The smallest positive `symbol` for which the dimension is `value`; None if there is none.

    Dimensions grow with their symbols, so the search is by bisection.
    """
    low, high = 1, 1
    while (at := evaluate(dim, {**symbols, symbol: high})) is not None and at < value and high < _SEARCH_LIMIT:
        high *= 2
    while low < high:
        middle = (low + high) // 2
        reached = evaluate(dim, {**symbols, symbol: middle})
        low, high = (low, middle) if reached is not None and reached >= value else (middle + 1, high)
    return low if evaluate(dim, {**symbols, symbol: low}) == value else None


@lru_cache(maxsize=1024)
def _tree(dim: str) -> ast.Expression | None:
    """The expression, if the text is one that is understood; a plain name or anything else is not."""
    if _IDENTIFIER.match(dim):
        return None
    try:
        tree = ast.parse(dim, mode="eval")
        _value(tree.body, _Ones())
    except (SyntaxError, ValueError, TypeError, ZeroDivisionError, RecursionError, MemoryError):
        return None
    return tree


class _Ones(dict[str, int]):
    """Every symbol is 1: to see whether an expression can be evaluated at all."""

    def __missing__(self, key: str) -> int:
        return 1


def _value(node: ast.expr, symbols: Mapping[str, int]) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        return symbols[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _BINARY[type(node.op)](_value(node.left, symbols), _value(node.right, symbols))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, symbols)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        return _CALLS[node.func.id](*(_value(argument, symbols) for argument in node.args))
    raise ValueError("not an expression of dimensions")
