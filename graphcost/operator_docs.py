"""The page about operators, made from the formulas themselves: `graphcost operators -o docs/operators.md`.

A formula's docstring begins with its count, in which `{name}` stands for a number of that operator; a clause (between
semicolons) whose number is 0 is left out. A paragraph that begins with "Not counted:" says what the count leaves out.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from . import work
from .errors import UnknownName
from .work.control import CONTROL

if TYPE_CHECKING:
    from .render.columns import Screen

_NOT_COUNTED = "Not counted:"
_HANGING = 6
_DOMAINS = ("ai.onnx", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training", "com.microsoft")

_HEAD = """\
# Operators

What graphcost counts for each operator. This page is made from the formulas (`make docs`); a plug-in adds operators of
its own. A bare number is elementwise operations; multiply-adds are named.

{conventions}

Not counted anywhere: moving data between formats or devices, what a runtime repeats or spares by another algorithm,
and attributes, which are part of the program. A node that has no formula is listed in the report's `unknown`, with the
bytes of its border, and lowers the coverage.
"""


@dataclass(frozen=True, order=True, slots=True)
class Entry:
    """One operator: `count` is what its formula says first, `not_counted` what it leaves out, if anything."""

    domain: str
    name: str
    count: str
    not_counted: str


def operators() -> list[Entry]:
    """Every operator that has a formula, by domain and name."""
    formulas: Mapping[str, Callable[..., Any]] = {**work.WORK, **CONTROL}
    return sorted(_entry(name, formula) for name, formula in formulas.items())


def _entry(name: str, formula: Callable[..., Any]) -> Entry:
    domain, _, op_type = name.rpartition(".")
    paragraphs = _paragraphs(formula)
    left_out = next((text for text in paragraphs if text.startswith(_NOT_COUNTED)), "")
    count = _filled(paragraphs[0], _numbers(formula))
    return Entry("ai.onnx" if domain == "onnx" else domain, op_type, count, left_out[len(_NOT_COUNTED) :].strip())


def _filled(count: str, numbers: Mapping[str, int]) -> str:
    """The count with its numbers, without the clauses that say 0."""
    absent = [f"{{{name}}}" for name, number in numbers.items() if number == 0]
    clauses = [clause for clause in count.rstrip(".").split("; ") if not any(name in clause for name in absent)]
    return "; ".join(clauses).format_map(numbers) + "."


def _paragraphs(formula: Callable[..., Any]) -> list[str]:
    """The documentation of a formula; of one that a function makes, that function's."""
    text = inspect.getdoc(formula) or inspect.getdoc(_maker(formula)) or ""
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def _maker(formula: Callable[..., Any]) -> Callable[..., Any] | None:
    found: Callable[..., Any] | None = getattr(
        sys.modules[formula.__module__], formula.__qualname__.partition(".")[0], None
    )
    return found


def _numbers(formula: Callable[..., Any]) -> Mapping[str, int]:
    """The numbers with which a formula was made."""
    return {name: value for name, value in inspect.getclosurevars(formula).nonlocals.items() if isinstance(value, int)}


def markdown() -> str:
    """The page: a table for each domain; operators that count alike share a row."""
    conventions = (inspect.getdoc(work) or "").partition("Conventions\n")[2]
    by_domain = {domain: list(entries) for domain, entries in groupby(operators(), lambda entry: entry.domain)}
    ordered = sorted(by_domain, key=lambda domain: (*(domain != d for d in _DOMAINS), domain))
    sections = (_section(domain, by_domain[domain]) for domain in ordered)
    return "\n".join([_HEAD.format(conventions=conventions.strip()), *sections])


def _section(domain: str, entries: Iterable[Entry]) -> str:
    alike: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        alike.setdefault((entry.count, entry.not_counted), []).append(entry.name)
    rows = (f"| {', '.join(names)} | {_cell(count)} | {_cell(out)} |\n" for (count, out), names in alike.items())
    return f"## {domain}\n\n| operator | what it takes | not counted |\n|---|---|---|\n{''.join(rows)}"


def table(like: str = "", screen: Screen | None = None) -> str:
    """Name and count of each operator whose name holds `like`, one a line; in a terminal the counts are folded.
    UnknownName where there is none."""
    from .render.columns import PLAIN, fold

    known = operators()
    found = [entry for entry in known if like.lower() in f"{entry.domain}.{entry.name}".lower()]
    if not found:
        raise UnknownName("operator", like, (entry.name for entry in known), see="graphcost operators")
    width = max(len(f"{entry.domain}.{entry.name}") for entry in found)
    lines = (f"{f'{entry.domain}.{entry.name}':<{width}}  {entry.count}" for entry in found)
    return "".join(f"{part}\n" for line in lines for part in fold(line, screen or PLAIN, _HANGING))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
