"""Selections whose size only the data decides: the boxes that survive suppression, the distinct elements."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import TensorType, Type, bound, product

from .reading import at, axis_of, data_dependent, dims, give, has, integer, known_integer, ranked, typed


def non_max_suppression(node: Node, known: Known) -> list[Type]:
    """[boxes kept, 3]: batch, class and box index. At most max_output_boxes_per_class (operand 2; nothing is kept
    without it) of the boxes [batch, boxes, 4] for each class of the scores [batch, classes, boxes]."""
    kept = data_dependent(node, _most_boxes(node, known)) if has(node, 2) else 0
    return give(node, TensorType("i64", (kept, 3)))


def _most_boxes(node: Node, known: Known) -> int | None:
    boxes, scores, asked = ranked(node, 0, 3), ranked(node, 1, 3), known_integer(node, known, 2)
    if scores is None:
        return None
    candidates = scores[2] if boxes is None else boxes[1]
    limits = [limit for limit in (asked, bound(candidates)) if limit is not None]
    groups = bound(product(scores[:2]))
    return None if groups is None or not limits else groups * max(min(limits), 0)


def unique(node: Node, known: Known) -> list[Type]:
    """Distinct elements (or slices along `axis`), their first positions, the inverse, their counts."""
    distinct, kept, inverse = _distinct(node)
    return give(node, distinct, kept, inverse, kept)


def unique_in_order(node: Node, known: Known) -> list[Type]:
    """com.microsoft: distinct elements, the inverse, their counts."""
    distinct, kept, inverse = _distinct(node)
    return give(node, distinct, inverse, kept)


def _distinct(node: Node) -> tuple[TensorType, TensorType, TensorType]:
    """The distinct elements, an index for each of them, and an index for each element."""
    data, sliced = dims(node, 0), "axis" in node.attrs
    if data is None:
        return typed(node, 0, None), TensorType("i64", None), TensorType("i64", None)
    axis = axis_of(node, integer(node, "axis"), len(data)) if sliced else 0
    whole = data[axis] if sliced else product(data)
    kept = data_dependent(node, whole)
    shape = at(data, axis, kept) if sliced else (kept,)
    return typed(node, 0, shape), TensorType("i64", (kept,)), TensorType("i64", (whole,))


SHAPES: Mapping[str, InferTypes] = {
    "onnx.NonMaxSuppression": non_max_suppression,
    "onnx.Unique": unique,
    "com.microsoft.Unique": unique_in_order,
}
