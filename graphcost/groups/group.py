"""What a recognised group is, and how the groups of a graph are found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from graphcost.ir import Graph, Node, Value
from graphcost.rewrite import Match, Pattern, Reject, find, operators_of
from graphcost.types import Attr

from .quantized import requantized

FEW = 8
"""Readers of a value inside a group: a value with more is read by others too, which no group allows."""


@dataclass(frozen=True)
class Group:
    """Nodes that together are one operation of the literature. They stay in the graph.

    Each of `nodes` stands after those that it reads; only the last one is read by others, so a group can be outlined.
    `inputs` are what the group reads from outside by role ("x", "scale", "q", "mask", ...), small constants excepted.
    """

    kind: str
    nodes: tuple[Node, ...]
    inputs: Mapping[str, Value]
    outputs: tuple[Value, ...]
    attrs: Mapping[str, Attr] = field(default_factory=dict)


def accept(match: Match) -> bool:
    return True


def no_attrs(match: Match) -> Mapping[str, Attr]:
    return {}


@dataclass(frozen=True)
class Spelling:
    """One way in which a kind of group is written with simpler operators.

    Names of the pattern are roles, but those that begin with "_"; `mask:1`, `mask:2` are roles of which there can be
    several. The search begins at the operators of `seeds`, of which each such group has one, and ends at most `steps`
    readers further on at its last node. `followers` then join one after the other, as long as nobody else reads.
    """

    kind: str
    pattern: Pattern
    seeds: frozenset[str]
    steps: int
    attrs: Callable[[Match], Mapping[str, Attr]] = no_attrs
    holds: Callable[[Match], bool] = accept
    followers: tuple[str, ...] = ()

    def quantized(self) -> Spelling:
        """The same with Q/DQ between its nodes, of which each step may then have two more."""
        return replace(self, pattern=requantized(self.pattern), steps=3 * self.steps)

    @cached_property
    def roots(self) -> frozenset[str]:
        """The operators with which the group may end."""
        return self.pattern.roots()

    @cached_property
    def inside(self) -> frozenset[str]:
        """The operators that the group may hold."""
        return operators_of(self.pattern)

    def ends(self, seed: Node) -> Iterator[Node]:
        """Nodes with which a group that holds the seed could end."""
        found, layer = {seed}, [seed]
        for _ in range(self.steps + 1):
            yield from (node for node in layer if node.op in self.roots)
            near = [reader for node in layer for reader in _few_readers(node) if reader.op in self.inside]
            layer = [node for node in dict.fromkeys(near) if node not in found]
            found.update(layer)

    def group(self, end: Node) -> Group | None:
        """The group that ends with a node, if there is one."""
        try:
            match = find(self.pattern, end)
        except Reject:
            return None
        if not self.holds(match):
            return None
        nodes = (*match.nodes, *self._following(end))
        return Group(self.kind, nodes, roles(match.values), nodes[-1].results[:1], self.attrs(match))

    def _following(self, end: Node) -> Iterator[Node]:
        for op in self.followers:
            reader = _only_reader(end)
            if reader is None or reader.op != op or reader.operand(0) is not end.results[0]:
                return
            yield reader
            end = reader


@dataclass(frozen=True)
class Operator:
    """An operator that is a group by itself, with the roles of its operands."""

    kind: str
    roles: tuple[str, ...]

    def group(self, node: Node) -> Group:
        inputs = {role: value for role, value in zip(self.roles, node.operands) if value is not None}
        return Group(self.kind, (node,), inputs, node.results, dict(node.attrs))


def find_groups(graph: Graph, spellings: Iterable[Spelling], operators: Mapping[str, Operator]) -> tuple[Group, ...]:
    """The groups of a graph, in the order in which they end. No node is in two of them: the larger one wins, then the
    spelling listed first, then the one that ends earlier. Linear in the nodes of the graph."""
    by_seed: dict[str, list[tuple[int, Spelling]]] = {}
    for rank, spelling in enumerate(spellings):
        for op in sorted(spelling.seeds):
            by_seed.setdefault(op, []).append((rank, spelling))
    position = {node: number for number, node in enumerate(graph)}
    found = [*_spelled(position, by_seed), *_listed(position, operators)]
    found.sort(key=lambda ranked: (-len(ranked[1].nodes), ranked[0], position[ranked[1].nodes[-1]]))
    chosen = _disjoint(group for _, group in found)
    return tuple(sorted(chosen, key=lambda group: position[group.nodes[-1]]))


def _spelled(nodes: Iterable[Node], by_seed: Mapping[str, list[tuple[int, Spelling]]]) -> Iterator[tuple[int, Group]]:
    tried: set[tuple[int, Node]] = set()
    for node in nodes:
        for rank, spelling in by_seed.get(node.op, ()):
            for end in spelling.ends(node):
                if (rank, end) in tried:
                    continue
                tried.add((rank, end))
                if (group := spelling.group(end)) is not None:
                    yield rank, group


def _listed(nodes: Iterable[Node], operators: Mapping[str, Operator]) -> Iterator[tuple[int, Group]]:
    for node in nodes:
        if (operator := operators.get(node.op)) is not None:
            yield -1, operator.group(node)


def _disjoint(groups: Iterable[Group]) -> list[Group]:
    chosen, taken = [], set[Node]()
    for group in groups:
        if taken.isdisjoint(group.nodes):
            taken.update(group.nodes)
            chosen.append(group)
    return chosen


def roles(values: Mapping[str, Value]) -> dict[str, Value]:
    """Values by role: names with "_" left out, `mask:2` and `mask:4` called mask and mask_2."""
    found: dict[str, Value] = {}
    for name in sorted(name for name in values if not name.startswith("_")):
        role = name.partition(":")[0]
        count = sum(known == role or known.startswith(f"{role}_") for known in found)
        found[role if count == 0 else f"{role}_{count + 1}"] = values[name]
    return found


def _few_readers(node: Node) -> Iterator[Node]:
    for result in node.results:
        if result.use_count <= FEW:
            yield from result.readers


def _only_reader(node: Node) -> Node | None:
    result = node.results[0]
    return result.uses[0].node if result.use_count == 1 else None
