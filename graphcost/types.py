"""Types: what a value is. Frozen data, compared by content; the text form of each is its `str()`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy

BITS: dict[str, int | None] = {
    "f64": 64, "f32": 32, "f16": 16, "bf16": 16,
    "f8e4m3fn": 8, "f8e4m3fnuz": 8, "f8e5m2": 8, "f8e5m2fnuz": 8, "f8e8m0": 8,
    "f6e2m3": 6, "f6e3m2": 6, "f4e2m1": 4,
    "i64": 64, "i32": 32, "i16": 16, "i8": 8, "i4": 4, "i2": 2,
    "u64": 64, "u32": 32, "u16": 16, "u8": 8, "u4": 4, "u2": 2,
    "bool": 8, "c64": 64, "c128": 128,
    "str": None, "?": None,
}  # fmt: skip
"""Bits of one element. A string has no fixed size, and `?` is an element type that nobody could tell: both unknown."""

FLOATS = frozenset(dtype for dtype in BITS if dtype.startswith(("f", "bf")))
INTEGERS = frozenset(dtype for dtype in BITS if dtype.startswith(("i", "u")))

CHANNEL_LANES = {
    "linear": 1, "hwc": 1, "chw2": 2, "chw4": 4, "chw16": 16, "chw32": 32, "hwc4": 4, "hwc8": 8, "hwc16": 16,
}  # fmt: skip
"""Channels (axis 1) that a format stores together; the last group is padded to the full number.
Source: TensorRT's `TensorFormat` in NvInferRuntime.h."""


MAX_NAME = 1024
"""Letters of the name of an unknown dimension: arithmetic doubles names, and models may do it again and again."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A dimension that only the data decides, such as the number of boxes that survive NMS.

    `name` says which one; `max` bounds it where something does. Arithmetic gives another unknown whose bound
    follows, so a shape computed from it stays honest: an unknown never turns into 0 or 1.
    """

    name: str
    max: int | None = None

    def __post_init__(self) -> None:
        if len(self.name) > MAX_NAME:
            object.__setattr__(self, "name", _digest(self.name))

    def __str__(self) -> str:
        name = self.name if self.name.isascii() and self.name.isidentifier() else json.dumps(self.name)
        return f"?{name}" if self.max is None else f"?{name}<={self.max}"

    def __add__(self, other: Dim) -> Dim:
        return self if other == 0 else Unknown(f"({_name(self)}+{_name(other)})", _both(self, other, int.__add__))

    def __radd__(self, other: int) -> Dim:
        return self + other

    def __sub__(self, other: Dim) -> Dim:
        if other == 0:
            return self
        return Unknown(f"({_name(self)}-{_name(other)})", _less(self.max, other))

    def __rsub__(self, other: int) -> Dim:
        return Unknown(f"({other}-{_name(self)})", other)

    def __mul__(self, other: Dim) -> Dim:
        if other in (0, 1):
            return self if other == 1 else 0
        return Unknown(f"({_name(self)}*{_name(other)})", _both(self, other, int.__mul__))

    def __rmul__(self, other: int) -> Dim:
        return self * other

    def __floordiv__(self, other: Dim) -> Dim:
        if other == 1:
            return self
        bound_ = self.max // other if self.max is not None and isinstance(other, int) and other > 0 else self.max
        return Unknown(f"({_name(self)}//{_name(other)})", bound_)

    def __rfloordiv__(self, other: int) -> Dim:
        return Unknown(f"({other}//{_name(self)})", max(other, 0))


Dim: TypeAlias = "int | Unknown"


def bound(dim: Dim) -> int | None:
    """The most that a dimension can be; None when nothing bounds it."""
    return dim if isinstance(dim, int) else dim.max


def product(dims: Iterable[Dim]) -> Dim:
    """The product of dimensions, itself a dimension."""
    total: Dim = 1
    for dim in dims:
        total = total * dim
    return total


def _digest(name: str) -> str:
    """A short name in the place of one that is too long: equal for equal names."""
    import hashlib

    return f"expression_{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def _name(dim: Dim) -> str:
    return str(dim) if isinstance(dim, int) else dim.name


def _both(a: Dim, b: Dim, combine: Any) -> int | None:
    high_a, high_b = bound(a), bound(b)
    return None if high_a is None or high_b is None else combine(high_a, high_b)


def _less(high: int | None, other: Dim) -> int | None:
    return high if high is None or not isinstance(other, int) else max(high - other, 0)


@dataclass(frozen=True, slots=True)
class Quantization:
    """How stored integers stand for real numbers: one scale for the tensor, or one for each index along `axis`."""

    scale: float | None = None
    axis: int | None = None

    def __str__(self) -> str:
        scale = "?" if self.scale is None else repr(self.scale)
        return f"q({scale})" if self.axis is None else f"q({scale},axis={self.axis})"


