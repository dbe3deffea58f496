"""A protobuf object in memory, read where it lies: it is not serialised, so its size is no limit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphcost.importer.message import MAX_DEPTH, Malformed, Schema


class ProtoMessage:
    """An onnx protobuf object, such as an onnx.ModelProto. Implements `Message`."""

    __slots__ = ("_depth", "_proto")

    def __init__(self, proto: Any, depth: int = 0) -> None:
        if depth > MAX_DEPTH:
            raise Malformed(f"messages are nested deeper than {MAX_DEPTH}, more than protobuf allows")
        self._proto = proto
        self._depth = depth

    def has(self, field: str) -> bool:
        value = self._value(field)
        return len(value) > 0 if _is_repeated(value) else bool(self._proto.HasField(field))

    def size(self, field: str) -> int:
        value = self._value(field)
        return len(value) if isinstance(value, (str, bytes)) or _is_repeated(value) else 0

    def blob(self, field: str) -> bytes:
        return bytes(self._value(field))

    def text(self, field: str) -> str:
        return _text(self._value(field))

    def texts(self, field: str) -> tuple[str, ...]:
        return tuple([_text(value) for value in self._value(field)])

    def integer(self, field: str) -> int:
        return int(self._value(field))

    def integers(self, field: str) -> tuple[int, ...]:
        return tuple(self._value(field))

    def reals(self, field: str, code: str) -> tuple[float, ...]:
        value = self._value(field)
        return tuple(value) if _is_repeated(value) else (value,)

    def child(self, field: str, schema: Schema) -> ProtoMessage:
        return ProtoMessage(self._value(field), self._depth + 1)

    def children(self, field: str, schema: Schema) -> Iterator[ProtoMessage]:
        for proto in self._value(field):
            yield ProtoMessage(proto, self._depth + 1)

    def _value(self, field: str) -> Any:
        return getattr(self._proto, field)


def _is_repeated(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, (str, bytes))


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
