"""Saved reports, read back: `load_report("before.json")`. Keys that this version does not know are ignored."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import ModelError
from .report import SCHEMA, Memory, Report

T = TypeVar("T")

_NO_MEMORY = Memory(None, (), (), None, None, None, "the saved report does not say")


def load_report(path: Path) -> Report:
    """The report in a file that `--format json` wrote. ModelError where it is missing, broken or something else."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise ModelError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{str(path)!r} is not JSON: {error}") from error
    return report_from_json(document, str(path))


def is_saved_report(path: Path) -> bool:
    """Whether a file looks like JSON rather than like a model; a file that cannot be opened goes by its name."""
    try:
        with path.open("rb") as file:
            return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
    except OSError:
        return path.suffix == ".json"


def report_from_json(document: object, where: str = "the report") -> Report:
    """The inverse of `Report.to_json`. ModelError names the first key that is missing or has another type."""
    schema = document.get("schema") if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(schema, str) or not schema.startswith("graphcost.report/"):
        raise ModelError(f'{where!r} is not a report of graphcost: no "schema": "{SCHEMA}"')
    if schema != SCHEMA:
        raise ModelError(f"{where!r} is a {schema}, of which this version of graphcost knows only {SCHEMA}")
    try:
        return _record(Report, document, "")
    except _Misfit as misfit:
        raise ModelError(f"{where!r} is not a complete report: {misfit}") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")


class _Misfit(Exception):
    """A value is not what the report needs there."""


def _record(kind: Callable[..., T], value: object, path: str) -> T:
    """A dataclass from a JSON object; keys beyond its fields are ignored."""
    if not isinstance(value, Mapping):
        raise _Misfit(f"{path or 'it'} is not an object")
    return kind(**{field.name: _member(field, hint, value, path) for field, hint in _members(kind)})


@cache
def _members(kind: Any) -> list[tuple[Field[Any], Any]]:
    """The fields of a dataclass with their types."""
    hints = get_type_hints(kind)
    return [(field, hints[field.name]) for field in fields(kind)]


def _member(field: Field[Any], hint: Any, owner: Mapping[str, object], path: str) -> object:
    """The value of a field. What may be null, empty or has a default may be absent: it came with a later version."""
    inner = f"{path}.{field.name}" if path else field.name
    if field.name in owner:
        return _value(hint, owner[field.name], inner)
    if field.default is not MISSING:
        return field.default
    if hint is Memory:
        return _NO_MEMORY
    if get_origin(hint) is tuple:
        return ()
    if type(None) in get_args(hint):
        return None
    raise _Misfit(f"no {inner!r}")


def _value(hint: Any, value: object, path: str) -> object:
    """A JSON value as the type that a field declares."""
    if is_dataclass(hint):
        return _record(hint, value, path)  # type: ignore[arg-type]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _one_of(arguments, value, path)
    if origin is tuple:
        return _items(arguments[0], value, path)
    if origin is not None:
        return _mapping(arguments[1], value, path)
    return _scalar(hint, value, path)


def _one_of(kinds: tuple[Any, ...], value: object, path: str) -> object:
    if value is None and type(None) in kinds:
        return None
    wanted = [kind for kind in kinds if kind is not type(None)]
    plain = [kind for kind in wanted if get_origin(kind) is None]  # for Python 3.10, `list[int]` is a type as well
    fitting = [kind for kind in plain if isinstance(value, kind)]
    return _value((fitting or wanted)[0], value, path)


def _items(kind: Any, value: object, path: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise _Misfit(f"{path!r} is not a list")
    return tuple(_value(kind, item, f"{path}[{number}]") for number, item in enumerate(value))


def _mapping(kind: Any, value: object, path: str) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise _Misfit(f"{path!r} is not an object")
    return {key: _value(kind, item, f"{path}.{key}") for key, item in value.items()}


def _scalar(kind: type, value: object, path: str) -> object:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _Misfit(f"{path!r} is {json.dumps(value)[:40]}, not {_NAMES.get(kind, kind.__name__)}")
    return value


_NAMES = {int: "an integer", float: "a number", str: "a text", bool: "true or false"}
