"""Device files: TOML with inheritance, read into a DeviceProfile with one power mode applied.

A file names what it inherits (another device, an architecture such as "sm_87", or a .toml beside it), states numbers
with units in their names, and has a table for each power mode. The nearer file wins: what a file says at its top also
overrides the modes that it inherits. "unknown" takes a number back. Every number has a source: `source` speaks for all
numbers of its table, `[sources]` for single fields of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

from graphcost.device_fit import Fit, merge_fits, read_fit
from graphcost.device_profile import DeviceProfile
from graphcost.errors import UnknownName, UsageError
from graphcost.toml_files import Table, files_of, read_toml, refuse, table_of, text_of, texts_of

Value = float | str | tuple[int, int] | None

FOLDER = Path(__file__).parent / "devices"
ARCHITECTURES = FOLDER / "arch"
FITTED_FOLDER = FOLDER / "fitted"

_ABOUT = ("id", "title", "aliases", "inherits", "default_mode", "shipped_mode", "note", "source", "sources", "modes",
          "fitted", "largest", "intervals", "provenance")  # fmt: skip
_OF_MODE = ("note", "source")
_NOT_STATED = {
    "id", "title", "mode", "reference", "aliases", "note", "sources",
    "fitted", "fitted_precisions", "largest_kernels", "total_factors", "kernel_factors",
}  # fmt: skip
# Annotations are texts in that module: "int", "float | None", ...
_KINDS: Mapping[str, str] = {f.name: str(f.type) for f in fields(DeviceProfile) if f.name not in _NOT_STATED}
_REQUIRED = [f.name for f in fields(DeviceProfile) if f.name in _KINDS and f.default is MISSING]
_MAY_BE_ZERO = ("_per_clock_per_sm", "tensor_cores_per_sm", "ram_reserve_gib", "context_bytes")
_ABSURD = 1e15


@dataclass(frozen=True)
class Numbers:
    """The fields of one table, each with its source."""

    values: Mapping[str, Value]
    sources: Mapping[str, str]
    note: str


@dataclass(frozen=True)
class DeviceFile:
    """What one file says, checked; its parent's words are in its parent."""

    path: Path
    id: str
    title: str
    aliases: tuple[str, ...]
    default_mode: str | None
    shipped_mode: str | None
    numbers: Numbers
    modes: Mapping[str, Numbers]
    fit: Fit
    parent: DeviceFile | None

    def chain(self) -> Iterator[DeviceFile]:
        """This file and what it inherits, the farthest ancestor first."""
        if self.parent is not None:
            yield from self.parent.chain()
        yield self

    def mode_names(self) -> list[str]:
        """Modes of this file and of its ancestors, in the order in which they are written."""
        return list(dict.fromkeys(name for file in self.chain() for name in file.modes))

    def default(self) -> str | None:
        """The mode taken when none is asked for."""
        return self._nearest([file.default_mode for file in self.chain()])

    def shipped(self) -> str | None:
        """The mode in which the board leaves the factory, where known."""
        return self._nearest([file.shipped_mode for file in self.chain()])

    @staticmethod
    def _nearest(stated: list[str | None]) -> str | None:
        return next((mode for mode in reversed(stated) if mode is not None), None)


def read_device_file(path: Path, seen: tuple[Path, ...] = ()) -> DeviceFile:
    """Read a device file and all that it inherits. UsageError, in one sentence, for whatever is wrong in it."""
    if path.resolve() in seen:
        raise UsageError(f"{path} inherits from itself: {' -> '.join(p.name for p in (*seen, path))}")
    table = read_toml(path)
    inherits = text_of(table, "inherits", str(path))
    parent = None if inherits is None else read_device_file(_parent_path(inherits, path), (*seen, path.resolve()))
    return _checked(table, path, parent)


def _parent_path(inherits: str, child: Path) -> Path:
    if inherits.endswith(".toml"):
        return child.parent / inherits
    known = {**files_of(FOLDER), **files_of(ARCHITECTURES)}
    if inherits in known:
        return known[inherits]
    raise UnknownName(f"device in {child}, inherits =", inherits, known, see="graphcost devices")


def _checked(table: Table, path: Path, parent: DeviceFile | None) -> DeviceFile:
    file = str(path)
    numbers = _numbers(table, file, _ABOUT, table)
    modes = {name: _mode(table, name, file) for name in table_of(table, "modes", file)}
    device = DeviceFile(
        path=path,
        id=text_of(table, "id", file) or path.stem,
        title=text_of(table, "title", file) or path.stem,
        aliases=texts_of(table, "aliases", file) or (),
        default_mode=text_of(table, "default_mode", file),
        shipped_mode=text_of(table, "shipped_mode", file),
        numbers=numbers,
        modes=modes,
        fit=read_fit(table, path, FITTED_FOLDER),
        parent=parent,
    )
    _check_modes(device)
    return device


