"""When an operator gives back one of its operands: one small rule for each, by operator name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from graphcost.ir import Node, Value
from graphcost.memory.aliases import dropout_aliases
from graphcost.operators import Relation
from graphcost.types import NoneType, TensorType
from graphcost.work.sizes import integers


class Noop(NamedTuple):
    """The operand slot that the result repeats, and why it does."""

    slot: int
    reason: str


Rule: TypeAlias = Callable[[Node], "Noop | None"]


def same_type(reason: str) -> Rule:
    """Operators that can only move or convert: the same type on both sides means the same tensor."""
    return lambda node: Noop(0, reason) if _keeps_type(node) else None


def neutral(number: float, reason: str, slots: tuple[int, ...] = (0, 1)) -> Rule:
    """Binary operators with a neutral element, which may stand in one of `slots`."""

    def rule(node: Node) -> Noop | None:
        found = [1 - slot for slot in slots if _is_all(node.operand(slot), number) and _keeps_type(node, 1 - slot)]
        return Noop(found[0], reason) if found else None

    return rule


def single(reason: str) -> Rule:
    """Operators that combine what they are given, given one tensor."""
    return lambda node: Noop(0, reason) if len(node.operands) == 1 and _keeps_type(node) else None


def split(node: Node) -> Noop | None:
    return Noop(0, "it splits into one part") if len(node.results) == 1 and _keeps_type(node) else None


def identity(node: Node) -> Noop | None:
    source = node.operand(0)
    if source is None:
        return None
    return Noop(0, f"%{node.results[0].name} is weight %{source.name}" if source.is_weight else "an identity")


def dropout(node: Node) -> Noop | None:
    inert = any(alias.relation is Relation.SAME for alias in dropout_aliases(node))
    return Noop(0, "dropout does nothing in inference") if inert else None


def transpose(node: Node) -> Noop | None:
    """No dimension moves, or only such of length one, past each other."""
    kind = node.results[0].type
    if not _keeps_type(node) or not isinstance(kind, TensorType) or kind.dims is None:
        return None
    order = integers(node, "perm") or tuple(reversed(range(len(kind.dims))))
    moved = [axis for axis in order if kind.dims[axis] != 1]
    return Noop(0, "it moves no dimension") if moved == sorted(moved) else None


def slice_(node: Node) -> Noop | None:
    """The result is as large as the operand and nothing runs backwards (steps are operand 4)."""
    steps = node.operand(4)
    forward = steps is None or _values(steps) is not None and all(step > 0 for step in _values(steps) or ())
    return Noop(0, "it takes everything") if forward and _keeps_type(node) else None


def pad(node: Node) -> Noop | None:
    return Noop(0, "it pads by nothing") if _is_all(node.operand(1), 0) and _keeps_type(node) else None


def clip(node: Node) -> Noop | None:
    open_ended = node.operand(1) is None and node.operand(2) is None
    return Noop(0, "it has no bounds") if open_ended and _keeps_type(node) else None


def pooling(node: Node) -> Noop | None:
    """A window of one element, moved by one (an adaptive pooling to the size that is there)."""
    window, strides, pads = (integers(node, name) for name in ("kernel_shape", "strides", "pads"))
    alone = bool(window) and all(length == 1 for length in (*(window or ()), *(strides or ()))) and not any(pads or ())
    return Noop(0, "a pooling over single elements") if alone and _keeps_type(node) else None


_SHIFTING = ("tf_crop_and_resize", "tf_half_pixel_for_nn")
"""Coordinate modes in which even a scale of one looks at other places."""


def resize(node: Node) -> Noop | None:
    """Scale one in every direction (scales are operand 2, sizes operand 3)."""
    scales, shifts = node.operand(2), node.attrs.get("coordinate_transformation_mode") in _SHIFTING
    by_one = _is_all(scales, 1) or (_is_absent(scales) and node.operand(3) is not None)
    return Noop(0, "it resizes to the same size") if by_one and not shifts and _keeps_type(node) else None


def _keeps_type(node: Node, slot: int = 0) -> bool:
    """Whether the first result has the very type of an operand, and that type says enough."""
    source = node.operand(slot)
    if source is None or not isinstance(source.type, TensorType):
        return False
    return source.type == node.results[0].type and source.type.dims is not None and source.type.dtype != "?"


def _is_absent(value: Value | None) -> bool:
    return value is None or isinstance(value.type, NoneType) or value.type.elements == 0


def _is_all(value: Value | None, number: float) -> bool:
    """Whether a tensor is known to hold this number and nothing else."""
    values = _values(value)
    return bool(values) and all(v == number for v in values or ())


def _values(value: Value | None) -> tuple[float, ...] | None:
    if value is None or value.constant is None:
        return None
    return tuple(float(v) for v in value.constant.values if not isinstance(v, str))


NOOPS: Mapping[str, Rule] = {
    "onnx.Identity": identity,
    "onnx.Dropout": dropout,
    "onnx.Cast": same_type("a cast to the type that it has"),
    "onnx.CastLike": same_type("a cast to the type that it has"),
    **dict.fromkeys(
        ("onnx.Reshape", "onnx.Flatten", "onnx.Squeeze", "onnx.Unsqueeze", "onnx.Expand", "onnx.Tile",
         "onnx.DepthToSpace", "onnx.SpaceToDepth"),
        same_type("the shape stays the same"),
    ),
    "onnx.Transpose": transpose,
    "onnx.Slice": slice_,
    "onnx.Split": split,
    "onnx.Pad": pad,
    "onnx.Clip": clip,
    "onnx.Resize": resize,
    "onnx.AveragePool": pooling,
    "onnx.MaxPool": pooling,
    **dict.fromkeys(("onnx.Concat", "onnx.Sum", "onnx.Mean", "onnx.Max", "onnx.Min"), single("it is given one tensor")),
    "onnx.Add": neutral(0, "it adds zero"),
    "onnx.Sub": neutral(0, "it subtracts zero", slots=(1,)),
    "onnx.Mul": neutral(1, "it multiplies by one"),
    "onnx.Div": neutral(1, "it divides by one", slots=(1,)),
    "onnx.Pow": neutral(1, "a power of one", slots=(1,)),
}  # fmt: skip
