"""What tests of passes share: a context to run them in, and golden files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from graphcost.cost import estimate_all
from graphcost.ir import Graph
from graphcost.journal import Journal
from graphcost.pipeline import Analyses, Context, Pass, Pipeline, Stage
from graphcost.plugin import Registry, load_registry
from graphcost.spec import parse_passes
from graphcost.target import Target, make_target, parse_target_header
from graphcost.text import parse_graph, parse_target

GOLDEN = Path(__file__).parent / "golden"


@cache
def registry() -> Registry:
    """Every installed plug-in and the built-in tables of operators."""
    return load_registry()


def make_context(graph: Graph, target: Target | None = None) -> Context:
    """What a pass is given; without a target nothing is said of a device."""
    chosen = target or make_target()
    analyses = Analyses(graph, registry().operators)
    return Context(chosen, analyses, Journal(), lambda queries: estimate_all(queries, chosen.device, ()))


@dataclass(frozen=True)
class Golden:
    """A golden file, read: what to run, on which graph, and what must come out."""

    path: Path
    passes: tuple[Pass, ...]
    target: Target
    before: str
    wanted: str

    @staticmethod
    def read(path: Path) -> Golden:
        text = path.read_text(encoding="utf-8")
        spec = re.match(r"; run: (.+)", text)
        assert spec, f"{path} does not begin with '; run: PASSES'"
        before, _, wanted = text.partition("\n; ----")
        header = parse_target(before)
        target = parse_target_header(header) if header else make_target()
        return Golden(path, parse_passes(spec[1], registry().passes), target, before, wanted)

    def graph(self) -> Graph:
        """The graph before."""
        graph = parse_graph(self.before)
        graph.verify()
        return graph

    def run(self, graph: Graph | None = None) -> tuple[Graph, Journal]:
        """What the passes make of it (or of another graph), every promise checked."""
        graph = self.graph() if graph is None else graph
        ctx = make_context(graph, self.target)
        Pipeline((Stage("", self.passes),), paranoid=True).run(graph, ctx)
        return graph, ctx.journal