@dataclass(frozen=True, slots=True)
class TensorType:
    """Element type, shape and layout in memory: `f16[1,64,56,56]:chw2`. `dims` is None when the rank is not known."""

    dtype: str
    dims: tuple[Dim, ...] | None
    format: str = "linear"
    quantization: Quantization | None = None

    @property
    def rank(self) -> int | None:
        return None if self.dims is None else len(self.dims)

    @property
    def is_static(self) -> bool:
        return self.dims is not None and all(type(d) is int for d in self.dims)

    @property
    def elements(self) -> int | None:
        """Number of elements, the most it can be where a dimension is bounded; None when nothing bounds it."""
        return None if self.dims is None else _elements(self.dims)

    @property
    def size_bytes(self) -> int | None:
        """Bytes in memory: packed elements (two int4 share a byte), channels padded as the format asks."""
        return None if self.dims is None else _size_bytes(self.dtype, self.dims, self.format)

    def with_dtype(self, dtype: str) -> TensorType:
        return TensorType(dtype, self.dims, self.format, self.quantization)

    def with_dims(self, dims: Iterable[Dim] | None) -> TensorType:
        return TensorType(self.dtype, None if dims is None else tuple(dims), self.format, self.quantization)

    def __str__(self) -> str:
        dims = "*" if self.dims is None else ",".join(map(str, self.dims))
        layout = "" if self.format == "linear" else f":{self.format}"
        return f"{self.dtype}[{dims}]{layout}" + ("" if self.quantization is None else f":{self.quantization}")


@lru_cache(maxsize=4096)
def _elements(dims: tuple[Dim, ...]) -> int | None:
    """Asked again and again of the same few shapes."""
    count = 1
    for dim in dims:
        high = dim if type(dim) is int else bound(dim)
        if high is None:
            return 0 if 0 in dims else None
        count *= high
    return count


@lru_cache(maxsize=4096)
def _size_bytes(dtype: str, dims: tuple[Dim, ...], layout: str) -> int | None:
    bits, elements = BITS[dtype], _elements(dims)
    if bits is None or elements is None:
        return 0 if elements == 0 else None
    return (_padded(elements, dims, CHANNEL_LANES[layout]) * bits + 7) // 8


def _padded(elements: int, dims: tuple[Dim, ...], lanes: int) -> int:
    """Elements with those that fill the last group of channels."""
    channels = bound(dims[1]) if lanes > 1 and len(dims) > 1 else None
    return elements // channels * (-(-channels // lanes) * lanes) if channels else elements


@dataclass(frozen=True, slots=True)
class ContainerType:
    """A sequence, an optional or a map of something: `seq(f32[3])`, `opt(i64[])`, `map(f32[])`.

    Its size in bytes is not known from the type.
    """

    kind: str
    element: Type

    @property
    def size_bytes(self) -> int | None:
        return None

    @property
    def elements(self) -> int | None:
        return None

    def __str__(self) -> str:
        return f"{self.kind}({self.element})"


@dataclass(frozen=True, slots=True)
class NoneType:
    """The type of a result that the node could give but that nobody asked for (an empty name in ONNX): no bytes."""

    size_bytes: int = field(default=0, init=False)
    elements: int = field(default=0, init=False)

    def __str__(self) -> str:
        return "none"


Type: TypeAlias = "TensorType | ContainerType | NoneType"

NONE = NoneType()
UNKNOWN = TensorType("?", None)
"""The type of a value about which nothing is known (what a custom operator returns)."""

Scalar: TypeAlias = "int | float | bool | str"


@dataclass(frozen=True, slots=True)
class Constant:
    """A small tensor whose values are known: row-major `values` of a tensor `dtype[dims]`."""

    dtype: str
    dims: tuple[int, ...]
    values: tuple[Scalar, ...]

    @property
    def type(self) -> TensorType:
        return TensorType(self.dtype, self.dims)

    def array(self) -> numpy.ndarray[Any, Any]:
        """The values as an array; integers become int64, floats float64, strings objects."""
        import numpy

        kind: Any = object if self.dtype == "str" else None
        if not self.values:
            kind = numpy.float64 if self.dtype in FLOATS else numpy.int64
        return numpy.array(self.values, dtype=kind).reshape(self.dims)

    def __str__(self) -> str:
        return f"{self.type} [{','.join(map(_scalar, self.values))}]"


def _scalar(value: Scalar) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else repr(value)


Attr: TypeAlias = (
    "int | float | str | Constant | TensorType | ContainerType"
    " | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | tuple[Constant, ...]"
)
"""What an attribute may be. Graphs are not attributes: they are bodies."""
