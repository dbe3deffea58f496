"""Find a device by name, alias or file, and choose its power mode: `load_device("orin-nano@15W")`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from graphcost.device_files import FOLDER, DeviceFile, profile, read_device_file
from graphcost.device_profile import NUMERIC_TYPES, DeviceProfile, NumericType, Unit
from graphcost.errors import UnknownName, UsageError
from graphcost.toml_files import files_of

__all__ = [
    "NUMERIC_TYPES", "DeviceEntry", "DeviceProfile", "NumericType", "Unit", "list_devices", "load_device", "modes_of",
]  # fmt: skip

_SEE = "graphcost devices"
_ONLY_MODE = "default"  # of a user's file that has no modes at all


@dataclass(frozen=True)
class DeviceEntry:
    """A line of `graphcost devices`; the default mode's profile carries the numbers."""

    id: str
    aliases: tuple[str, ...]
    title: str
    modes: tuple[str, ...]
    default_mode: str
    shipped_mode: str | None
    profiles: tuple[DeviceProfile, ...]  # one a mode, in the order of `modes`


def load_device(text: str) -> DeviceProfile:
    """The device that `text` names: an id, an alias or a path to a .toml, with an optional @MODE (case does not count).

    UnknownName lists near names; UsageError says in one sentence what is wrong in a file.
    """
    name, mode = _split(text)
    if "," in name and not _is_path(name):
        raise UsageError(f"'{text}' is a list of devices: one is taken here (`graphcost analyze` compares several)")
    file = _file(name)
    return profile(file, _mode(file, mode), reference=name if _is_path(name) else file.id)


def modes_of(text: str) -> list[str]:
    """The power modes of the device that `text` names, the default one with a `*`; errors as of `load_device`."""
    file = _file(_split(text)[0])
    return [f"{mode}*" if mode == _default_mode(file) else mode for mode in file.mode_names()]


def list_devices() -> list[DeviceEntry]:
    """All devices that come with graphcost, by id."""
    return [_entry(read_device_file(path)) for path in files_of(FOLDER).values()]


def _split(text: str) -> tuple[str, str | None]:
    """Name and mode; an @ inside a path is not a mode."""
    name, at, mode = text.rpartition("@")
    if not at or _is_path(text):
        return text.strip(), None
    return name.strip(), mode.strip()


def _file(name: str) -> DeviceFile:
    return read_device_file(Path(name) if _is_path(name) else _known_file(name))


def _is_path(name: str) -> bool:
    return name.strip().lower().endswith(".toml")


def _known_file(name: str) -> Path:
    """The file of an id or alias. An id is its file's name, so that only an alias has to search."""
    wanted = name.lower()
    files = files_of(FOLDER)
    if wanted in files:
        return files[wanted]
    for path in files.values():
        if f'"{wanted}"' in path.read_text(encoding="utf-8") and wanted in read_device_file(path).aliases:
            return path
    raise UnknownName("device", name, _names(), see=_SEE)


def _names() -> list[str]:
    """Ids, then aliases, so that near ids come first."""
    entries = [read_device_file(path) for path in files_of(FOLDER).values()]
    return [entry.id for entry in entries] + [alias for entry in entries for alias in entry.aliases]


def _mode(file: DeviceFile, asked: str | None) -> str:
    modes = file.mode_names()
    if asked is None:
        return _default_mode(file)
    for mode in modes or [_ONLY_MODE]:
        if mode.lower() == asked.lower():
            return mode
    raise UnknownName(f"power mode of {file.id}", asked, modes or [_ONLY_MODE])


def _default_mode(file: DeviceFile) -> str:
    """The stated default, else the only mode there is."""
    modes = file.mode_names()
    stated = file.default() or (modes[0] if len(modes) == 1 else None)
    if stated is None and modes:
        raise UsageError(f"{file.path}: default_mode must be one of {', '.join(modes)}")
    return stated or _ONLY_MODE


def _entry(file: DeviceFile) -> DeviceEntry:
    modes = tuple(file.mode_names())
    return DeviceEntry(
        id=file.id,
        aliases=file.aliases,
        title=file.title,
        modes=modes,
        default_mode=_default_mode(file),
        shipped_mode=file.shipped(),
        profiles=tuple(profile(file, mode, reference=file.id) for mode in modes),
    )
