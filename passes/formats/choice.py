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


ReformatCost: TypeAlias = "Callable[[TensorType, TensorType], float]"
"""What it costs to bring a tensor from one type in memory to another; asked only where they differ."""


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
    graph: Graph, candidates: Mapping[Node, Sequence[Candidate]], reformat_cost: ReformatCost
) -> dict[Node, Candidate]:
    """One candidate for each node. Ties go to the first; deterministic; time grows linearly with the nodes of networks
    whose branches are few at a time."""
    return _Choice(candidates, reformat_cost).run(graph)


@dataclass
class _Choice:
    candidates: Mapping[Node, Sequence[Candidate]]
    reformat_cost: ReformatCost
    problem: Problem = field(default_factory=Problem)
    variables: dict[Node, int] = field(default_factory=dict)
    priced: dict[tuple[TensorType, TensorType], float] = field(default_factory=dict)

    def run(self, graph: Graph) -> dict[Node, Candidate]:
        for node in graph:
            if node in self.candidates:
                self.variables[node] = self.problem.variable([c.cost for c in self.candidates[node]])
        for value in graph.values():
            if is_activation(value):
                self._connect(value, list(self._readers(value)))
        states = self.problem.solve()
        return {node: self.candidates[node][states[number]] for node, number in self.variables.items()}

    def _readers(self, value: Value) -> Iterator[Port]:
        yield from (Port(node, slot) for node, slot in value.uses if node in self.candidates)

    def _connect(self, value: Value, ports: list[Port]) -> None:
        """Reformats between who writes a value and who reads it."""
        written = self._written(value)
        wanted = [[port.wants(value, c) for c in self.candidates[port.node]] for port in ports]
        maker = self.variables.get(value.producer) if value.producer is not None else None
        if _is_output(value):
            self._pay(maker, written, None, [value.type])  # type: ignore[list-item]
        if len(ports) == 1:
            self._pay(maker, written, self.variables[ports[0].node], wanted[0])
        elif ports:
            self._share(maker, written, ports, wanted)

    def _written(self, value: Value) -> list[TensorType]:
        """The types that a value may have, by the candidates of its producer."""
        assert isinstance(value.type, TensorType)
        maker = value.producer
        if maker is None or maker not in self.candidates:
            return [value.type]
        return [_written_by(candidate, value) for candidate in self.candidates[maker]]

    def _share(
        self, maker: int | None, written: list[TensorType], ports: list[Port], wanted: list[list[TensorType]]
    ) -> None:
        """Several readers may share one reformat: a variable says which other type, if any, they find."""
        kinds = dict.fromkeys(kind for kinds in wanted for kind in kinds)
        shared = [(made, other) for made in dict.fromkeys(written) for other in dict.fromkeys((made, *kinds))]
        common = self.problem.variable([self._price(made, other) for made, other in shared])
        match = [[0.0 if made == kind else np.inf for made, _ in shared] for kind in written]
        self._add(maker, common, np.array(match))
        for port, kinds_ in zip(ports, wanted):
            own = [[0.0 if other == k else self._price(made, k) for k in kinds_] for made, other in shared]
            self._add(common, self.variables[port.node], np.array(own))

    def _pay(self, maker: int | None, written: list[TensorType], reader: int | None, wanted: list[TensorType]) -> None:
        self._add(maker, reader, np.array([[self._price(made, kind) for kind in wanted] for made in written]))

    def _add(self, a: int | None, b: int | None, costs: Costs) -> None:
        """Costs by the states of two variables; of what is given (an input, an output) there is one state."""
        if a is not None and b is not None and a != b:
            self.problem.add((a, b), costs)
        elif a is not None and a == b:
            self.problem.add((a,), np.diagonal(costs).copy())
        elif a is not None or b is not None:
            self.problem.add((a if a is not None else b,), costs.reshape(-1))  # type: ignore[arg-type]

    def _price(self, source: TensorType, target: TensorType) -> float:
        if source == target or is_relabeling(source, target):
            return 0.0
        if (source, target) not in self.priced:
            self.priced[source, target] = self.reformat_cost(source, target)
        return self.priced[source, target]


def _is_output(value: Value) -> bool:
    return any(node.graph is not None and node is node.graph.exit for node in value.readers)
