"""The protobuf wire format: finds the fields of a message by stepping over their contents.

A field is a tag (its number and a wire type) and then a varint, four or eight bytes, or a length and that many bytes.
What nobody asks for, gigabytes of weights above all, is therefore never read: over a memory-mapped file it does not
even leave the disk. https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from mmap import mmap
from typing import Final, NoReturn, TypeAlias

from graphcost.importer.message import MAX_DEPTH, MAX_TEXT_BYTES, Malformed, Schema

Buffer: TypeAlias = "bytes | mmap"
Span: TypeAlias = tuple[int, int]
"""Where the content of a field begins and ends in the buffer."""

VARINT: Final = 0
LENGTH: Final = 2
FIXED_BYTES: Final = {1: 8, 5: 4}


class WireMessage:
    """The fields of one encoded message, found but not decoded. Implements `Message`.

    A message may come in several pieces, which protobuf merges. Fields that the schema does not list are stepped
    over. Raises `Malformed` where the bytes do not add up.
    """

    __slots__ = ("_buffer", "_depth", "_fixed", "_numbers", "_schema", "_spans")

    def __init__(self, buffer: Buffer, schema: Schema, pieces: Iterable[Span], depth: int = 0) -> None:
        if depth > MAX_DEPTH:
            raise Malformed(f"messages are nested deeper than {MAX_DEPTH}, more than protobuf allows")
        self._buffer = buffer
        self._schema = schema
        self._depth = depth
        self._numbers: dict[str, list[int]] = {}
        self._fixed: dict[str, list[Span]] = {}
        self._spans: dict[str, list[Span]] = {}
        for start, end in pieces:
            self._scan(start, end)

    def _scan(self, position: int, end: int) -> None:
        buffer, fields, numbers = self._buffer, self._schema.fields, self._numbers
        while position < end:
            tag, position = varint(buffer, position, end)
            name = fields.get(tag >> 3)
            kind = tag & 7
            if tag < 8:
                self._refuse(tag, -1, end - position)
            if kind == LENGTH:
                size, position = varint(buffer, position, end)
                spans = self._spans
            elif kind == VARINT:
                number, position = varint(buffer, position, end)
                if name is not None:
                    numbers.setdefault(name, []).append(number)
                continue
            else:
                size = FIXED_BYTES.get(kind, -1)
                spans = self._fixed
            if not 0 <= size <= end - position:
                self._refuse(tag, size, end - position)
            if name is not None:
                spans.setdefault(name, []).append((position, position + size))
            position += size

    def _refuse(self, tag: int, size: int, left: int) -> NoReturn:
        number = tag >> 3
        hint = "" if self._depth else " (is the file cut off?)"
        field = repr(self._schema.fields.get(number, number))
        if size < 0:
            raise Malformed(f"{self._schema.name} holds bytes that are not protobuf (field {number}, type {tag & 7})")
        raise Malformed(f"field {field} says {size:,} bytes, but only {left:,} are left{hint}")

    def has(self, field: str) -> bool:
        return field in self._spans or field in self._numbers or field in self._fixed

    def size(self, field: str) -> int:
        size = len(self._numbers.get(field, ()))
        for start, end in self._pieces(field):
            size += end - start
        return size

    def _pieces(self, field: str) -> list[Span]:
        """Where the bytes of a field lie, be they packed together or one number at a time."""
        spans = self._spans.get(field, [])
        return spans + self._fixed[field] if field in self._fixed else spans

    def blob(self, field: str) -> bytes:
        start, end = self._spans.get(field, [(0, 0)])[-1]
        return self._buffer[start:end]

    def text(self, field: str) -> str:
        spans = self._spans.get(field)
        return self._text(field, spans[-1]) if spans else ""

    def texts(self, field: str) -> tuple[str, ...]:
        spans = self._spans.get(field)
        return tuple([self._text(field, span) for span in spans]) if spans else ()

    def _text(self, field: str, span: Span) -> str:
        start, end = span
        if end - start > MAX_TEXT_BYTES:
            raise Malformed(f"field {field!r} of {self._schema.name} is a text of {end - start:,} bytes")
        return str(self._buffer[start:end], "utf-8", "replace")

    def integer(self, field: str) -> int:
        numbers = self._numbers.get(field)
        return signed(numbers[-1]) if numbers else 0

    def integers(self, field: str) -> tuple[int, ...]:
        numbers = self._numbers.get(field, [])[:]
        for span in self._spans.get(field, ()):
            numbers += varints(self._buffer, *span)
        return tuple([signed(number) for number in numbers])

    def reals(self, field: str, code: str) -> tuple[float, ...]:
        size = struct.calcsize(code)
        packed = b"".join([self._buffer[start:end] for start, end in self._pieces(field)])
        if len(packed) % size:
            raise Malformed(f"field {field!r} holds {len(packed):,} bytes, which is no number of {size}-byte numbers")
        return struct.unpack(f"<{len(packed) // size}{code}", packed)

    def child(self, field: str, schema: Schema) -> WireMessage:
        return WireMessage(self._buffer, schema, self._spans.get(field, ()), self._depth + 1)

    def children(self, field: str, schema: Schema) -> Iterator[WireMessage]:
        for span in self._spans.get(field, ()):
            yield WireMessage(self._buffer, schema, (span,), self._depth + 1)


def varint(buffer: Buffer, position: int, end: int) -> tuple[int, int]:
    """The unsigned integer at `position`, seven bits a byte, and the position after it."""
    if position < end and (byte := buffer[position]) < 0x80:
        return byte, position + 1
    value = shift = 0
    for at in range(position, min(position + 10, end)):
        byte = buffer[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + 1
        shift += 7
    if end - position < 10:
        raise Malformed(f"it ends in the middle of a number at byte {end:,} (is the file cut off?)")
    raise Malformed(f"the number at byte {position:,} is longer than ten bytes")


def varints(buffer: Buffer, position: int, end: int) -> list[int]:
    """The unsigned integers of a packed field."""
    numbers = []
    while position < end:
        number, position = varint(buffer, position, end)
        numbers.append(number)
    return numbers


def signed(number: int) -> int:
    """Two's complement of 64 bits, the way negative numbers are written."""
    return number if number < 1 << 63 else number - (1 << 64)
