"""Which formats each kernel reads and writes, so that kernels and the reformats between them are cheapest together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np

from graphcost.formats import is_relabeling
from graphcost.ir import Graph, Node, Value
from graphcost.kernels import precision_of
from graphcost.types import TensorType

from ..values import is_output
from .elimination import Costs, Problem
from .ports import activations, is_activation, is_image, is_residual, reads_dtype, stored, writes_dtype


class Candidate(NamedTuple):
    """A way to run a node: formats, cost in any unit that reformats share, and the tactic where one is known."""

    reads: str
    writes: str
    cost: float = 0.0
    tactic: str | None = None
    precision: str | None = None
    """Where it is another than the node's own."""


Step: TypeAlias = "tuple[TensorType, TensorType]"
"""A tensor as it is written, and as it is wanted."""

StepCosts: TypeAlias = "Callable[[Sequence[Step]], Sequence[float]]"
"""What each step costs; asked once, about all that move bytes."""

_NOOP = 1e-6
"""What a relabeling costs, a nanosecond or nothing by the unit: of ways that are equally fast, the one with fewer NoOps
is taken (inferred: to TensorRT they cost nothing, and layer lists show few)."""

Layout: TypeAlias = "tuple[str, str]"
"""Element type and format."""


def choose(
    graph: Graph, candidates: Mapping[Node, Sequence[Candidate]], step_costs: StepCosts
) -> dict[Node, Candidate]:
    """One candidate for each node. Ties go to the first; deterministic; time grows linearly with the nodes of networks
    whose branches are few at a time."""
    own = {node: precision_of(node) for node in candidates}
    edges = [_edge(value, candidates, own) for value in graph.values() if is_activation(value)]
    steps = [(edge, pair, step) for edge in edges for pair, step in edge.steps()]
    relabelings = dict.fromkeys((step for _, _, step in steps if is_relabeling(*step)), _NOOP)
    asked = list(dict.fromkeys(step for _, _, step in steps if step not in relabelings))  # many are alike
    costs = {**relabelings, **dict(zip(asked, step_costs(asked)))}
    for edge, pair, step in steps:
        edge.costs[pair] = costs[step]
    return _Choice(candidates).run(edges)


def stands(node: Node, found: Candidate) -> bool:
    """Whether the types around a node are those of a candidate already."""
    own = precision_of(node)
    reads = (_wanted(node, slot, value, [found], own)[0] == _now(value) for slot, value in activations(node))
    return all(reads) and all(_written(v, node, [found], own)[0] == _now(v) for v in node.results if is_activation(v))


def _now(value: Value) -> Layout:
    assert isinstance(value.type, TensorType)
    return value.type.dtype, value.type.format


def _placed(value: Value, dtype: str, layout: str) -> Layout:
    """Only images have other formats than linear."""
    return dtype, (layout if is_image(value.type) else "linear")


def _wanted(node: Node, slot: int, value: Value, ways: Sequence[Candidate], own: str) -> list[Layout]:
    """What each candidate of a reader wants, whose own precision is given: finding it costs as much as the reader has
    operands."""
    dtypes = {asked: reads_dtype(node, slot, value, asked or own) for asked in {way.precision for way in ways}}
    residual = is_residual(node, slot)
    return [_placed(value, dtypes[way.precision], way.writes if residual else way.reads) for way in ways]


def _written(value: Value, maker: Node, ways: Sequence[Candidate], own: str) -> list[Layout]:
    """What each candidate of the producer writes."""
    dtypes = {asked: writes_dtype(maker, value, asked or own) for asked in {way.precision for way in ways}}
    return [_placed(value, dtypes[way.precision], way.writes) for way in ways]


