"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import UsageError


def write_atomic(path: Path, text: str) -> None:
    """Write beside and rename, so that nobody ever reads half a file. UsageError where the place cannot be written."""
    write_bytes_atomic(path, text.encode("utf-8", "backslashreplace"))


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """The same for bytes."""
    try:
        _write(path, data)
    except OSError as error:
        raise UsageError(f"cannot write {str(path)!r}: {error.strerror or error}") from error


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are not there yet. UsageError where that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {str(path)!r}: {error.strerror or error}") from error


def _write(path: Path, data: bytes) -> None:
    target = path.resolve()  # a link stays a link
    if target.exists() and not target.is_file():
        target.write_bytes(data)  # a device or a pipe cannot be renamed over; a folder refuses by itself
        return
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
