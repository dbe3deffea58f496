"""What a release of TensorRT says to one operator with operands of some element type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from graphcost.runtime import Runtime

from .table import ANY, NONE, Release, Table, Types, load_table


@dataclass(frozen=True, slots=True)
class Supported:
    """The parser imports it. It may still refuse an attribute: the table knows operators and types only."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The parser does not import it. `since`: the first later release that does, such as "8.6"; None: no release.
    `types` are those that the operator takes, where it is the element type that stands in the way."""

    since: str | None
    sentence: str
    types: Types = NONE


@dataclass(frozen=True, slots=True)
class Untold:
    """No list speaks of it: a custom operator, or a release that is newer than the lists."""

    sentence: str


Verdict: TypeAlias = "Supported | Refused | Untold"

SUPPORTED = Supported()

_SPELLED: Mapping[str, str] = {
    "f32": "FP32", "f16": "FP16", "bf16": "BF16", "i64": "INT64", "i32": "INT32", "i8": "INT8", "u8": "UINT8",
    "i4": "INT4", "bool": "BOOL", "f8e4m3fn": "FP8",
    "f64": "FP32",  # the parser casts doubles down
}  # fmt: skip

_INT64_IS_NATIVE: Release = (9, 3)
"""Before, the parser casts INT64 down to INT32, and the lists do not name it."""

_QUANTIZED_ARE_LEFT_OUT: Release = (10, 0)
"""From here on the lists leave out the types that only quantisation can give; before, they name them."""

_QUANTIZED = frozenset({"INT8", "INT4", "FP8"})

# Source of the three above: docs/operators.md of onnx/onnx-tensorrt, the notes before the table, release/8.2 to 10.1.


@dataclass(frozen=True, slots=True)
class _Asked:
    """An operator and an element type (None: whatever it is), asked of a runtime."""

    runtime: Runtime
    operator: str
    dtype: str | None
    row: tuple[Types, ...]
    column: int
    table: Table

    @property
    def is_beyond(self) -> bool:
        """Whether the runtime is newer than the newest list."""
        return (self.runtime.version or ())[:2] > self.table.releases[-1]


@lru_cache(maxsize=4096)
def verdict(runtime: Runtime, op: str, dtype: str | None = None) -> Verdict:
    """What the runtime says to an operator, named as in the IR ("onnx.Conv"), with operands of `dtype` ("f16"; None
    asks for the operator alone). Runtimes that are not TensorRT refuse nothing."""
    if runtime.family != "tensorrt" or runtime.version is None:
        return SUPPORTED
    table, (world, operator) = load_table(), _split(op)
    column = table.column(runtime.version)
    if column is None:
        return Untold(f"no list of the operators of {runtime.name} is at hand")
    if world != "onnx" and not (operator.startswith("TRT_") and operator in table.rows):
        return Untold(f"{runtime.name} has no operator {op.removeprefix('onnx.')}: it needs a plug-in")
    row = table.rows.get(operator, (NONE,) * len(table.releases))
    return _answer(_Asked(runtime, operator, dtype, row, column, table))


def _split(op: str) -> tuple[str, str]:
    world, _, name = op.rpartition(".")
    return world, name


def _answer(asked: _Asked) -> Verdict:
    if _takes(asked, asked.column):
        return SUPPORTED
    what = _what(asked)
    if asked.is_beyond:
        newest = _dotted(asked.table.releases[-1])
        return Untold(f"{asked.runtime.name} may refuse {what} (not supported in {newest}, the newest list at hand)")
    since = _since(asked)
    hope = f"supported from {since}" if since else f"not supported up to {_dotted(asked.table.releases[-1])}"
    return Refused(since, f"{asked.runtime.name} would refuse {what} ({hope})", asked.row[asked.column])


def _what(asked: _Asked) -> str:
    """The operator, with the element type where that is what stands in the way."""
    if asked.dtype is None or asked.row[asked.column] == NONE:
        return asked.operator
    return f"{asked.operator} of {_SPELLED.get(asked.dtype, asked.dtype.upper())}"


def _since(asked: _Asked) -> str | None:
    later = range(asked.column + 1, len(asked.row))
    return next((_dotted(asked.table.releases[column]) for column in later if _takes(asked, column)), None)


def _takes(asked: _Asked, column: int) -> bool:
    types = asked.row[column]
    if types in (NONE, ANY) or asked.dtype is None:
        return types != NONE
    return _listed_type(asked.dtype, asked.table.releases[column]) in types | _earlier_quantized(asked, column)


def _listed_type(dtype: str, release: Release) -> str:
    if dtype == "i64" and release < _INT64_IS_NATIVE:
        return "INT32"
    return _SPELLED.get(dtype, dtype.upper())


def _earlier_quantized(asked: _Asked, column: int) -> Types:
    """The quantised types that an earlier release names, where this one leaves them out."""
    if asked.table.releases[column] < _QUANTIZED_ARE_LEFT_OUT:
        return NONE
    return _QUANTIZED & frozenset().union(*asked.row[:column])


def _dotted(release: Release) -> str:
    return f"{release[0]}.{release[1]}"
