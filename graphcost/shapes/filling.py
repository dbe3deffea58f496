"""Operators that ask for a shape, and those that fill a tensor of a given shape."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node, Value
from graphcost.operators import InferTypes, Known
from graphcost.types import Constant, Dim, TensorType, Type, Unknown

from .errors import ShapeMismatch
from .reading import Dims, data_dependent, dims, element_type, give, integer, known_dims, tensor, unknown_dims


def shape(node: Node, known: Known) -> list[Type]:
    """The dimensions from `start` to `end`."""
    data = dims(node, 0)
    length: Dim = Unknown(f"{node.name}.rank") if data is None else len(part(node, data))
    return give(node, TensorType("i64", (length,)))


def part(node: Node, data: Dims) -> Dims:
    """The dimensions that a Shape node gives: attributes `start` and `end` slice as Python does."""
    return data[integer(node, "start") : integer(node, "end", len(data))]


def size(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType("i64", ()))


def constant_of_shape(node: Node, known: Known) -> list[Type]:
    """The element type is that of attribute `value`, a tensor of one element; f32 without it."""
    value, target = node.attrs.get("value"), known_dims(node, known, 0)
    dtype = value.dtype if isinstance(value, (Constant, TensorType)) else "f32"
    if target is None:
        target = unknown_dims(node, tensor(node, 0).elements)
    return give(node, TensorType(dtype, target))


def range_(node: Node, known: Known) -> list[Type]:
    """max(ceil((limit - start) / delta), 0) numbers."""
    return give(node, TensorType(tensor(node, 0).dtype, (_count(node, known),)))


def _count(node: Node, known: Known) -> Dim:
    arrays = [known(node.operand(slot)) for slot in range(3)]
    scalars = [array.reshape(-1).tolist()[0] for array in arrays if array is not None and array.size == 1]
    if arrays[1] is None and len(scalars) == 2 and scalars == [0, 1]:
        return _number_in(node, node.operand(1))
    if len(scalars) < 3:
        return data_dependent(node)
    start, limit, delta = scalars
    if isinstance(limit, Unknown) and start == 0 and delta == 1:
        return limit
    if any(isinstance(scalar, Unknown) for scalar in scalars):
        return data_dependent(node)
    if delta == 0:
        raise ShapeMismatch(node, "a delta of 0 leads nowhere")
    return int(max(-((start - limit) // delta), 0))


def _number_in(node: Node, value: Value | None) -> Dim:
    """The number that a value of one element holds, named after the value from which it is only taken out."""
    while value is not None and value.producer is not None and value.producer.op in _TAKEN_OUT:
        value = value.producer.operand(0)
    return data_dependent(node) if value is None or value.type.elements != 1 else Unknown(value.name)


_TAKEN_OUT = frozenset({"onnx.Identity", "onnx.Reshape", "onnx.Squeeze", "onnx.Unsqueeze"})


def eye_like(node: Node, known: Known) -> list[Type]:
    like = tensor(node, 0)
    return give(node, TensorType(element_type(node, "dtype", like.dtype), like.dims))


SHAPES: Mapping[str, InferTypes] = {
    "onnx.Shape": shape,
    "onnx.Size": size,
    "onnx.ConstantOfShape": constant_of_shape,
    "onnx.Range": range_,
    "com.microsoft.Range": range_,
    "onnx.EyeLike": eye_like,
}
