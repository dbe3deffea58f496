"""Records → types, constants and attributes of the IR."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.importer.constants import ELEMENTS
from graphcost.importer.records import (
    AttributeValue,
    DimRecord,
    SparseTensorRecord,
    TensorRecord,
    TypeRecord,
)
from graphcost.types import UNKNOWN, Attr, Constant, ContainerType, Dim, TensorType, Type, Unknown

_CONTAINERS = {"sequence": "seq", "optional": "opt", "map": "map"}
_DTYPE_ATTRIBUTES = frozenset(
    {"to", "dtype", "output_dtype", "output_datatype", "stash_type", "softmax_precision", "precision"}
)
"""Attributes whose integer is a TensorProto.DataType; the IR spells the element type instead."""


def weight_type(tensor: TensorRecord | SparseTensorRecord) -> TensorType:
    """The type of an initializer; a sparse one counts with its dense shape."""
    dtype = tensor.dtype if isinstance(tensor, TensorRecord) else tensor.values.dtype
    return TensorType(dtype, tensor.dims)


def constant_of(tensor: TensorRecord | SparseTensorRecord) -> Constant | None:
    """The values where the reader kept them; complex numbers are of no use to shapes and scales."""
    if not isinstance(tensor, TensorRecord) or tensor.data is None or tensor.dtype in ("c64", "c128"):
        return None
    return Constant(tensor.dtype, tensor.dims, tensor.data)  # type: ignore[arg-type]


def type_of(record: TypeRecord | None, symbols: Mapping[str, int]) -> Type:
    """The type that a file declares; a symbol that is not bound is unknown."""
    if record is None:
        return UNKNOWN
    if record.kind in _CONTAINERS:
        return ContainerType(_CONTAINERS[record.kind], type_of(record.element, symbols))
    if record.dims is None:
        return TensorType(record.dtype, None)
    return TensorType(record.dtype, tuple(_dim(d, i, symbols) for i, d in enumerate(record.dims)))


def _dim(dim: DimRecord, axis: int, symbols: Mapping[str, int]) -> Dim:
    if isinstance(dim, int):
        return dim if dim >= 0 else Unknown(f"axis{axis}")
    if dim is None:
        return Unknown(f"axis{axis}")
    return symbols.get(dim, Unknown(dim))


def attribute_of(name: str, value: AttributeValue) -> Attr | None:
    """An attribute as the IR holds it; None for what it has no use for (graphs become bodies elsewhere)."""
    if isinstance(value, int) and name in _DTYPE_ATTRIBUTES:
        return ELEMENTS[value].name if value in ELEMENTS else value
    if isinstance(value, (int, float, str)):
        return value
    if isinstance(value, (TensorRecord, SparseTensorRecord)):
        return constant_of(value) or weight_type(value)
    if isinstance(value, TypeRecord):
        found = type_of(value, {})
        return found if isinstance(found, (TensorType, ContainerType)) else None
    if isinstance(value, tuple) and all(isinstance(item, (int, float, str)) for item in value):
        return value  # type: ignore[return-value]
    return None
