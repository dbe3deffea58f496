"""What inference finds out beside the types: the data of small tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy

from graphcost.ir import Node, Value
from graphcost.types import FLOATS, TensorType, Unknown

if TYPE_CHECKING:
    Array: TypeAlias = numpy.ndarray[Any, Any]

MOST_ELEMENTS = 4096
"""Data of larger tensors are not followed: no shape has so many dimensions, and few index tables that decide one do."""


class Facts:
    """The data of values where they are known, and the nodes whose result types could not be told."""

    def __init__(self) -> None:
        self._data: dict[Value, Array] = {}
        self._untyped: dict[Node, None] = {}

    @property
    def untyped(self) -> tuple[Node, ...]:
        """The nodes with a result whose element type or rank could not be told."""
        return tuple(self._untyped)

    def known(self, value: Value | None) -> Array | None:
        """The data of a value, not to be changed: a small constant, or what followed from constants and shapes."""
        if value is None:
            return None
        found = self._data.get(value)
        if found is not None or value.constant is None:
            return found
        return self.learn(value, value.constant.array())

    def learn(self, value: Value, array: Array | None) -> Array | None:
        """Note the data of a value, or forget them. Data that contradict the type are not believed."""
        type = value.type
        if array is None or (isinstance(type, TensorType) and type.dims is not None and type.dims != array.shape):
            self._data.pop(value, None)
            return None
        array = _stored(array, type.dtype if isinstance(type, TensorType) else "?")
        array.setflags(write=False)
        self._data[value] = array
        return array

    def forget(self, value: Value) -> None:
        self._data.pop(value, None)

    def note(self, node: Node, untyped: bool) -> None:
        """Say whether the types of a node's results could be told, as of its latest visit."""
        if untyped:
            self._untyped[node] = None
        else:
            self._untyped.pop(node, None)


def _stored(array: Array, dtype: str) -> Array:
    """The precision that the tensor has, and no objects where no dimension is unknown."""
    if array.dtype == object:
        return _plain(array, dtype)
    if dtype in FLOATS:
        return _rounded(array, dtype)
    return array.view() if array.dtype in (numpy.int64, numpy.bool_) else array.astype(numpy.int64)


def _plain(array: Array, dtype: str) -> Array:
    if dtype == "str" or any(isinstance(item, Unknown) for item in array.flat):
        return array.copy()
    return _stored(array.astype(numpy.float64 if dtype in FLOATS else numpy.int64), dtype)


def _rounded(array: Array, dtype: str) -> Array:
    """As a runtime would have rounded it; formats below half precision are kept in single."""
    if dtype == "f64":
        return array.astype(numpy.float64)
    with numpy.errstate(over="ignore", invalid="ignore"):
        return array.astype(numpy.float16 if dtype == "f16" else numpy.float32).astype(numpy.float64)
