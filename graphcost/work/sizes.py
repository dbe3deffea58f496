"""Sizes and attributes as the formulas ask for them: plain integers, or `UnknownWork` with a sentence that says which
one is missing. A dimension that only the data decides counts at its bound."""

from __future__ import annotations

import math

from graphcost.ir import Node, Value
from graphcost.operators import UnknownWork
from graphcost.types import Scalar, TensorType, bound


def operand(node: Node, slot: int) -> Value:
    value = node.operand(slot)
    if value is None:
        raise UnknownWork(f"operand {slot} is absent")
    return value


def shape(value: Value) -> tuple[int, ...]:
    """The dimensions of a tensor, each the most it can be."""
    type = value.type
    if not isinstance(type, TensorType) or type.dims is None:
        raise UnknownWork(f"the shape of %{value.name} is not known")
    return tuple(d if isinstance(d, int) else _bounded(value, bound(d)) for d in type.dims)


def _bounded(value: Value, most: int | None) -> int:
    if most is None:
        raise UnknownWork(f"nothing bounds the shape of %{value.name} ({value.type})")
    return most


def elements(value: Value) -> int:
    count = value.type.elements
    if count is None:
        raise UnknownWork(f"the number of elements of %{value.name} ({value.type}) is not known")
    return count


def size_bytes(value: Value) -> int:
    size = value.type.size_bytes
    if size is None:
        raise UnknownWork(f"the size of %{value.name} ({value.type}) is not known")
    return size


def operand_shape(node: Node, slot: int = 0) -> tuple[int, ...]:
    return shape(operand(node, slot))


def result_shape(node: Node, slot: int = 0) -> tuple[int, ...]:
    return shape(node.results[slot])


def operand_elements(node: Node, slot: int = 0) -> int:
    return elements(operand(node, slot))


def result_elements(node: Node, slot: int = 0) -> int:
    return elements(node.results[slot])


def operand_bytes(node: Node, *slots: int) -> int:
    """Bytes of these operands together; an absent one has none."""
    return sum(size_bytes(value) for slot in slots if (value := node.operand(slot)) is not None)


def result_bytes(node: Node) -> int:
    """Bytes of all results together."""
    return sum(map(size_bytes, node.results))


def has_operand(node: Node, slot: int | None) -> int:
    """1 where the optional operand is there, else 0: a factor of a count. An operator without it has no slot."""
    return int(slot is not None and node.operand(slot) is not None)


def constant(node: Node, slot: int) -> tuple[Scalar, ...] | None:
    """The data of a small operand; None where they are not known."""
    value = node.operand(slot)
    return None if value is None or value.constant is None else value.constant.values


def integer(node: Node, key: str, default: int = 0) -> int:
    value = node.attrs.get(key, default)
    return value if isinstance(value, int) else default


def integers(node: Node, key: str) -> tuple[int, ...]:
    value = node.attrs.get(key, ())
    return tuple(v for v in value if isinstance(v, int)) if isinstance(value, tuple) else ()


def number(node: Node, key: str, default: float) -> float:
    value = node.attrs.get(key, default)
    return float(value) if isinstance(value, (int, float)) else default


def text(node: Node, key: str, default: str = "") -> str:
    value = node.attrs.get(key, default)
    return value if isinstance(value, str) else default


def sort_steps(count: int, kept: int | None = None) -> int:
    """Comparisons to find the `kept` largest of `count` in order with a heap of that size; all of them by default."""
    deepest = max(count if kept is None else min(kept, count), 2)
    return count * math.ceil(math.log2(deepest))