@dataclass(frozen=True)
class _Edge:
    """A value: how it may be written, by the candidates of its producer, and how each reader wants it, by the reader's
    candidates. An output of the network is wanted as it was declared. `costs` is what it takes to go from one to the
    other, where that is not free."""

    value: Value
    maker: Node | None
    written: Sequence[Layout]
    readers: Sequence[Node]
    wanted: Sequence[Sequence[Layout]]
    declared: Layout | None
    costs: dict[tuple[Layout, Layout], float] = field(default_factory=dict)

    def steps(self) -> Iterator[tuple[tuple[Layout, Layout], Step]]:
        """The ways from one layout to another."""
        kind = self.value.type
        assert isinstance(kind, TensorType)
        targets = dict.fromkeys(layout for layouts in self.wanted for layout in layouts)
        if self.declared is not None:
            targets[self.declared] = None
        types = {layout: stored(kind, *layout) for layout in dict.fromkeys((*self.written, *targets))}
        for made in dict.fromkeys(self.written):
            for other in targets:
                if made != other:
                    yield (made, other), (types[made], types[other])

    def price(self, made: Layout, wanted: Layout) -> float:
        return self.costs.get((made, wanted), 0.0)

    def table(self, wanted: Sequence[Layout]) -> Costs:
        return np.array([[self.price(made, other) for other in wanted] for made in self.written])


def _edge(value: Value, candidates: Mapping[Node, Sequence[Candidate]], own: Mapping[Node, str]) -> _Edge:
    maker = value.producer if value.producer in candidates else None
    written = [_now(value)] if maker is None else _written(value, maker, candidates[maker], own[maker])
    uses = [(node, slot) for node, slot in value.uses if node in candidates]
    wanted = [_wanted(node, slot, value, candidates[node], own[node]) for node, slot in uses]
    return _Edge(value, maker, written, [node for node, _ in uses], wanted, _now(value) if is_output(value) else None)


@dataclass
class _Choice:
    candidates: Mapping[Node, Sequence[Candidate]]
    problem: Problem = field(default_factory=Problem)
    variables: dict[Node, int] = field(default_factory=dict)

    def run(self, edges: Sequence[_Edge]) -> dict[Node, Candidate]:
        for node, ways in self.candidates.items():
            if len(ways) > 1:
                self.variables[node] = self.problem.variable([way.cost for way in ways])
        for edge in edges:
            if edge.costs:
                self._connect(edge)
        states = self.problem.solve()
        taken = {node: states[number] for node, number in self.variables.items()}
        return {node: ways[taken.get(node, 0)] for node, ways in self.candidates.items()}

    def _connect(self, edge: _Edge) -> None:
        """Reformats between who writes a value and who reads it."""
        maker = None if edge.maker is None else self.variables.get(edge.maker)
        if edge.declared is not None:
            self._add(maker, None, edge.table([edge.declared]))
        if len(edge.readers) == 1:
            self._add(maker, self.variables.get(edge.readers[0]), edge.table(edge.wanted[0]))
        elif edge.readers:
            self._share(maker, edge)

    def _share(self, maker: int | None, edge: _Edge) -> None:
        """Several readers may share one reformat: a variable says which other layout, if any, they find."""
        kinds = dict.fromkeys(layout for layouts in edge.wanted for layout in layouts)
        found = [(made, other) for made in dict.fromkeys(edge.written) for other in dict.fromkeys((made, *kinds))]
        common = self.problem.variable([edge.price(*pair) for pair in found])
        match = [[0.0 if made == layout else np.inf for made, _ in found] for layout in edge.written]
        self._add(maker, common, np.array(match))
        for reader, wanted in zip(edge.readers, edge.wanted):
            own = [[0.0 if other == layout else edge.price(made, layout) for layout in wanted] for made, other in found]
            self._add(common, self.variables.get(reader), np.array(own))

    def _add(self, a: int | None, b: int | None, costs: Costs) -> None:
        """Costs by the states of two variables; of what is given (an input, an output, a kernel that can run in one way
        only) there is one state."""
        if a is not None and b is not None:
            self.problem.add((a, b), costs)
        elif a is not None or b is not None:
            self.problem.add((a if a is not None else b,), costs.reshape(-1))  # type: ignore[arg-type]
