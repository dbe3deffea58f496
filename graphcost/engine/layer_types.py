"""What TensorRT calls the type of a layer, by version: facts as data (layer_types.csv)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from graphcost.runtime import Runtime

FILE = Path(__file__).parent / "layer_types.csv"


class LayerType(NamedTuple):
    """`LayerType` and `ParameterType` of trtexec's layer information; the latter is empty where a layer has none."""

    name: str
    parameters: str


class Row(NamedTuple):
    """A line of the table. Kernels that compute in any precision where `precision` is empty."""

    what: str
    precision: str
    since: tuple[int, ...]
    before: tuple[int, ...]
    type: LayerType
    source: str

    def fits(self, whats: tuple[str, ...], precision: str, version: tuple[int, ...]) -> bool:
        in_time = self.since <= version and (not self.before or version < self.before)
        return self.what in whats and self.precision in ("", precision) and in_time


def layer_type(
    runtime: Runtime, op: str, kind: str, precision: str, *, launches: bool = True, in_region: bool = False
) -> LayerType | None:
    """The type that a version of TensorRT gives to a kernel; None where no row of the table speaks of it, and for
    other runtimes. `in_region`: the kernel is one of a region of Myelin."""
    if runtime.family != "tensorrt":
        return None
    whats = ("view",) if not launches else ("region", f"region {kind}", op, kind) if in_region else (op, kind)
    return _type_of(whats, precision, runtime.version or ())


@cache
def _type_of(whats: tuple[str, ...], precision: str, version: tuple[int, ...]) -> LayerType | None:
    """That of the first row that fits; kernels of a network ask again and again."""
    return next((row.type for row in load_rows() if row.fits(whats, precision, version)), None)


@cache
def load_rows() -> tuple[Row, ...]:
    """The rows of the package's table."""
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return tuple(_row(line.split(",", 6)) for line in lines[1:])


def _row(cells: list[str]) -> Row:
    what, precision, since, before, name, parameters, source = cells
    return Row(what, precision, _version(since), _version(before), LayerType(name, parameters), source)


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("."))) if text else ()
