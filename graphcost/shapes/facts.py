"""What inference finds out beside the types: the data of small tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy

from graphcost.ir import Node, Value
from graphcost.types import BITS, FLOATS, INTEGERS, TensorType, Unknown

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
            self.forget(value)
            return None
        array = _stored(array, type.dtype if isinstance(type, TensorType) else "?")
        if array is None:
            self.forget(value)
            return None
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


def _stored(array: Array, dtype: str) -> Array | None:
    """The numbers that a tensor of this element type holds, and no objects where no dimension is unknown. Floats
    below half precision are not followed."""
    if array.dtype == object:
        return _plain(array, dtype)
    if dtype in FLOATS:
        return _rounded(array, dtype)
    whole = array.view() if array.dtype in (numpy.int64, numpy.bool_) else array.astype(numpy.int64)
    return _wrapped(whole, dtype) if dtype in INTEGERS else whole


def _plain(array: Array, dtype: str) -> Array | None:
    if dtype == "str" or any(isinstance(item, Unknown) for item in array.flat):
        return array.copy()
    return _stored(array.astype(numpy.float64 if dtype in FLOATS else numpy.int64), dtype)


def _wrapped(array: Array, dtype: str) -> Array:
    """Integers modulo the width of the element type."""
    bits = BITS[dtype]
    if bits is None or bits == 64:
        return array
    pattern = array & ((1 << bits) - 1)
    return pattern if dtype.startswith("u") else numpy.where(pattern >> (bits - 1), pattern - (1 << bits), pattern)


def _rounded(array: Array, dtype: str) -> Array | None:
    if dtype == "f64":
        return array.astype(numpy.float64)
    if dtype == "f16":
        return array.astype(numpy.float16).astype(numpy.float64)
    single = array.astype(numpy.float32)
    return single.astype(numpy.float64) if dtype == "f32" else _brain(single) if dtype == "bf16" else None


def _brain(single: Array) -> Array:
    """bfloat16: the upper half of single precision, rounded to the nearest, ties to even."""
    bits = numpy.atleast_1d(single).view(numpy.uint32).astype(numpy.uint64)
    upper = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    brain = numpy.where(numpy.isnan(numpy.atleast_1d(single)), bits, upper).astype(numpy.uint32).view(numpy.float32)
    return brain.reshape(single.shape).astype(numpy.float64)
