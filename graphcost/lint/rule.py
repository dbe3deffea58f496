"""What a rule is. Its docstring is its documentation; its fields are its thresholds, each with a source."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Node

from .finding import Finding, Severity
from .subject import Subject


@dataclass(frozen=True)
class Rule(ABC):
    """One kind of hazard. A subclass is a frozen dataclass: `name` in kebab-case, `severity` unless a finding says
    otherwise, `help` why it is a hazard and who says so."""

    name: ClassVar[str]
    severity: ClassVar[Severity] = "warning"
    help: ClassVar[str]

    @abstractmethod
    def find(self, subject: Subject) -> Iterator[Finding]:
        """The findings of this rule; a hazard that repeats is one finding with many nodes."""

    def finding(self, nodes: Iterable[Node], hazard: str, mitigation: str, severity: Severity | None = None) -> Finding:
        names = tuple(dict.fromkeys(node.name for node in nodes))
        return Finding(self.name, severity or self.severity, names, hazard, mitigation, self.help)


def count_of(number: int, noun: str) -> str:
    """`1 node`, `1,234 nodes`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Iterable[str], most: int = 6) -> str:
    """Different names in the order in which they come, the rest left out: `Pow, Sqrt, …`."""
    found = list(dict.fromkeys(name.removeprefix("onnx.") for name in names))
    return ", ".join(found[:most]) + (", …" if len(found) > most else "")


def percent(part: float) -> str:
    """0.1234 -> "12.3 %"."""
    return f"{100 * part:.1f} %"


def mebibytes(bytes_: int) -> str:
    """`1.5 MiB`; what is less than a tenth of one is shown in KiB."""
    return f"{bytes_ / 2**20:.1f} MiB" if bytes_ >= 2**20 / 10 else f"{bytes_ / 2**10:.1f} KiB"
