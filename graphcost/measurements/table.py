"""The common CSV → measurements. What cannot be read is refused with its line, its column and what is accepted."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO, TypeVar

from graphcost.errors import DataError, ModelError, UserError

from .generator import Generator
from .measurement import MEASURES, SCOPES, Generated, Measurement

REQUIRED = ("device", "precision", "model", "latency_ms")
"""Columns without which a row says nothing; all others may be absent or empty."""

MADE = "-"
"""What stands for a model that a generator makes."""

T = TypeVar("T", bound=str)


def read_measurements(
    path: str | Path, models_dir: str | Path | None = None, generator: Generator | None = None
) -> list[Measurement]:
    """The rows of a CSV file (or `.csv.gz`), in order. Columns that are not known are ignored.

    `model` is a path relative to `models_dir`, by default to the folder of the file. A `generator` makes the model of
    the rows in which it is `-`. DataError names the line and the column of what is wrong.
    """
    file = Path(path)
    folder = Path(models_dir) if models_dir is not None else file.parent
    return [_row(row, f"{file.name}, line {line}", folder, generator) for line, row in _lines(file)]


def _lines(file: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        with _opened(file) as text:
            reader = csv.DictReader(text)
            _refuse_columns(file, reader.fieldnames or ())
            yield from ((reader.line_num, _stripped(row)) for row in reader)
            if reader.line_num < 2:
                raise DataError(f"{file.name} has no rows, only its header")
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{file} is no whole gzip file: {error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} is not CSV in UTF-8: {error}") from error


def _opened(file: Path) -> TextIO:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8-sig", newline="")
    return file.open(encoding="utf-8-sig", newline="")


def _refuse_columns(file: Path, given: Any) -> None:
    if missing := [name for name in REQUIRED if name not in given]:
        raise DataError(f"{file.name}, line 1: no column {', '.join(missing)}; needed are {', '.join(REQUIRED)}")


def _stripped(row: Mapping[Any, Any]) -> dict[str, str]:
    """Text by column. A line that is too short has None, one that is too long a list under None."""
    return {key: (value or "").strip() for key, value in row.items() if isinstance(key, str)}


def _row(row: Mapping[str, str], where: str, folder: Path, generator: Generator | None) -> Measurement:
    model_file, generated = _model(row, where, folder, generator)
    scope = _one_of(row, "scope", SCOPES, where, "network")
    if scope == "layer" and not row.get("layer"):
        raise DataError(f"{where}: scope is layer, but column layer is empty: names of ONNX nodes joined by ' + '")
    return Measurement(
        device=_stated(row, "device", where),
        power_mode=row.get("power_mode", ""),
        runtime=row.get("runtime", ""),
        precision=_precision(row, where),
        batch=_batch(row, where),
        model=row["model"],
        model_file=model_file,
        generated=generated,
        shapes=row.get("shapes", ""),
        scope=scope,
        layer=row.get("layer", ""),
        latency_ms=_latency_ms(row, where),
        measure=_one_of(row, "measure", MEASURES, where, ""),
        source=row.get("source", ""),
        family=row.get("family", ""),
        use=row.get("use", ""),
        where=where,
    )


def _model(
    row: Mapping[str, str], where: str, folder: Path, generator: Generator | None
) -> tuple[Path | None, Generated | None]:
    name = _stated(row, "model", where)
    if name == MADE:
        return None, None if generator is None else Generated(generator, row)
    file = folder / name
    if not file.is_file():
        raise ModelError(f"{where}, model: no file {str(file)!r}; give the folder of the models (--models DIR)")
    return file, None


def _stated(row: Mapping[str, str], column: str, where: str) -> str:
    if not row[column]:
        raise DataError(f"{where}, {column}: empty, but every row needs it")
    return row[column]


def _precision(row: Mapping[str, str], where: str) -> str:
    from graphcost.runtime import parse_precision

    try:
        return parse_precision(_stated(row, "precision", where))
    except UserError as error:
        raise DataError(f"{where}, precision: {error}") from None


def _batch(row: Mapping[str, str], where: str) -> int | None:
    text = row.get("batch", "")
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise DataError(f"{where}, batch: {text!r} is not a whole number from 1")
    return int(text)


def _latency_ms(row: Mapping[str, str], where: str) -> float:
    text = _stated(row, "latency_ms", where)
    try:
        latency_ms = float(text)
    except ValueError:
        latency_ms = math.nan
    if not 0 < latency_ms < math.inf:
        raise DataError(f"{where}, latency_ms: {text!r} is not a number of milliseconds above 0")
    return latency_ms


def _one_of(row: Mapping[str, str], column: str, accepted: tuple[T, ...], where: str, default: T) -> T:
    text = row.get(column, "")
    if not text:
        return default
    for name in accepted:
        if name == text.lower():
            return name
    raise DataError(f"{where}, {column}: {text!r} is not one of {', '.join(filter(None, accepted))}")
