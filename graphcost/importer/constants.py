"""The values of small tensors: what shapes, axes, scales, zero points, clip bounds and resize scales are made of."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from graphcost.importer.message import MAX_TEXT_BYTES, Malformed, Message
from graphcost.importer.minifloat import LAYOUTS, minifloat, power_of_two
from graphcost.importer.records import TensorData

MAX_INTEGERS: Final = 1024
"""Integers or booleans up to which a tensor keeps its values: shapes, axes, indices and masks that decide a shape are
shorter, and a zero point has one integer for each channel."""

MAX_REALS: Final = 64
"""The same for real numbers and strings: a scale, an epsilon, the bounds of a Clip, the scales of a Resize. Longer
ones are weights."""


class Element(NamedTuple):
    """An element type: graphcost's name, the bits of one element, how to read it, and its typed field in TensorProto.

    `code` is struct's letter where it has one. Complex numbers are read as pairs of reals, strings not as bits at all.
    """

    name: str
    bits: int
    code: str
    field: str


ELEMENTS: Final = {
    1: Element("f32", 32, "f", "float_data"),
    2: Element("u8", 8, "B", "int32_data"),
    3: Element("i8", 8, "b", "int32_data"),
    4: Element("u16", 16, "H", "int32_data"),
    5: Element("i16", 16, "h", "int32_data"),
    6: Element("i32", 32, "i", "int32_data"),
    7: Element("i64", 64, "q", "int64_data"),
    8: Element("str", 0, "", "string_data"),
    9: Element("bool", 8, "?", "int32_data"),
    10: Element("f16", 16, "e", "int32_data"),
    11: Element("f64", 64, "d", "double_data"),
    12: Element("u32", 32, "I", "uint64_data"),
    13: Element("u64", 64, "Q", "uint64_data"),
    14: Element("c64", 64, "f", "float_data"),
    15: Element("c128", 128, "d", "double_data"),
    16: Element("bf16", 16, "", "int32_data"),
    17: Element("f8e4m3fn", 8, "", "int32_data"),
    18: Element("f8e4m3fnuz", 8, "", "int32_data"),
    19: Element("f8e5m2", 8, "", "int32_data"),
    20: Element("f8e5m2fnuz", 8, "", "int32_data"),
    21: Element("u4", 4, "", "int32_data"),
    22: Element("i4", 4, "", "int32_data"),
    23: Element("f4e2m1", 4, "", "int32_data"),
    24: Element("f8e8m0", 8, "", "int32_data"),
    25: Element("u2", 2, "", "int32_data"),
    26: Element("i2", 2, "", "int32_data"),
    27: Element("f6e2m3", 6, "", "int32_data"),
    28: Element("f6e3m2", 6, "", "int32_data"),
}
"""By TensorProto.DataType of onnx.proto."""

UNDEFINED: Final = Element("?", 0, "", "raw_data")
TYPED_FIELDS: Final = tuple(sorted({element.field for element in ELEMENTS.values()}))
"""The fields of a TensorProto that may hold values in the place of raw_data."""

MAX_ENTRY_BYTES: Final = 16
"""More than one element takes in any typed field: two doubles of a complex number, ten bytes of a varint."""


def is_stored(tensor: Message, element: Element, count: int) -> bool:
    """Whether the file holds values for a tensor of `count` elements: a stripped one has none.

    Raises Malformed where its raw data are longer or shorter than that.
    """
    raw_size = tensor.size("raw_data")
    if raw_size and element.bits and raw_size != _bytes_of(count, element.bits):
        raise _mismatch(tensor, element, count)
    return raw_size > 0 or any(map(tensor.size, TYPED_FIELDS))


def read_values(tensor: Message, element: Element, count: int) -> TensorData | None:
    """The values of a tensor that stores `count` elements; None where those are too many or of an unknown type.

    Raises Malformed where the file holds more or fewer values than that.
    """
    limit = MAX_INTEGERS if element.name.startswith(("i", "u", "bool")) else MAX_REALS
    if count > limit or element is UNDEFINED:
        return None
    return _numbers(tensor, element, count) if element.bits else _texts(tensor, element, count)


def _texts(tensor: Message, element: Element, count: int) -> TensorData | None:
    if tensor.size(element.field) > MAX_TEXT_BYTES:
        return None
    texts = tensor.texts(element.field)
    if len(texts) != count:
        raise _mismatch(tensor, element, count)
    return texts


def _numbers(tensor: Message, element: Element, count: int) -> TensorData:
    if tensor.size(element.field) > MAX_ENTRY_BYTES * count:
        raise _mismatch(tensor, element, count)
    raw, bits = tensor.blob("raw_data"), element.bits
    if not raw:
        raw, bits = _typed(tensor, element), 8 if bits == 6 else bits
    if len(raw) != _bytes_of(count, bits):
        raise _mismatch(tensor, element, count)
    return _unpack(raw, element, bits, count)


def _typed(tensor: Message, element: Element) -> bytes:
    """A typed field as the bytes that raw_data would hold, except that a 6-bit number has a byte to itself."""
    if element.field in ("float_data", "double_data"):
        reals = tensor.reals(element.field, element.code)
        return struct.pack(f"<{len(reals)}{element.code}", *reals)
    entry_bytes = max(element.bits, 8) // 8
    mask = (1 << 8 * entry_bytes) - 1
    return b"".join([(entry & mask).to_bytes(entry_bytes, "little") for entry in tensor.integers(element.field)])


def _unpack(raw: bytes, element: Element, bits: int, count: int) -> TensorData:
    if element.code:
        numbers = struct.unpack(f"<{len(raw) // struct.calcsize(element.code)}{element.code}", raw)
        return tuple(map(complex, numbers[::2], numbers[1::2])) if element.name[0] == "c" else numbers
    packed, mask = int.from_bytes(raw, "little"), (1 << bits) - 1
    patterns = [packed >> bits * index & mask for index in range(count)]
    if element.name in LAYOUTS:
        return tuple([minifloat(pattern, LAYOUTS[element.name]) for pattern in patterns])
    if element.name == "f8e8m0":
        return tuple([power_of_two(pattern) for pattern in patterns])
    sign = 1 << bits - 1 if element.name[0] == "i" else 0
    return tuple([(pattern ^ sign) - sign for pattern in patterns])


def _bytes_of(count: int, bits: int) -> int:
    return -(-count * bits // 8)


def _mismatch(tensor: Message, element: Element, count: int) -> Malformed:
    return Malformed(f"tensor {tensor.text('name')!r} does not hold the {count:,} {element.name} that its shape needs")
