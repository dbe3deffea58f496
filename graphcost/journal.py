"""The journal of a run: what passes did, what they refused and why, what fell back to a wider type, and which
work they took away.

Entries are keyed by the names of ONNX nodes, so that `explain` can speak of nodes that rewriting has removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from .ir import Node
from .origin import Origin
from .work.node import Work


@dataclass(frozen=True, slots=True)
class Did:
    """A rule changed the program here: `text` says how."""

    rule: str
    origins: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule was tried here and did not apply: `reason` says why."""

    rule: str
    origins: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class FellBack:
    """A node computes in a wider type than `asked`, a type that the user, the network or its Q/DQ ask for: `reason`
    says why. The only place that knows: the report and `explain` read it here."""

    rule: str
    origins: tuple[str, ...]
    asked: str
    reason: str


@dataclass(frozen=True, slots=True)
class Removed:
    """Work that will not be done. `origins` are the nodes it belonged to; those that no kernel stands for any more
    are the eliminated nodes of the report."""

    origins: tuple[Origin, ...]
    reason: str
    work: Work


Entry: TypeAlias = "Did | Refused | FellBack | Removed"


@dataclass
class Journal:
    """Append-only. `note` is a warning that the report shows."""

    did_: list[Did] = field(default_factory=list)
    refused_: list[Refused] = field(default_factory=list)
    fell_back_: list[FellBack] = field(default_factory=list)
    removed_: list[Removed] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def did(self, rule: str, node: Node, text: str) -> None:
        self.did_.append(Did(rule, _names(node), text))

    def refused(self, rule: str, node: Node, reason: str) -> None:
        self.refused_.append(Refused(rule, _names(node), reason))

    def fell_back(self, rule: str, node: Node, asked: str, reason: str) -> None:
        self.fell_back_.append(FellBack(rule, _names(node), asked, reason))

    def removed(self, origins: Iterable[Origin], reason: str, work: Work) -> None:
        self.removed_.append(Removed(tuple(origins), reason, work))

    def warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def about(self, name: str) -> Iterator[Entry]:
        """Every entry that concerns an ONNX node, by kind: what was refused, what fell back, was done, removed."""
        yield from (entry for entry in self.refused_ if name in entry.origins)
        yield from (entry for entry in self.fell_back_ if name in entry.origins)
        yield from (entry for entry in self.did_ if name in entry.origins)
        yield from (entry for entry in self.removed_ if any(o.name == name for o in entry.origins))

    def work_removed(self) -> Work:
        return sum((entry.work for entry in self.removed_), Work())


def _names(node: Node) -> tuple[str, ...]:
    return tuple(origin.name for origin in node.origin)
