"""onnx's own shape inference for one node: asked about operators that graphcost has no shape function for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphcost.importer.constants import ELEMENTS
from graphcost.ir import Node
from graphcost.types import UNKNOWN, Constant, TensorType, Type

if TYPE_CHECKING:
    import onnx

    from graphcost.operators import Known

_DOMAINS = frozenset({"onnx", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training"})
"""Of other domains onnx has no schemas: asking it would only cost its import."""

_NUMBERS = {element.name: number for number, element in ELEMENTS.items()}


def infer_unlisted(node: Node, known: Known) -> Sequence[Type]:
    """The result types that onnx infers; UNKNOWN for each where it has no schema or cannot tell."""
    domain, _, op_type = node.op.rpartition(".")
    if node.bodies or domain not in _DOMAINS:
        return [UNKNOWN] * len(node.results)
    try:
        return _infer(node, "" if domain == "onnx" else domain, op_type, known)
    except Exception:  # onnx raises its own errors, std::bad_alloc and more: none of them tells a type
        return [UNKNOWN] * len(node.results)


def _infer(node: Node, domain: str, op_type: str, known: Known) -> Sequence[Type]:
    from onnx import defs, helper, shape_inference

    names = ["" if v is None else f"i{slot}" for slot, v in enumerate(node.operands)]
    outputs = [f"o{slot}" for slot in range(len(node.results))]
    attrs: dict[str, Any] = {k: v for k, v in node.attrs.items() if not isinstance(v, (Constant, TensorType))}
    proto = helper.make_node(op_type, names, outputs, domain=domain, **attrs)
    types: dict[str, Any] = {}
    data: dict[str, Any] = {}
    for name, value in zip(names, node.operands):
        if value is not None and isinstance(value.type, TensorType):
            types[name] = _type_proto(value.type)
            if (array := known(value)) is not None and array.dtype != object:
                data[name] = _tensor_proto(array, value.type.dtype)
    found = shape_inference.infer_node_outputs(defs.get_schema(op_type, domain), proto, types, data)
    return [_type(found[name]) if name in found else UNKNOWN for name in outputs]


def _type_proto(type: TensorType) -> onnx.TypeProto:
    from onnx import helper

    dims = None if type.dims is None else [d if isinstance(d, int) else d.name for d in type.dims]
    return helper.make_tensor_type_proto(_NUMBERS.get(type.dtype, 0), dims)


def _tensor_proto(array: Any, dtype: str) -> onnx.TensorProto:
    from onnx import helper

    return helper.make_tensor("", _NUMBERS[dtype], array.shape, array.flatten().tolist())


def _type(proto: onnx.TypeProto) -> Type:
    """Dims that onnx leaves open make the shape unknown: which dimension it would be, nobody could say."""
    if not proto.HasField("tensor_type"):
        return UNKNOWN
    tensor = proto.tensor_type
    dtype = ELEMENTS[tensor.elem_type].name if tensor.elem_type in ELEMENTS else "?"
    if not tensor.HasField("shape") or not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return TensorType(dtype, None)
    return TensorType(dtype, tuple(dim.dim_value for dim in tensor.shape.dim))
