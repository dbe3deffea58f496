"""Which formats each kernel reads and writes, so that kernels and the reformats between them are cheapest together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np

from graphcost.formats import is_relabeling
from graphcost.ir import Graph, Node, Value
from graphcost.types import TensorType

from .elimination import Costs, Problem
from .ports import activations, is_activation, is_residual, reads_dtype, stored, writes_dtype


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


class Port(NamedTuple):
    """One operand of a node."""

    node: Node
    slot: int

    def wants(self, value: Value, candidate: Candidate) -> TensorType:
        """The type that a candidate reads here."""
        assert isinstance(value.type, TensorType)
        dtype = reads_dtype(self.node, self.slot, value, candidate.precision)
        return stored(value.type, dtype, candidate.writes if is_residual(self.node, self.slot) else candidate.reads)


def stands(node: Node, found: Candidate) -> bool:
    """Whether the types around a node are those of a candidate already."""
    reads = all(Port(node, slot).wants(value, found) == value.type for slot, value in activations(node))
    return reads and all(_written_by(found, result) == result.type for result in node.results if is_activation(result))


def _written_by(found: Candidate, result: Value) -> TensorType:
    assert result.producer is not None and isinstance(result.type, TensorType)
    return stored(result.type, writes_dtype(result.producer, result, found.precision), found.writes)


def choose(
    graph: Graph, candidates: Mapping[Node, Sequence[Candidate]], step_costs: StepCosts
) -> dict[Node, Candidate]:
    """One candidate for each node. Ties go to the first; deterministic; time grows linearly with the nodes of networks
    whose branches are few at a time."""
    edges = [_edge(value, candidates) for value in graph.values() if is_activation(value)]
    steps = [step for step in dict.fromkeys(step for edge in edges for step in edge.steps()) if moves_bytes(*step)]
    return _Choice(candidates, dict(zip(steps, step_costs(steps)))).run(edges)


def moves_bytes(source: TensorType, target: TensorType) -> bool:
    return source != target and not is_relabeling(source, target)


@dataclass(frozen=True)
class _Edge:
    """A value: the types that it may be written in, by the candidates of its producer, and those that each reader
    wants, by the reader's candidates. An output of the network is wanted as it was declared."""

    maker: Node | None
    written: tuple[TensorType, ...]
    readers: tuple[Node, ...]
    wanted: tuple[tuple[TensorType, ...], ...]
    declared: TensorType | None

    def steps(self) -> Iterator[Step]:
        wanted = dict.fromkeys(kind for kinds in self.wanted for kind in kinds)
        for made in dict.fromkeys(self.written):
            yield from ((made, kind) for kind in wanted)
            if self.declared is not None:
                yield made, self.declared


def _edge(value: Value, candidates: Mapping[Node, Sequence[Candidate]]) -> _Edge:
    assert isinstance(value.type, TensorType)
    maker = value.producer if value.producer in candidates else None
    written = [_written_by(c, value) for c in candidates[maker]] if maker is not None else [value.type]
    ports = [Port(node, slot) for node, slot in value.uses if node in candidates]
    wanted = tuple(tuple(port.wants(value, c) for c in candidates[port.node]) for port in ports)
    return _Edge(
        maker, tuple(written), tuple(port.node for port in ports), wanted, value.type if _is_output(value) else None
    )


@dataclass
class _Choice:
    candidates: Mapping[Node, Sequence[Candidate]]
    costs: Mapping[Step, float]
    problem: Problem = field(default_factory=Problem)
    variables: dict[Node, int] = field(default_factory=dict)

    def run(self, edges: Sequence[_Edge]) -> dict[Node, Candidate]:
        for node, ways in self.candidates.items():
            self.variables[node] = self.problem.variable([way.cost for way in ways])
        for edge in edges:
            self._connect(edge)
        states = self.problem.solve()
        return {node: self.candidates[node][states[number]] for node, number in self.variables.items()}

    def _connect(self, edge: _Edge) -> None:
        """Reformats between who writes a value and who reads it."""
        maker = None if edge.maker is None else self.variables[edge.maker]
        if edge.declared is not None:
            self._add(maker, None, self._table(edge.written, [edge.declared]))
        if len(edge.readers) == 1:
            self._add(maker, self.variables[edge.readers[0]], self._table(edge.written, edge.wanted[0]))
        elif edge.readers:
            self._share(maker, edge)

    def _share(self, maker: int | None, edge: _Edge) -> None:
        """Several readers may share one reformat: a variable says which other type, if any, they find."""
        kinds = dict.fromkeys(kind for kinds in edge.wanted for kind in kinds)
        found = [(made, other) for made in dict.fromkeys(edge.written) for other in dict.fromkeys((made, *kinds))]
        common = self.problem.variable([self._price(*pair) for pair in found])
        match = [[0.0 if made == kind else np.inf for made, _ in found] for kind in edge.written]
        self._add(maker, common, np.array(match))
        for reader, wanted in zip(edge.readers, edge.wanted):
            own = [[0.0 if other == kind else self._price(made, kind) for kind in wanted] for made, other in found]
            self._add(common, self.variables[reader], np.array(own))

    def _table(self, written: Sequence[TensorType], wanted: Sequence[TensorType]) -> Costs:
        return np.array([[self._price(made, kind) for kind in wanted] for made in written])

    def _price(self, source: TensorType, target: TensorType) -> float:
        return self.costs.get((source, target), 0.0)

    def _add(self, a: int | None, b: int | None, costs: Costs) -> None:
        """Costs by the states of two variables; of what is given (an input, an output) there is one state."""
        if a is not None and b is not None:
            self.problem.add((a, b), costs)
        elif a is not None or b is not None:
            self.problem.add((a if a is not None else b,), costs.reshape(-1))  # type: ignore[arg-type]


def _is_output(value: Value) -> bool:
    return any(node.graph is not None and node is node.graph.exit for node in value.readers)
