"""Runtimes as data: which passes turn a graph into the kernels of TensorRT 8.2, and which cost models price them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from graphcost.errors import UnknownName, UsageError
from graphcost.toml_files import Table, files_of, read_toml, table_of, text_of, texts_of

FOLDER = Path(__file__).parent / "runtimes"

Mode = Literal["inference", "training"]
MODES: tuple[Mode, ...] = get_args(Mode)

Precision = Literal["fp32", "tf32", "fp16", "int8", "best", "as-exported"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

Version = tuple[int, ...]
Stages = Mapping[str, tuple[str, ...]]  # anchor -> pass specs, in the order of the run

_STANDING = frozenset({"pytorch"})
"""Families whose bare name is a runtime too: that of any newer version than those that are listed."""

_VERSIONED = re.compile(r"(?P<family>[a-z]+)-(?P<version>\d{1,4}(?:\.\d{1,4}){0,3})")


@dataclass(frozen=True)
class Runtime:
    """A named pipeline and the cost models that price what it makes."""

    name: str  # "tensorrt-8.2"
    title: str
    default_precision: Precision
    precisions: tuple[Precision, ...]
    modes: tuple[Mode, ...]
    cost_models: tuple[str, ...]
    stages: Mapping[Mode, Stages] = field(compare=False, repr=False)
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @property
    def family(self) -> str:
        """The name without its version: "tensorrt"."""
        return _family_and_version(self.name)[0]

    @property
    def version(self) -> Version | None:
        """(8, 2), or None for a runtime without versions."""
        return _family_and_version(self.name)[1] or None

    def pipeline(self, mode: Mode = "inference") -> str:
        """The pipeline as text, its anchors in order: "import[],canonical[fold-shapes,dce],..."."""
        if mode not in self.modes:
            raise UnknownName(f"mode of {self.name}", mode, self.modes)
        return ",".join(f"{anchor}[{','.join(passes)}]" for anchor, passes in self.stages[mode].items())


def parse_precision(text: str) -> Precision:
    """One of PRECISIONS; case does not count."""
    for precision in PRECISIONS:
        if precision == text.strip().lower():
            return precision
    raise UnknownName("precision", text, PRECISIONS)


def parse_mode(text: str) -> Mode:
    """One of MODES; case does not count."""
    for mode in MODES:
        if mode == text.strip().lower():
            return mode
    raise UnknownName("mode", text, MODES)


def list_runtimes() -> list[str]:
    """Names of all runtimes, older versions first. A file named as a family that has versions is their base."""
    files = files_of(FOLDER)
    bases = {name.partition("-")[0] for name in files if _VERSIONED.fullmatch(name)} - _STANDING
    return sorted((name for name in files if name not in bases), key=_family_and_version)


def load_runtime(text: str, default_version: str | None = None) -> Runtime:
    """The runtime that `text` names: "onnx", "tensorrt-8.2", "tensorrt-8" (its newest), "tensorrt" (`default_version`,
    else the newest). A version that is not modelled becomes the nearest one, with a warning. UnknownName otherwise."""
    asked, names = text.strip().lower(), list_runtimes()
    if asked in names:
        return _runtime(asked)
    versions = [version for family, version in map(_family_and_version, names) if family == asked and version]
    if versions:
        return load_runtime(f"{asked}-{default_version or _dotted(versions[-1])}")
    family, wanted = _family_and_version(asked)
    known = [version for name in names for of, version in [_family_and_version(name)] if of == family and version]
    if not wanted or not known:
        raise UnknownName("runtime", text, names)
    return _nearest_runtime(family, wanted, known)


def _nearest_runtime(family: str, wanted: Version, known: list[Version]) -> Runtime:
    nearest = _nearest(wanted, known)
    name = f"{family}-{_dotted(nearest)}"
    if _is_exact(wanted, nearest):
        return _runtime(name)
    asked = f"{family}-{_dotted(wanted)}"
    return _runtime(name, (f"{asked} is not modelled: {name} is the nearest version and is used instead",))


def _family_and_version(name: str) -> tuple[str, Version]:
    """("tensorrt", (8, 2)); no version for "onnx"."""
    match = _VERSIONED.fullmatch(name)
    return (match["family"], tuple(map(int, match["version"].split(".")))) if match else (name, ())


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def _is_exact(wanted: Version, found: Version) -> bool:
    """A bare major stands for its newest, a patch release for its minor version."""
    shared = min(len(wanted), len(found))
    return wanted[:shared] == found[:shared]


def _nearest(wanted: Version, known: list[Version]) -> Version:
    """The newest of a bare major; else whichever neighbour is closer by major, then by minor version."""
    same_major = [version for version in known if version[0] == wanted[0]]
    if len(wanted) == 1 and same_major:
        return same_major[-1]
    wanted = (*wanted, 0)[:2]
    at = bisect_right(known, wanted)
    return min(known[max(at - 1, 0) : at + 1], key=lambda version: [abs(a - b) for a, b in zip(version, wanted)])


def _runtime(name: str, warnings: tuple[str, ...] = ()) -> Runtime:
    file = str(FOLDER / f"{name}.toml")
    table = _inherited(name)
    modes = tuple(parse_mode(mode) for mode in _texts(table, "modes", file))
    return Runtime(
        name=name,
        title=text_of(table, "title", file) or name,
        default_precision=parse_precision(text_of(table, "default_precision", file) or "as-exported"),
        precisions=tuple(parse_precision(precision) for precision in _texts(table, "precisions", file)),
        modes=modes,
        cost_models=_texts(table, "cost_models", file),
        stages={mode: _stages(table, mode, file) for mode in modes},
        warnings=warnings,
    )


def _inherited(name: str) -> Table:
    """The file's table over that of the file it inherits; pipelines are merged anchor by anchor."""
    own = read_toml(FOLDER / f"{name}.toml")
    parent = text_of(own, "inherits", name)
    if parent is None:
        return own
    base = _inherited(parent)
    pipelines = {key: {**table_of(base, key, parent), **table_of(own, key, name)} for key in _pipeline_keys(base, own)}
    return {**base, **own, **pipelines}


def _pipeline_keys(*tables: Table) -> set[str]:
    return {key for table in tables for key in table if key.partition("-")[0] == "pipeline"}


def _stages(table: Table, mode: Mode, file: str) -> Stages:
    """`[pipeline]`, with what `[pipeline-training]` changes in it when training."""
    merged = {**table_of(table, "pipeline", file), **table_of(table, f"pipeline-{mode}", file)}
    return {anchor: _texts(merged, anchor, f"{file}, pipeline") for anchor in merged}


def _texts(table: Table, key: str, file: str) -> tuple[str, ...]:
    texts = texts_of(table, key, file)
    if texts is None:
        raise UsageError(f"{file}: {key} must be stated or inherited")
    return texts
