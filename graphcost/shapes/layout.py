"""Operators that rearrange elements: other dimensions, another order, repetitions, padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import UNKNOWN, Dim, Type, Unknown, bound, product

from .errors import ShapeMismatch
from .reading import (
    Dims,
    agree,
    at,
    axis_of,
    broadcast,
    dims,
    give,
    has,
    integer,
    integers,
    known_dims,
    like,
    spell,
    tensor,
    typed,
    unknown_dims,
)


def identity(node: Node, known: Known) -> list[Type]:
    """Whatever the operand is, a sequence or an optional too."""
    value = node.operand(0)
    return give(node, UNKNOWN if value is None else value.type)


# Other dimensions


def reshape(node: Node, known: Known) -> list[Type]:
    """In the target (operand 1) 0 keeps a dimension, unless `allowzero`, and -1 takes what is left."""
    target, data = known_dims(node, known, 1), dims(node, 0)
    if target is None:
        return give(node, typed(node, 0, _of_rank(node, 1, data)))
    if not integer(node, "allowzero"):
        target = tuple(_kept(node, data, axis) if dim == 0 else dim for axis, dim in enumerate(target))
    return give(node, typed(node, 0, _fitted(node, data, target)))


def _of_rank(node: Node, slot: int, data: Dims | None = None) -> Dims | None:
    """Dimensions that nobody knows, as many as the operand in `slot` has elements; the elements of `data` bound them,
    unless there are none (a dimension of 0 lets the others be anything)."""
    most = None if data is None else bound(product(data)) or None
    return unknown_dims(node, tensor(node, slot).elements, most)


def _kept(node: Node, data: Dims | None, axis: int) -> Dim:
    if data is None:
        return Unknown(f"{node.name}.{axis}")
    if axis >= len(data):
        raise ShapeMismatch(node, f"entry {axis} of the target is 0, but the operand has {len(data)} dimensions")
    return data[axis]


def _fitted(node: Node, data: Dims | None, target: Dims) -> Dims:
    free = [axis for axis, dim in enumerate(target) if dim == -1]
    if len(free) > 1:
        raise ShapeMismatch(node, f"the target {spell(target)} has more than one -1")
    rest, over = _cancelled(data or (), tuple(dim for dim in target if dim != -1))
    if data is not None and not _can_hold(product(rest), product(over), bool(free)):
        raise ShapeMismatch(node, f"{spell(data)} does not fit into the target {spell(target)}")
    if not free:
        return target
    return at(target, free[0], Unknown(f"{node.name}.{free[0]}") if data is None else _quotient(rest, over))


def _quotient(rest: Sequence[Dim], over: Sequence[Dim]) -> Dim:
    """What the dimension -1 stands for; an unknown one stays itself where the numbers beside it divide."""
    numbers, part = product(dim for dim in rest if isinstance(dim, int)), product(over)
    if part == 0:
        return 0
    if isinstance(numbers, int) and isinstance(part, int) and numbers % part == 0:
        return product(dim for dim in rest if isinstance(dim, Unknown)) * (numbers // part)
    return product(rest) // part


def _can_hold(whole: Dim, part: Dim, free: bool) -> bool:
    """Whether the numbers of elements agree; unknown ones are given the benefit of the doubt."""
    if isinstance(whole, Unknown) or isinstance(part, Unknown):
        return True
    return whole == part or (free and part != 0 and whole % part == 0)


def _cancelled(data: Dims, others: Dims) -> tuple[list[Dim], list[Dim]]:
    """Both without the dimensions that stand on either side, so that unknown ones do no harm."""
    rest, over = list(data), []
    for dim in others:
        if dim in rest:
            rest.remove(dim)
        else:
            over.append(dim)
    return rest, over


def flatten(node: Node, known: Known) -> list[Type]:
    data = dims(node, 0)
    if data is None:
        return give(node, typed(node, 0, None))
    axis = integer(node, "axis", 1)
    if not -len(data) <= axis <= len(data):
        raise ShapeMismatch(node, f"axis {axis} is outside a tensor of {len(data)} dimensions")
    axis = axis + len(data) if axis < 0 else axis
    return give(node, typed(node, 0, (product(data[:axis]), product(data[axis:]))))


def squeeze(node: Node, known: Known) -> list[Type]:
    """Without axes, every dimension of 1 goes; one that is unknown is taken not to be 1."""
    data = dims(node, 0)
    axes = known_dims(node, known, 1) if has(node, 1) else ()
    if data is None or axes is None:
        return give(node, typed(node, 0, None))
    gone = {axis_of(node, axis, len(data)) for axis in axes if isinstance(axis, int)}
    for axis in gone:
        agree(node, data[axis], 1, f"dimension {axis} and what a squeezed dimension must be")
    if not has(node, 1):
        gone = {axis for axis, dim in enumerate(data) if dim == 1}
    return give(node, typed(node, 0, tuple(dim for axis, dim in enumerate(data) if axis not in gone)))


def unsqueeze(node: Node, known: Known) -> list[Type]:
    data, axes = dims(node, 0), known_dims(node, known, 1)
    if data is None or axes is None:
        return give(node, typed(node, 0, None))
    rank = len(data) + len(axes)
    new = {axis_of(node, axis, rank) for axis in axes if isinstance(axis, int)}
    if len(new) != len(axes):
        raise ShapeMismatch(node, f"the axes {spell(axes)} name one twice")
    old = iter(data)
    return give(node, typed(node, 0, tuple(1 if axis in new else next(old) for axis in range(rank))))


# Other order


def transpose(node: Node, known: Known) -> list[Type]:
    data = dims(node, 0)
    if data is None:
        return give(node, typed(node, 0, None))
    order = integers(node, "perm") or tuple(reversed(range(len(data))))
    if sorted(order) != list(range(len(data))):
        raise ShapeMismatch(node, f"perm {spell(order)} does not order {len(data)} dimensions")
    return give(node, typed(node, 0, tuple(data[axis] for axis in order)))


# Repeated and padded


def expand(node: Node, known: Known) -> list[Type]:
    target = known_dims(node, known, 1)
    if target is None:
        target = _of_rank(node, 1)
    return give(node, typed(node, 0, broadcast(node, dims(node, 0), target)))


def tile(node: Node, known: Known) -> list[Type]:
    data, repeats = dims(node, 0), known_dims(node, known, 1)
    if data is None:
        return give(node, typed(node, 0, None))
    if repeats is None:
        return give(node, typed(node, 0, unknown_dims(node, len(data))))
    if len(repeats) != len(data):
        raise ShapeMismatch(node, f"{len(repeats)} repeats are given for {len(data)} dimensions")
    return give(node, typed(node, 0, tuple(dim * times for dim, times in zip(data, repeats))))


def pad(node: Node, known: Known) -> list[Type]:
    """Operand 1 holds the elements added (or, negative, cut off) before each axis, then those behind."""
    data = dims(node, 0)
    axes = known_dims(node, known, 3) if has(node, 3) else tuple(range(len(data or ())))
    pads = known_dims(node, known, 1)
    if data is None:
        return give(node, typed(node, 0, None))
    if pads is None or axes is None:
        return give(node, typed(node, 0, unknown_dims(node, len(data))))
    if len(pads) != 2 * len(axes):
        raise ShapeMismatch(node, f"{len(pads)} pads are given for {len(axes)} axes")
    for i, axis in enumerate(axes):
        axis = axis_of(node, axis, len(data)) if isinstance(axis, int) else 0
        data = at(data, axis, data[axis] + (pads[i] + pads[len(axes) + i]))
    return give(node, typed(node, 0, data))


SHAPES: Mapping[str, InferTypes] = {
    "onnx.Identity": identity,
    "onnx.Reshape": reshape,
    "onnx.Flatten": flatten,
    "onnx.Squeeze": squeeze,
    "onnx.Unsqueeze": unsqueeze,
    "onnx.Transpose": transpose,
    "onnx.Expand": expand,
    "onnx.Tile": tile,
    "onnx.Pad": pad,
    "com.microsoft.Pad": pad,
    "onnx.Trilu": like(0),
    "onnx.ReverseSequence": like(0),
}
