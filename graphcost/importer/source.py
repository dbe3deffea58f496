"""Reads a model from wherever the user has it: a path, bytes, an onnx.ModelProto or an onnx_graphsurgeon.Graph."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from mmap import ACCESS_READ, mmap
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias

from graphcost.errors import ModelError
from graphcost.importer.decode import decode_model
from graphcost.importer.message import Malformed
from graphcost.importer.proto import ProtoMessage
from graphcost.importer.records import ModelRecord
from graphcost.importer.schema import MODEL
from graphcost.importer.wire import Buffer, WireMessage

if TYPE_CHECKING:
    import onnx

ModelSource: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | onnx.ModelProto"
"""What `read_model` takes, beside an onnx_graphsurgeon.Graph, which has no type to name."""

HEAD_BYTES: Final = 256
"""As much of a file that cannot be read is looked at to say what it is instead."""

SIGNATURES: Final = {
    b"PK\x03\x04": "it is a zip archive, such as a PyTorch checkpoint: export the network with torch.onnx.export",
    b"\x80\x02": "it is a Python pickle, such as a PyTorch checkpoint: export the network with torch.onnx.export",
    b"ftrt": "it is a TensorRT engine: give the ONNX file that it was built from",
    b"ptrt": "it is a TensorRT engine: give the ONNX file that it was built from",
    b"\x89HDF": "it is an HDF5 file, such as a Keras model: convert it with tf2onnx",
    b"\x1f\x8b": "it is compressed with gzip: unpack it first",
    b"version https://git-lfs": "it is a Git LFS pointer: fetch the file itself with git lfs pull",
    b"<!doctype html": "it is a web page: the download went wrong",
    b"<html": "it is a web page: the download went wrong",
    b"; target:": "it is a graph as text: `graphcost opt` reads it",
    b"graph ": "it is a graph as text: `graphcost opt` reads it",
}
"""How files begin that are mistaken for models, in lower case where they are text."""


def read_model(source: ModelSource) -> ModelRecord:
    """The structure of a model, its weights left where they are. Raises ModelError where it cannot be read."""
    if isinstance(source, (str, os.PathLike)):
        return _read_file(os.fsdecode(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(bytes(source), "the given bytes")
    if hasattr(source, "SerializeToString"):
        return _read_proto(source)
    if type(source).__module__.partition(".")[0] == "onnx_graphsurgeon":
        return _read_proto(_exported(source))
    raise ModelError(f"cannot read a model from a {type(source).__name__}: give a path, bytes or an onnx.ModelProto")


def _read_file(path: str) -> ModelRecord:
    try:
        with open(path, "rb") as file, _content(file) as buffer:
            return _decode(buffer, path)
    except (OSError, ValueError) as error:  # a ValueError is a path that no file can have
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelError(f"cannot read {path}: {reason.lower()}") from error


@contextmanager
def _content(file: BinaryIO) -> Iterator[Buffer]:
    """The bytes of a file, mapped so that what nobody looks at is never read; those of a pipe have to be."""
    status = os.fstat(file.fileno())
    if stat.S_ISFIFO(status.st_mode):
        yield file.read()
    elif not stat.S_ISREG(status.st_mode):
        raise OSError("not a regular file")
    elif status.st_size == 0:
        yield b""
    else:
        with mmap(file.fileno(), 0, access=ACCESS_READ) as buffer:
            yield buffer


def _decode(buffer: Buffer, name: str) -> ModelRecord:
    try:
        return decode_model(WireMessage(buffer, MODEL, [(0, len(buffer))]))
    except Malformed as error:
        reason = _other_format(buffer[:HEAD_BYTES]) or str(error)
        raise ModelError(f"cannot read {name}: {reason}") from error


def _other_format(head: bytes) -> str | None:
    """What a file is that is no ONNX model, where its first bytes tell."""
    if not head:
        return "it is empty"
    for signature, reason in SIGNATURES.items():
        if head.lstrip().lower().startswith(signature.lower()):
            return reason
    is_text = not any(byte < 0x20 and byte not in b"\t\n\r" for byte in head)
    return "it is a text file, and an ONNX model is a binary one" if is_text else None


def _read_proto(proto: Any) -> ModelRecord:
    kind = type(proto).__name__
    if kind != "ModelProto":
        raise ModelError(f"cannot read a model from a {kind}: give an onnx.ModelProto")
    try:
        return decode_model(ProtoMessage(proto))
    except ValueError as error:
        raise ModelError(f"cannot read the given ModelProto: {error}") from error


def _exported(graph: Any) -> onnx.ModelProto:
    surgeon = import_module("onnx_graphsurgeon")
    try:
        model: onnx.ModelProto = surgeon.export_onnx(graph, do_type_check=False)
    except Exception as error:  # what a half-edited graph makes its exporter raise is not documented
        raise ModelError(f"cannot export the given onnx_graphsurgeon graph: {error}") from error
    return model
