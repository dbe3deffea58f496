"""Read small TOML files of settings: devices and runtimes. Every failure is one sentence that names the file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from graphcost.errors import UsageError

Table = dict[str, object]

_LONG = 60  # characters of a value that a message shows


def files_of(folder: Path) -> dict[str, Path]:
    """The TOML files of a folder by name, sorted."""
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def read_toml(path: Path) -> Table:
    """The file's tables. UsageError when it is missing, unreadable or not TOML."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: a TOML file is expected") from error
    except (ValueError, RecursionError) as error:  # a decode error is a ValueError, and so is an endless integer
        raise UsageError(f"{path} is not valid TOML: {error}") from error


def refuse(file: str, key: str, given: object, accepted: str) -> NoReturn:
    """Say which key of which file holds what, and what would be accepted."""
    raise UsageError(f"{file}: {key} = {show(given)} is not {accepted}")


def show(value: object) -> str:
    """A TOML value as it would be written, cut short when long."""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."


def text_of(table: Table, key: str, file: str) -> str | None:
    """A text, or None when the key is absent."""
    value = table.get(key)
    if value is None or isinstance(value, str):
        return value
    refuse(file, key, value, "a text")


def texts_of(table: Table, key: str, file: str) -> tuple[str, ...] | None:
    """A list of texts, or None when the key is absent."""
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        refuse(file, key, value, "a list of texts")
    return tuple(value)


def table_of(table: Table, key: str, file: str) -> Table:
    """A sub-table, empty when the key is absent."""
    value = table.get(key, {})
    if not isinstance(value, dict):
        refuse(file, key, value, "a table")
    return value
