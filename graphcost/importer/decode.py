"""ONNX messages to records. The tables list the fields that are read, by their numbers in onnx.proto."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from graphcost.importer.constants import ELEMENTS, UNDEFINED, is_stored, read_values
from graphcost.importer.message import MAX_TEXT_BYTES, Malformed, Message
from graphcost.importer.records import (
    AttributeRecord,
    AttributeValue,
    DimRecord,
    FunctionRecord,
    GraphRecord,
    ModelRecord,
    NodeRecord,
    SparseTensorRecord,
    TensorRecord,
    TypeRecord,
    ValueInfoRecord,
)
from graphcost.importer.schema import (
    ATTRIBUTE,
    DIM,
    ENTRY,
    FUNCTION,
    GRAPH,
    MAP_TYPE,
    NODE,
    OPSET,
    OPTIONAL_TYPE,
    SEQUENCE_TYPE,
    SHAPE,
    SPARSE_TENSOR,
    SPARSE_TENSOR_TYPE,
    TENSOR,
    TENSOR_TYPE,
    TYPE,
    VALUE_INFO,
)

SCOPES: Final = "pkg.torch.onnx.name_scopes"
"""Where torch's exporter keeps the modules around a node."""

EXTERNAL: Final = 1
"""TensorProto.DataLocation of values that stand in another file."""

MAX_RANK: Final = 64
"""Dimensions of a tensor; numpy allows as many, and more would be a length that went wrong."""

MAX_DIMS_BYTES: Final = 10 * MAX_RANK
"""A varint takes ten bytes at most."""

PLAIN_KINDS: Final = frozenset({"string", "strings", "ints", "floats"})
"""Kinds of attributes that are settings, except where they are longer than any text: an engine, a vocabulary, a
forest of trees."""


def decode_model(message: Message) -> ModelRecord:
    """The record of a ModelProto. Raises Malformed where there is none in it."""
    if not message.has("graph"):
        raise Malformed("it holds no graph, so it is not an ONNX model")
    return ModelRecord(
        ir_version=message.integer("ir_version"),
        producer=f"{message.text('producer_name')} {message.text('producer_version')}".strip(),
        opset_imports=_opset_imports(message),
        graph=_graph(message.child("graph", GRAPH)),
        functions=[_function(child) for child in message.children("functions", FUNCTION)],
        metadata={child.text("key"): child.text("value") for child in message.children("metadata_props", ENTRY)},
    )


def _opset_imports(message: Message) -> dict[str, int]:
    return {_domain(child): child.integer("version") for child in message.children("opset_import", OPSET)}


def _domain(message: Message) -> str:
    domain = message.text("domain")
    return "" if domain == "ai.onnx" else domain


def _function(message: Message) -> FunctionRecord:
    return FunctionRecord(
        name=message.text("name"),
        domain=_domain(message),
        overload=message.text("overload"),
        inputs=message.texts("input"),
        outputs=message.texts("output"),
        attributes=message.texts("attribute"),
        defaults=_attributes(message, "attribute_proto"),
        nodes=[_node(child) for child in message.children("node", NODE)],
        opset_imports=_opset_imports(message),
        value_info=_value_infos(message, "value_info"),
    )


def _graph(message: Message) -> GraphRecord:
    return GraphRecord(
        name=message.text("name"),
        nodes=[_node(child) for child in message.children("node", NODE)],
        initializers=_tensors(message, "initializer"),
        sparse_initializers=_sparse_tensors(message, "sparse_initializer"),
        inputs=_value_infos(message, "input"),
        outputs=_value_infos(message, "output"),
        value_info=_value_infos(message, "value_info"),
    )


def _graphs(message: Message, field: str) -> list[GraphRecord]:
    return [_graph(child) for child in message.children(field, GRAPH)]


def _node(message: Message) -> NodeRecord:
    return NodeRecord(
        op_type=message.text("op_type"),
        domain=_domain(message),
        name=message.text("name"),
        overload=message.text("overload"),
        inputs=message.texts("input"),
        outputs=message.texts("output"),
        attributes=_attributes(message, "attribute"),
        scopes=_scopes(message) if message.has("metadata_props") else "",
    )


def _scopes(message: Message) -> str:
    entries = message.children("metadata_props", ENTRY)
    return next((entry.text("value") for entry in entries if entry.text("key") == SCOPES), "")


def _attributes(message: Message, field: str) -> dict[str, AttributeRecord]:
    records = [_attribute(child) for child in message.children(field, ATTRIBUTE)]
    return {record.name: record for record in records}


def _attribute(message: Message) -> AttributeRecord:
    kind = ATTRIBUTE_KINDS.get(message.integer("type")) or _implied_kind(message)
    reference = message.text("ref_attr_name")
    too_long = kind.name in PLAIN_KINDS and message.size(kind.field) > MAX_TEXT_BYTES
    value = None if reference or too_long else kind.read(message, kind.field)
    return AttributeRecord(message.text("name"), kind.name, value, reference)


def _implied_kind(message: Message) -> AttributeKind:
    """The kind of an attribute whose type is not given, as in files of IR version 1: that of the field it has."""
    for kind in ATTRIBUTE_KINDS.values():
        if message.has(kind.field):
            return kind
    return UNDEFINED_KIND


def _tensors(message: Message, field: str) -> list[TensorRecord]:
    return [_tensor(child) for child in message.children(field, TENSOR)]


