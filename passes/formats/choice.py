"""Which formats each kernel reads and writes, so that kernels and the reformats between them are cheapest together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

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

Layouts: TypeAlias = "tuple[Layout, ...]"

Prices: TypeAlias = "dict[tuple[Layout, Layout], float]"
"""What it takes to bring a tensor from one layout to another, for all values of one type."""


def choose(
    graph: Graph, candidates: Mapping[Node, Sequence[Candidate]], step_costs: StepCosts
) -> dict[Node, Candidate]:
    """One candidate for each node. Ties go to the first; deterministic; time grows linearly with the nodes of networks
    whose branches are few at a time."""
    asked = {node: _Asked(precision_of(node), *_sides(node, ways)) for node, ways in candidates.items()}
    prices: dict[TensorType, Prices] = {}
    edges = [_edge(value, asked, prices) for value in graph.values() if is_activation(value)]
    _set(prices, step_costs)
    return _Choice(candidates, asked).run([edge for edge in edges if edge.is_open])


class _Asked(NamedTuple):
    """A node's own precision, and its candidates as those see them who write what it reads, and who read what it
    writes. The two are one list where reading and writing hang together."""

    precision: str
    reading: Sequence[Candidate]
    writing: Sequence[Candidate]

    @property
    def is_split(self) -> bool:
        return self.writing is not self.reading


def _sides(node: Node, ways: Sequence[Candidate]) -> tuple[Sequence[Candidate], Sequence[Candidate]]:
    """What a node of one operand and one result reads and what it writes as two choices, where they have nothing to do
    with each other: a copy goes from any format to any other. Many copies around one value would else tie everything
    to everything."""
    if len(ways) < 4 or len(node.results) > 1 or sum(1 for _ in activations(node)) != 1:
        return ways, ways
    reads, writes = (list(dict.fromkeys(side)) for side in zip(*[way[:2] for way in ways]))
    columns = len(writes)
    if len(reads) < 2 or columns < 2 or [way[:2] for way in ways] != list(product(reads, writes)):
        return ways, ways
    first, row = ways[0].cost, ways[:columns]
    sums = [start.cost + end.cost - first for start in ways[::columns] for end in row]
    if not all(math.isclose(way.cost, cost, rel_tol=1e-6) for way, cost in zip(ways, sums)):
        return ways, ways
    return ways[::columns], [way._replace(cost=way.cost - first) for way in row]


def _set(prices: Mapping[TensorType, Prices], step_costs: StepCosts) -> None:
    """Ask what each step costs that a value of each type may have to take."""
    steps = [(costs, pair, _step(kind, *pair)) for kind, costs in prices.items() for pair in costs]
    moving = [(costs, pair, step) for costs, pair, step in steps if not is_relabeling(*step)]
    for (costs, pair, _), cost in zip(moving, step_costs([step for _, _, step in moving])):
        costs[pair] = cost


def _step(kind: TensorType, made: Layout, wanted: Layout) -> Step:
    return stored(kind, *made), stored(kind, *wanted)


def stands(node: Node, found: Candidate) -> bool:
    """Whether the types around a node are those of a candidate already."""
    own = precision_of(node)
    reads = (_wanted(node, slot, value, [found], own)[0] == _now(value) for slot, value in activations(node))
    return all(reads) and all(_written(v, node, [found], own)[0] == _now(v) for v in node.results if is_activation(v))


def _now(value: Value) -> Layout:
    assert isinstance(value.type, TensorType)
    return value.type.dtype, value.type.format


def _wanted(node: Node, slot: int, value: Value, ways: Sequence[Candidate], own: str) -> Layouts:
    """What each candidate of a reader wants, whose own precision is given: finding it costs as much as the reader has
    operands."""
    dtypes = {asked: reads_dtype(node, slot, value, asked or own) for asked in {way.precision for way in ways}}
    if not is_image(value.type):
        return tuple([(dtypes[way.precision], "linear") for way in ways])
    residual = is_residual(node, slot)
    return tuple([(dtypes[way.precision], way.writes if residual else way.reads) for way in ways])


def _written(value: Value, maker: Node, ways: Sequence[Candidate], own: str) -> Layouts:
    """What each candidate of the producer writes; only images have other formats than linear."""
    dtypes = {asked: writes_dtype(maker, value, asked or own) for asked in {way.precision for way in ways}}
    image = is_image(value.type)
    return tuple([(dtypes[way.precision], way.writes if image else "linear") for way in ways])


@dataclass(frozen=True)
class _Edge:
    """A value: how it may be written, by the candidates of its producer, and how each reader wants it, by the reader's
    candidates. An output of the network is wanted as it was declared. `prices` are those of its type."""

    maker: Node | None
    written: Layouts
    readers: Sequence[Node]
    wanted: Sequence[Layouts]
    declared: Layout | None
    prices: Prices

    @property
    def is_open(self) -> bool:
        """Whether it may be wanted otherwise than it is written."""
        return len({*self.written, *self.targets()}) > 1

    def targets(self) -> Iterator[Layout]:
        """The layouts that are wanted."""
        for layouts in self.wanted:
            yield from layouts
        if self.declared is not None:
            yield self.declared

    def price(self, made: Layout, wanted: Layout) -> float:
        return 0.0 if made == wanted else self.prices[made, wanted]

    def table(self, wanted: Layouts) -> Costs:
        return np.array([[self.price(made, other) for other in wanted] for made in self.written])


def _edge(value: Value, asked: Mapping[Node, _Asked], prices: dict[TensorType, Prices]) -> _Edge:
    """The edge of a value. The steps that it may have to take are noted in `prices`, as relabelings for now."""
    maker, kind = value.producer if value.producer in asked else None, value.type
    assert isinstance(kind, TensorType)
    made = None if maker is None else asked[maker]
    written = (_now(value),) if maker is None or made is None else _written(value, maker, made.writing, made.precision)
    uses = [(node, slot, asked[node]) for node, slot in value.uses if node in asked]
    wanted = [_wanted(node, slot, value, of.reading, of.precision) for node, slot, of in uses]
    declared = _now(value) if is_output(value) else None
    edge = _Edge(maker, written, [node for node, _, _ in uses], wanted, declared, prices.setdefault(kind, {}))
    targets = set(edge.targets())
    edge.prices.update(((made, other), _NOOP) for made in set(written) for other in targets if made != other)
    return edge


Leaf: TypeAlias = "tuple[int | None, NDArray[np.intp]]"
"""What is best by the states of the one variable on which it depends; of what is given there is one state."""


@dataclass
class _Choice:
    candidates: Mapping[Node, Sequence[Candidate]]
    asked: Mapping[Node, _Asked]
    problem: Problem = field(default_factory=Problem)
    variables: dict[Node, int] = field(default_factory=dict)
    """What a node does; of a split one, what it writes."""
    reading: dict[Node, Leaf] = field(default_factory=dict)
    writing: dict[Node, Leaf] = field(default_factory=dict)
    """Sides of split nodes: only one neighbour is concerned, so they are settled by its state."""

    def run(self, edges: Sequence[_Edge]) -> dict[Node, Candidate]:
        for node, asked in self.asked.items():
            if len(asked.reading) > 1 and not asked.is_split:
                self.variables[node] = self.problem.variable([way.cost for way in asked.reading])
        for edge in edges:
            self._connect(edge)
        states = self.problem.solve()
        return {node: ways[self._taken(node, states)] for node, ways in self.candidates.items()}

    def _taken(self, node: Node, states: Sequence[int]) -> int:
        """The place of the candidate that was chosen."""
        written = states[self.variables[node]] if node in self.variables else _settled(self.writing.get(node), states)
        if not self.asked[node].is_split:
            return written
        return _settled(self.reading.get(node), states) * len(self.asked[node].writing) + written

    def _connect(self, edge: _Edge) -> None:
        """Reformats between who writes a value and who reads it."""
        if len(edge.readers) == 1 and edge.declared is None and self._settle_writer(edge):
            return
        maker = self._written(edge.maker)
        if edge.declared is not None:
            self._add(maker, None, edge.table((edge.declared,)))
        if len(edge.readers) == 1:
            self._read(maker, edge.readers[0], edge.table(edge.wanted[0]))
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
            self._read(common, reader, np.array(own))

    def _settle_writer(self, edge: _Edge) -> bool:
        """A split node in front of one that is not writes what that one takes best."""
        maker, reader = edge.maker, edge.readers[0]
        if maker is None or not self.asked[maker].is_split or self.asked[reader].is_split:
            return False
        costs = edge.table(edge.wanted[0]) + [[way.cost] for way in self.asked[maker].writing]
        self.writing[maker] = self.variables.get(reader), costs.argmin(axis=0)
        self._add(None, self.variables.get(reader), costs.min(axis=0))
        return True

    def _read(self, found: int | None, reader: Node, costs: Costs) -> None:
        """The costs of reading, by the states of what is found and of the reader; a split one reads what is best."""
        if not self.asked[reader].is_split:
            self._add(found, self.variables.get(reader), costs)
            return
        costs = costs + [way.cost for way in self.asked[reader].reading]
        self.reading[reader] = found, costs.argmin(axis=1)
        self._add(found, None, costs.min(axis=1))

    def _written(self, maker: Node | None) -> int | None:
        """The variable of what a node writes; None where there is one way only."""
        if maker is not None and self.asked[maker].is_split and maker not in self.variables:
            self.variables[maker] = self.problem.variable([way.cost for way in self.asked[maker].writing])
        return None if maker is None else self.variables.get(maker)

    def _add(self, a: int | None, b: int | None, costs: Costs) -> None:
        """Costs by the states of two variables; of what is given (an input, an output, a kernel that can run in one way
        only) there is one state."""
        if a is not None and b is not None:
            self.problem.add((a, b), costs)
        elif a is not None or b is not None:
            self.problem.add((a if a is not None else b,), costs.reshape(-1))  # type: ignore[arg-type]


def _settled(leaf: Leaf | None, states: Sequence[int]) -> int:
    """The place of what is best; the first where nothing depends on it."""
    if leaf is None:
        return 0
    variable, best = leaf
    return int(best[0 if variable is None else states[variable]])
