"""Instruments: what watches a pipeline. Each prints or writes where it is told to; the pipeline knows none of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TextIO

from .files import make_folder, write_atomic
from .ir import Graph
from .pipeline import Change, Instrument, Pass
from .text import print_graph


@dataclass
class Timing(Instrument):
    """How long each pass took, verification included, in order."""

    seconds: list[tuple[str, float]] = field(default_factory=list)
    _began: float = 0.0

    def before(self, step: Pass, graph: Graph) -> None:
        self._began = time.perf_counter()

    def after(self, step: Pass, graph: Graph, change: Change) -> None:
        self.seconds.append((step.name, time.perf_counter() - self._began))

    def lines(self) -> list[str]:
        """A table: milliseconds and share of each pass, then the sum."""
        total = sum(seconds for _, seconds in self.seconds)
        rows = [f"{s * 1e3:9.2f} ms  {s / total if total else 0:6.1%}  {name}" for name, s in self.seconds]
        return [*rows, f"{total * 1e3:9.2f} ms          total"]


@dataclass
class DumpEach(Instrument):
    """Writes the graph after each pass as `003-fold-shapes.gcir` into a folder."""

    folder: Path
    target: str | None = None
    _number: int = 0

    def after(self, step: Pass, graph: Graph, change: Change) -> None:
        self._number += 1
        path = self.folder / f"{self._number:03d}-{step.name}.gcir"
        make_folder(self.folder)
        write_atomic(path, print_graph(graph, target=self.target))


@dataclass
class PrintChanged(Instrument):
    """Prints the graph after each pass that changed it. The epoch tells, not the word of the pass."""

    stream: TextIO
    _epoch: int = 0

    def before(self, step: Pass, graph: Graph) -> None:
        self._epoch = graph.epoch

    def after(self, step: Pass, graph: Graph, change: Change) -> None:
        if graph.epoch != self._epoch:
            print(f"; ---- after {step.name}: {change.count} changes\n{print_graph(graph)}", file=self.stream)


class OnnxNode(NamedTuple):
    """A node of the file and the tensors that it makes."""

    name: str
    outputs: tuple[str, ...]


@dataclass
class OnnxNodes(Instrument):
    """Remembers the nodes of the graph as they were before the first pass, in the order of execution."""

    nodes: list[OnnxNode] = field(default_factory=list)

    def before(self, step: Pass, graph: Graph) -> None:
        if not self.nodes:
            self.nodes = [OnnxNode(node.name, tuple(value.name for value in node.results)) for node in graph]
