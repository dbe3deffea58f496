"""The messages of onnx.proto and the fields that graphcost reads of them, each with its number."""

from __future__ import annotations

from typing import Final

from graphcost.importer.message import Schema


def _schema(message: str, /, **numbers: int) -> Schema:
    return Schema(message, {number: field for field, number in numbers.items()})


MODEL: Final = _schema(
    "ModelProto",
    ir_version=1, producer_name=2, producer_version=3, graph=7, opset_import=8, metadata_props=14, functions=25,
)  # fmt: skip
OPSET: Final = _schema("OperatorSetIdProto", domain=1, version=2)
ENTRY: Final = _schema("StringStringEntryProto", key=1, value=2)
FUNCTION: Final = _schema(
    "FunctionProto",
    name=1, input=4, output=5, attribute=6, node=7, opset_import=9, domain=10, attribute_proto=11, value_info=12,
    overload=13,
)  # fmt: skip
GRAPH: Final = _schema(
    "GraphProto", node=1, name=2, initializer=5, input=11, output=12, value_info=13, sparse_initializer=15
)
NODE: Final = _schema(
    "NodeProto", input=1, output=2, name=3, op_type=4, attribute=5, domain=7, overload=8, metadata_props=9
)
ATTRIBUTE: Final = _schema(
    "AttributeProto",
    name=1, f=2, i=3, s=4, t=5, g=6, floats=7, ints=8, strings=9, tensors=10, graphs=11, tp=14, type_protos=15,
    type=20, ref_attr_name=21, sparse_tensor=22, sparse_tensors=23,
)  # fmt: skip
TENSOR: Final = _schema(
    "TensorProto",
    dims=1, data_type=2, float_data=4, int32_data=5, string_data=6, int64_data=7, name=8, raw_data=9, double_data=10,
    uint64_data=11, data_location=14,
)  # fmt: skip
SPARSE_TENSOR: Final = _schema("SparseTensorProto", values=1, indices=2, dims=3)
VALUE_INFO: Final = _schema("ValueInfoProto", name=1, type=2)
TYPE: Final = _schema(
    "TypeProto", tensor_type=1, sequence_type=4, map_type=5, opaque_type=7, sparse_tensor_type=8, optional_type=9
)
TENSOR_TYPE: Final = _schema("TypeProto.Tensor", elem_type=1, shape=2)
SPARSE_TENSOR_TYPE: Final = _schema("TypeProto.SparseTensor", elem_type=1, shape=2)
SEQUENCE_TYPE: Final = _schema("TypeProto.Sequence", elem_type=1)
OPTIONAL_TYPE: Final = _schema("TypeProto.Optional", elem_type=1)
MAP_TYPE: Final = _schema("TypeProto.Map", key_type=1, value_type=2)
SHAPE: Final = _schema("TensorShapeProto", dim=1)
DIM: Final = _schema("TensorShapeProto.Dimension", dim_value=1, dim_param=2)
