"""What `graphcost fit` writes of a device: parameters of a cost model, intervals, where they come from.

It stands in tables of the device's file, `[fitted.f16]`, `[largest.f16]`, `[intervals]`, `[provenance]`; for the
devices that come with graphcost in a file of its own, `devices/fitted/<device or architecture>.toml`, so that a fit
rewrites no file that people write. `devices/fitted/prior.toml` speaks for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from graphcost.toml_files import Table, read_toml, refuse, table_of

PRIOR = "prior"

Pair = tuple[float, float]


@dataclass(frozen=True)
class Fit:
    """The tables of one file. `rows` counts, by numeric type, the measurements behind its parameters."""

    parameters: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    largest: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    total: Pair | None = None
    kernel: Pair | None = None


def read_fit(table: Table, path: Path, folder: Path) -> Fit:
    """The fit in a device's file, else in the file of its name in `folder`. UsageError for what is wrong in it."""
    beside = folder / path.name
    if "fitted" in table or not path.is_relative_to(folder.parent) or not beside.is_file():
        return _fit(table, str(path))
    return _fit(read_toml(beside), str(beside))


def merge_fits(chain: Sequence[tuple[Fit, bool]], folder: Path) -> dict[str, object]:
    """Fields of DeviceProfile from the farthest ancestor to the device; a flag says which fits are of architectures.
    What the nearer one states wins, parameter by parameter."""
    common = folder / f"{PRIOR}.toml"
    fits = [(_fit(read_toml(common), str(common)), True)] if common.is_file() else []
    parameters: dict[str, dict[str, float]] = {}
    for fit, _ in [*fits, *chain]:
        for precision, values in fit.parameters.items():
            parameters[precision] = {**parameters.get(precision, {}), **values}
    own = [fit for fit, is_architecture in chain if not is_architecture]
    largest = {precision: sizes for fit in own for precision, sizes in fit.largest.items()}
    return {
        "fitted": parameters,
        "fitted_precisions": frozenset(p for fit in own for p, rows in fit.rows.items() if rows),
        "largest_kernels": largest,
        "total_factors": _last([fit.total for fit, _ in [*fits, *chain]]),
        "kernel_factors": _last([fit.kernel for fit, _ in [*fits, *chain]]),
    }


def _last(pairs: Sequence[Pair | None]) -> Pair | None:
    return next((pair for pair in reversed(pairs) if pair is not None), None)


def _fit(table: Table, file: str) -> Fit:
    fitted, intervals = table_of(table, "fitted", file), table_of(table, "intervals", file)
    tables = {precision: table_of(fitted, precision, f"{file}, fitted") for precision in fitted}
    largest = table_of(table, "largest", file)
    sizes = {precision: table_of(largest, precision, f"{file}, largest") for precision in largest}
    return Fit(
        {name: _parameters(values, f"{file}, fitted.{name}") for name, values in tables.items()},
        {name: _rows(values, f"{file}, fitted.{name}") for name, values in tables.items()},
        {name: _parameters(values, f"{file}, largest.{name}") for name, values in sizes.items()},
        _pair(intervals, "total", f"{file}, intervals"),
        _pair(intervals, "kernel", f"{file}, intervals"),
    )


def _parameters(table: Table, where: str) -> dict[str, float]:
    return {key: _positive(key, value, where) for key, value in table.items() if key != "rows"}


def _positive(key: str, value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        refuse(where, key, value, "a number above 0")
    return float(value)


def _rows(table: Table, where: str) -> int:
    rows = table.get("rows", 0)
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 0:
        refuse(where, "rows", rows, "a whole number of at least 0")
    return rows


def _pair(table: Table, key: str, where: str) -> Pair | None:
    match table.get(key):
        case None:
            return None
        case [int() | float() as low, int() | float() as high] if 0 < low <= high:
            return float(low), float(high)
        case given:
            return refuse(where, key, given, "a pair of factors such as [0.8, 1.3]")
