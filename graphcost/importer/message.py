"""What the importer asks of a protobuf message, wherever it comes from: the bytes of a file or an object in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol, TypeVar

MAX_DEPTH: Final = 100
"""Messages inside messages: protobuf's own parsers stop at the same depth."""

MAX_TEXT_BYTES: Final = 1 << 20
"""A longer text is no name but data, such as an engine inside a node, or a length that went wrong."""

M = TypeVar("M", bound="Message")


class Malformed(ValueError):
    """The bytes are not what they claim to be. The text is the reason, and completes "cannot read NAME: …"."""


class Schema(NamedTuple):
    """A kind of message and the fields that are wanted of it, by their numbers in onnx.proto."""

    name: str
    fields: dict[int, str]


class Message(Protocol):
    """A message whose fields are decoded only when they are asked for, by name.

    An absent field is an empty one: `""`, 0, nothing, as protobuf has it; `has` tells the difference.
    """

    def has(self, field: str) -> bool:
        """Whether the field is there, however empty."""

    def size(self, field: str) -> int:
        """Bytes that the field takes, 0 where it is absent, without looking at them."""

    def blob(self, field: str) -> bytes:
        """The bytes of a field of type bytes."""

    def text(self, field: str) -> str:
        """A string; what is not UTF-8 in it is replaced."""

    def texts(self, field: str) -> tuple[str, ...]:
        """The strings of a repeated field."""

    def integer(self, field: str) -> int:
        """A signed integer or an enumerator."""

    def integers(self, field: str) -> tuple[int, ...]:
        """The signed integers of a repeated field, 64 bits each."""

    def reals(self, field: str, code: str) -> tuple[float, ...]:
        """The floating-point numbers of a field, single or repeated; `code` is struct's letter: f or d."""

    def child(self: M, field: str, schema: Schema) -> M:
        """The message inside a field; an empty one where the field is absent."""

    def children(self: M, field: str, schema: Schema) -> Iterator[M]:
        """The messages of a repeated field, one at a time: a graph of many nodes is never held twice."""
