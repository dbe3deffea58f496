"""Tokens → types, constants and attributes."""

from __future__ import annotations

import json

from graphcost.types import (
    BITS,
    CHANNEL_LANES,
    NONE,
    Attr,
    Constant,
    ContainerType,
    Dim,
    Quantization,
    Scalar,
    TensorType,
    Type,
    Unknown,
)

from .cursor import Cursor

_CONTAINERS = ("seq", "opt", "map")


def read_type(cursor: Cursor) -> Type:
    """`f32[1,?n<=9]:chw2:q(0.1)`, `seq(f32[3])`, `none`."""
    if cursor.accept("none"):
        return NONE
    if cursor.next.text in _CONTAINERS:
        kind = cursor.take().text
        return ContainerType(kind, cursor.several(lambda: read_type(cursor), "(", ")")[0])
    return _tensor(cursor)


def _tensor(cursor: Cursor) -> TensorType:
    token = cursor.expect("word", "?")
    if token.text not in BITS:
        raise cursor.error(f"expected an element type such as f32 or i64, found {token.text}", token)
    dims = cursor.several(lambda: _dim(cursor), "[", "]")
    shape = None if None in dims else tuple(d for d in dims if d is not None)
    layout, quantization = "linear", None
    while cursor.accept(":"):
        if cursor.next.text == "q":
            quantization = _quantization(cursor)
        else:
            layout = _layout(cursor)
    return TensorType(token.text, shape, layout, quantization)


def _layout(cursor: Cursor) -> str:
    token = cursor.expect("word")
    if token.text not in CHANNEL_LANES:
        raise cursor.error(f"expected a format ({', '.join(CHANNEL_LANES)}), found {token.text}", token)
    return token.text


def _dim(cursor: Cursor) -> Dim | None:
    """A number, an unknown, or None for `*`, which stands for the whole shape."""
    if cursor.accept("*"):
        return None
    if not cursor.accept("?"):
        return cursor.integer()
    return Unknown(cursor.name(), cursor.integer() if cursor.accept("<=") else None)


def _quantization(cursor: Cursor) -> Quantization:
    cursor.take()
    cursor.expect("(")
    scale = None if cursor.accept("?") else float(cursor.expect("number").text)
    axis = None
    if cursor.accept(","):
        cursor.expect("axis")
        cursor.expect("=")
        axis = cursor.integer()
    cursor.expect(")")
    return Quantization(scale, axis)


def read_constant(cursor: Cursor, type: Type) -> Constant:
    """The values of a tensor of a known type: `[1,-1]`, or `f32[2] [0.0,1.0]` where the data differ from the type."""
    if cursor.next.text != "[":
        type = read_type(cursor)
    if not isinstance(type, TensorType) or not type.is_static:
        raise cursor.error(f"a value of type {type} cannot be written out")
    values = cursor.several(lambda: _scalar(cursor), "[", "]")
    dims = tuple(d for d in type.dims or () if isinstance(d, int))
    return Constant(type.dtype, dims, tuple(values))


def _scalar(cursor: Cursor) -> Scalar:
    token = cursor.expect("number", "string", "true", "false")
    if token.kind == "string":
        return str(json.loads(token.text))
    if token.kind == "word":
        return token.text == "true"
    return int(token.text) if token.text.lstrip("-").isdigit() else float(token.text)


def read_attr(cursor: Cursor) -> Attr:
    """3, 0.5, "s", [1,2], const(i64[2] [1,2]), type(f32[3])."""
    if cursor.next.text == "[":
        return tuple(cursor.several(lambda: read_attr(cursor), "[", "]"))  # type: ignore[return-value]
    if cursor.accept("const"):
        return cursor.several(lambda: read_constant(cursor, NONE), "(", ")")[0]
    if cursor.accept("type"):
        return cursor.several(lambda: read_type(cursor), "(", ")")[0]  # type: ignore[return-value]
    return _scalar(cursor)