def _tensor(message: Message) -> TensorRecord:
    name = message.text("name")
    dims = _extents(message, name)
    element, count = ELEMENTS.get(message.integer("data_type"), UNDEFINED), math.prod(dims)
    external = message.integer("data_location") == EXTERNAL
    stored = not external and is_stored(message, element, count)
    empty = None if count else ()
    data = read_values(message, element, count) if stored else empty
    return TensorRecord(name, element.name, dims, data, stored, external)


def _extents(message: Message, name: str) -> tuple[int, ...]:
    """The dims of a tensor that is stored, hence known and not negative."""
    too_long = message.size("dims") > MAX_DIMS_BYTES
    dims = () if too_long else message.integers("dims")
    if too_long or len(dims) > MAX_RANK:
        raise Malformed(f"tensor {name!r} has more than {MAX_RANK} dimensions")
    if any(dim < 0 for dim in dims):
        raise Malformed(f"tensor {name!r} has the dimension {min(dims)}, where a stored tensor has none below 0")
    return dims


def _sparse_tensors(message: Message, field: str) -> list[SparseTensorRecord]:
    return [_sparse_tensor(child) for child in message.children(field, SPARSE_TENSOR)]


def _sparse_tensor(message: Message) -> SparseTensorRecord:
    values, indices = _tensor(message.child("values", TENSOR)), _tensor(message.child("indices", TENSOR))
    return SparseTensorRecord(values, indices, _extents(message, values.name))


def _value_infos(message: Message, field: str) -> list[ValueInfoRecord]:
    return [
        ValueInfoRecord(child.text("name"), _type(child.child("type", TYPE)))
        for child in message.children(field, VALUE_INFO)
    ]


def _types(message: Message, field: str) -> list[TypeRecord | None]:
    return [_type(child) for child in message.children(field, TYPE)]


def _type(message: Message) -> TypeRecord | None:
    if message.has("tensor_type"):
        return _shaped_type("tensor", message.child("tensor_type", TENSOR_TYPE))
    if message.has("sparse_tensor_type"):
        return _shaped_type("sparse_tensor", message.child("sparse_tensor_type", SPARSE_TENSOR_TYPE))
    if message.has("sequence_type"):
        sequence = message.child("sequence_type", SEQUENCE_TYPE)
        return TypeRecord("sequence", element=_type(sequence.child("elem_type", TYPE)))
    if message.has("optional_type"):
        optional = message.child("optional_type", OPTIONAL_TYPE)
        return TypeRecord("optional", element=_type(optional.child("elem_type", TYPE)))
    if message.has("map_type"):
        entry = message.child("map_type", MAP_TYPE)
        return TypeRecord("map", _dtype(entry, "key_type"), element=_type(entry.child("value_type", TYPE)))
    return TypeRecord("opaque") if message.has("opaque_type") else None


def _shaped_type(kind: str, message: Message) -> TypeRecord:
    dims = None
    if message.has("shape"):
        dims = tuple([_dim(child) for child in message.child("shape", SHAPE).children("dim", DIM)])
    return TypeRecord(kind, _dtype(message, "elem_type"), dims)


def _dtype(message: Message, field: str) -> str:
    return ELEMENTS.get(message.integer(field), UNDEFINED).name


def _dim(message: Message) -> DimRecord:
    """An extent; several exporters write -1 for one that they do not know."""
    if message.has("dim_value"):
        value = message.integer("dim_value")
        return value if value >= 0 else None
    return message.text("dim_param") or None


class AttributeKind(NamedTuple):
    """A type of attribute: its name, the field that holds the value, and how that is read."""

    name: str
    field: str
    read: Callable[[Message, str], AttributeValue]


UNDEFINED_KIND: Final = AttributeKind("undefined", "s", lambda m, field: None)
ATTRIBUTE_KINDS: Final = {
    1: AttributeKind("float", "f", lambda m, field: (m.reals(field, "f") or (0.0,))[-1]),
    2: AttributeKind("int", "i", lambda m, field: m.integer(field)),
    3: AttributeKind("string", "s", lambda m, field: m.text(field)),
    4: AttributeKind("tensor", "t", lambda m, field: _tensor(m.child(field, TENSOR))),
    5: AttributeKind("graph", "g", lambda m, field: _graph(m.child(field, GRAPH))),
    6: AttributeKind("floats", "floats", lambda m, field: m.reals(field, "f")),
    7: AttributeKind("ints", "ints", lambda m, field: m.integers(field)),
    8: AttributeKind("strings", "strings", lambda m, field: m.texts(field)),
    9: AttributeKind("tensors", "tensors", lambda m, field: tuple(_tensors(m, field))),
    10: AttributeKind("graphs", "graphs", lambda m, field: tuple(_graphs(m, field))),
    11: AttributeKind("sparse_tensor", "sparse_tensor", lambda m, field: _sparse_tensor(m.child(field, SPARSE_TENSOR))),
    12: AttributeKind("sparse_tensors", "sparse_tensors", lambda m, field: tuple(_sparse_tensors(m, field))),
    13: AttributeKind("type_proto", "tp", lambda m, field: _type(m.child(field, TYPE))),
    14: AttributeKind("type_protos", "type_protos", lambda m, field: tuple(_types(m, field))),
}
"""By AttributeProto.AttributeType of onnx.proto."""
