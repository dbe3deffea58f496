"""Sequences and optionals: lists of tensors, and tensors that may be absent."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node, Value
from graphcost.operators import InferTypes, Known
from graphcost.types import UNKNOWN, ContainerType, Dim, TensorType, Type, Unknown, bound

from .joining import joined
from .reading import Dims, at, axis_of, dims, element_type, give, has, integer, known_dims, tensor, typed
from .unify import unify


def construct(node: Node, known: Known) -> list[Type]:
    return give(node, ContainerType("seq", _common(node, [_type(node, i) for i in range(len(node.operands))])))


def _common(node: Node, types: list[Type]) -> Type:
    common = types[0] if types else UNKNOWN
    for type in types[1:]:
        common = unify(common, type, node.name)
    return common


def _type(node: Node, slot: int) -> Type:
    value = node.operand(slot)
    return UNKNOWN if value is None else value.type


def empty(node: Node, known: Known) -> list[Type]:
    return give(node, ContainerType("seq", TensorType(element_type(node, "dtype", "f32"), None)))


def insert(node: Node, known: Known) -> list[Type]:
    """What is put into an empty sequence decides what it holds."""
    sequence, element = node.operand(0), _type(node, 1)
    if _is_empty(sequence):
        return give(node, ContainerType("seq", element))
    return give(node, ContainerType("seq", unify(_element(node, 0), element, node.name)))


def _is_empty(sequence: Value | None) -> bool:
    return sequence is not None and sequence.producer is not None and sequence.producer.op == "onnx.SequenceEmpty"


def _element(node: Node, slot: int) -> Type:
    found = _type(node, slot)
    return found.element if isinstance(found, ContainerType) else UNKNOWN


def erase(node: Node, known: Known) -> list[Type]:
    return give(node, _type(node, 0))


def element(node: Node, known: Known) -> list[Type]:
    return give(node, _element(node, 0))


def length(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType("i64", ()))


def join(node: Node, known: Known) -> list[Type]:
    """ConcatFromSequence: along an axis that is there, or one that `new_axis` makes. How many tensors there are is
    known where the sequence is made on the spot."""
    shapes = _members(node)
    element = _element(node, 0)
    dtype = element.dtype if isinstance(element, TensorType) else "?"
    if not shapes:
        return give(node, TensorType(dtype, _joined_unknown(node, element)))
    axis = integer(node, "axis")
    if integer(node, "new_axis"):
        axis = axis_of(node, axis, len(shapes[0]) + 1)
        shapes = [(*shape[:axis], 1, *shape[axis:]) for shape in shapes]
    return give(node, TensorType(dtype, joined(node, shapes, axis)))


def _members(node: Node) -> list[Dims]:
    """The dimensions of each tensor of a sequence that SequenceConstruct makes; none where that is not so."""
    sequence = node.operand(0)
    maker = None if sequence is None else sequence.producer
    if maker is None or maker.op != "onnx.SequenceConstruct":
        return []
    shapes = [dims(maker, slot) for slot in range(len(maker.operands))]
    known = [shape for shape in shapes if shape is not None]
    return known if len(known) == len(shapes) else []


def _joined_unknown(node: Node, element: Type) -> Dims | None:
    if not isinstance(element, TensorType) or element.dims is None:
        return None
    new = integer(node, "new_axis")
    axis = axis_of(node, integer(node, "axis"), len(element.dims) + new)
    return (*element.dims[:axis], Unknown(node.name), *element.dims[axis + 1 - new :])


def split(node: Node, known: Known) -> list[Type]:
    """SplitToSequence: parts of the size in operand 1 (a number, or one for each part), single slices without it."""
    data = dims(node, 0)
    if data is None:
        return give(node, ContainerType("seq", typed(node, 0, None)))
    axis = axis_of(node, integer(node, "axis"), len(data))
    if not has(node, 1):
        shape = at(data, axis, 1) if integer(node, "keepdims", 1) else (*data[:axis], *data[axis + 1 :])
        return give(node, ContainerType("seq", typed(node, 0, shape)))
    return give(node, ContainerType("seq", typed(node, 0, at(data, axis, _part(node, known, data[axis])))))


def _part(node: Node, known: Known, whole: Dim) -> Dim:
    sizes = known_dims(node, known, 1)
    if sizes is None or not sizes:
        return Unknown(node.name, bound(whole))
    if tensor(node, 1).rank == 0 and isinstance(whole, int) and isinstance(sizes[0], int) and sizes[0] > 0:
        sizes = (min(sizes[0], whole),) if whole % sizes[0] == 0 else (sizes[0], whole % sizes[0])
    most = [bound(size) for size in sizes]
    limit = max((m for m in most if m is not None), default=None)
    return sizes[0] if len(set(sizes)) == 1 else Unknown(node.name, None if None in most else limit)


def optional(node: Node, known: Known) -> list[Type]:
    """Of the operand, or of what attribute `type` names where there is none."""
    named = node.attrs.get("type")
    if node.operands:
        return give(node, ContainerType("opt", _type(node, 0)))
    return give(node, ContainerType("opt", named if isinstance(named, (TensorType, ContainerType)) else UNKNOWN))


def optional_element(node: Node, known: Known) -> list[Type]:
    """An operand that is no optional is handed through."""
    found = _type(node, 0)
    return give(node, found.element if isinstance(found, ContainerType) and found.kind == "opt" else found)


def has_element(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType("bool", ()))


SHAPES: Mapping[str, InferTypes] = {
    "onnx.SequenceConstruct": construct,
    "onnx.SequenceEmpty": empty,
    "onnx.SequenceInsert": insert,
    "onnx.SequenceErase": erase,
    "onnx.SequenceAt": element,
    "onnx.SequenceLength": length,
    "onnx.ConcatFromSequence": join,
    "onnx.SplitToSequence": split,
    "onnx.Optional": optional,
    "onnx.OptionalGetElement": optional_element,
    "onnx.OptionalHasElement": has_element,
}
