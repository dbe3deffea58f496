"""The table of operators, read from the package's data file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

Release = tuple[int, int]
Types = frozenset[str]

FILE = Path(__file__).parent / "tensorrt_operators.csv"

ANY: Types = frozenset({"any"})
"""Imported, and the release does not say for which types."""

NONE: Types = frozenset()
"""Not imported."""


@dataclass(frozen=True)
class Table:
    """For each operator, the element types with which it is imported (as TensorRT spells them), by release."""

    releases: tuple[Release, ...]
    rows: Mapping[str, tuple[Types, ...]]

    def column(self, version: tuple[int, ...]) -> int | None:
        """Index of the newest release that is not younger than `version`; None where all of them are."""
        older = [index for index, release in enumerate(self.releases) if release <= version]
        return older[-1] if older else None


@cache
def load_table() -> Table:
    """The table of the package."""
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    heading, *rows = [line.split(",") for line in lines]
    return Table(tuple(map(_release, heading[1:])), {operator: _filled(cells) for operator, *cells in rows})


def _release(text: str) -> Release:
    major, minor = text.split(".")
    return int(major), int(minor)


def _filled(cells: list[str]) -> tuple[Types, ...]:
    """The types in each cell; an empty cell is like the one to its left."""
    found: list[Types] = []
    for cell in cells:
        found.append(_types(cell) if cell else found[-1])
    return tuple(found)


def _types(cell: str) -> Types:
    return {"no": NONE, "yes": ANY}.get(cell, frozenset(cell.split()))