def _check_modes(device: DeviceFile) -> None:
    """Modes differ by more than case, and those that are referred to exist."""
    names = device.mode_names()
    for name in names:
        twin = next(other for other in names if other.lower() == name.lower())
        if twin != name:
            raise UsageError(f"{device.path}: modes.{name} and modes.{twin} differ in case only: use one spelling")
    for key, mode in (("default_mode", device.default_mode), ("shipped_mode", device.shipped_mode)):
        if mode is not None and mode not in names:
            refuse(str(device.path), key, mode, f"a mode of this device ({', '.join(names) or 'it has none'})")


def _mode(table: Table, name: str, file: str) -> Numbers:
    modes = table_of(table, "modes", file)
    return _numbers(table_of(modes, name, f"{file}, modes"), f"{file}, modes.{name}", _OF_MODE, table)


def _numbers(table: Table, where: str, about: tuple[str, ...], file_table: Table) -> Numbers:
    """The numeric fields of `table`; what the table does not source itself, the file's `[sources]` and `source` do."""
    values = {key: _value(key, value, where) for key, value in table.items() if key not in about}
    own = text_of(table, "source", where) if table is not file_table else None
    by_field = _sources(file_table, where)
    rest = text_of(file_table, "source", where) or where
    sources = {key: own or by_field.get(key) or rest for key in values}
    return Numbers(values, sources, text_of(table, "note", where) or "")


def _sources(file_table: Table, where: str) -> dict[str, str]:
    """The file's `[sources]`: one text a field."""
    table = table_of(file_table, "sources", where)
    for key in table:
        if key not in _KINDS:
            raise UnknownName(f"key in {where}, sources:", key, _KINDS)
    return {key: text_of(table, key, f"{where}, sources") or "" for key in table}


def _value(key: str, value: object, where: str) -> Value:
    kind = _KINDS.get(key)
    if kind is None:
        raise UnknownName(f"key in {where}:", key, [*_KINDS, *_ABOUT])
    if value == "unknown":
        return None
    if key == "compute_capability":
        return _pair(key, value, where)
    if kind.startswith("str"):
        return text_of({key: value}, key, where)
    return _number(key, value, where, whole=kind.startswith("int"))


def _number(key: str, value: object, where: str, *, whole: bool) -> float:
    zero = key.endswith(_MAY_BE_ZERO)
    what = f'{"a whole" if whole else "a"} number {"of at least" if zero else "above"} 0, nor "unknown"'
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        refuse(where, key, value, what)
    if not 0 <= value < _ABSURD or (value == 0 and not zero):  # a NaN compares as neither
        refuse(where, key, value, what)
    return value


def _pair(key: str, value: object, where: str) -> tuple[int, int]:
    match value:
        case [int(major), int(minor)] if major > 0 and minor >= 0:
            return major, minor
        case _:
            return refuse(where, key, value, "a pair such as [8, 7]")


def profile(file: DeviceFile, mode: str, reference: str) -> DeviceProfile:
    """The device in one of its modes: the chain of files applied from the farthest ancestor to the file itself."""
    values: dict[str, Value] = {}
    sources: dict[str, str] = {}
    notes: list[str] = []
    for layer in _layers(file, mode):
        values.update(layer.values)
        sources.update(layer.sources)
        notes += [layer.note] if layer.note else []
    missing = [key for key in _REQUIRED if values.get(key) is None]
    if missing:
        raise UsageError(f"{file.path}, mode {mode}: {', '.join(missing)} must be stated or inherited")
    sources = {key: source for key, source in sources.items() if values[key] is not None}
    about: dict[str, object] = {"id": file.id, "title": file.title, "mode": mode, "reference": reference}
    about["aliases"] = file.aliases
    about |= merge_fits([(layer.fit, layer.path.parent == ARCHITECTURES) for layer in file.chain()], FITTED_FOLDER)
    return DeviceProfile(**about, **values, note="; ".join(notes), sources=sources)  # type: ignore[arg-type]  # checked by key


def _layers(file: DeviceFile, mode: str) -> Iterator[Numbers]:
    for layer in file.chain():
        yield layer.numbers
        if mode in layer.modes:
            yield layer.modes[mode]
