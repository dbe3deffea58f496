"""Sets of nodes that can run as one: what a path leaves is never read by a path that comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from graphcost.disjoint_sets import DisjointSets
from graphcost.ir import Graph, Node

S = TypeVar("S")

Joins: TypeAlias = Callable[[Node, Sequence[tuple[Node, S]]], S | None]
"""What a set is once a node joins those of the makers given (with what each of them is), or begins one where none are
given. None where it may not: a node that may not even begin one stays outside."""


Floats: TypeAlias = Callable[[S], bool]
"""Whether all nodes of such a set have one reader each, so that it can run as late as the reader of its last node."""


def never(state: object) -> bool:
    return False


def convex_sets(graph: Graph, joins: Joins[S], floats: Floats[S] = never) -> list[tuple[S, tuple[Node, ...]]]:
    """Sets of nodes, each in the order of execution, that can all become one node each.

    Each node has a level. Along an edge inside a set it stays, along any other it rises, so on a path that leaves a
    set too; as only nodes of one level are in one set, no such path comes back. A set that floats has one way out, so
    it may join a set of any higher level. Linear in the edges.
    """
    sets = _Sets(joins, floats, DisjointSets(len(graph)))
    for node in graph:
        sets.place(node)
    return sets.found()


@dataclass
class _Sets(Generic[S]):
    """`number` has the nodes that are in a set; `state` says by the root of a set what it is."""

    joins: Joins[S]
    floats: Floats[S]
    united: DisjointSets
    number: dict[Node, int] = field(default_factory=dict)
    state: dict[int, S] = field(default_factory=dict)
    level: dict[Node, int] = field(default_factory=dict)

    def place(self, node: Node) -> None:
        makers = list(dict.fromkeys(v.producer for v in node.inputs if v.producer is not None))
        top = max((self.level[maker] for maker in makers), default=0)
        floating = [maker for maker in makers if maker in self.number and self._floats(maker)]
        highest = [maker for maker in makers if self.level[maker] == top and maker not in floating]
        if highest and all(maker in self.number for maker in highest) and self._join_any(node, highest, floating):
            self.level[node] = top
            return
        self.level[node] = top + 1 if makers else 0
        if not floating or not self._join(node, floating):
            self._join(node, [])

    def _floats(self, maker: Node) -> bool:
        return self.floats(self.state[self.united.find(self.number[maker])])

    def _join_any(self, node: Node, highest: Sequence[Node], floating: Sequence[Node]) -> bool:
        """With what floats if possible, else without."""
        return self._join(node, [*highest, *floating]) or (bool(floating) and self._join(node, highest))

    def _join(self, node: Node, makers: Sequence[Node]) -> bool:
        """Whether the node may be in one set with all of the makers, and then is."""
        roots = [self.united.find(self.number[maker]) for maker in makers]
        state = self.joins(node, [(maker, self.state[root]) for maker, root in zip(makers, roots)])
        if state is None:
            return False
        own = self.number[node] = len(self.number)
        self.united.unite([*roots, own])
        self.state[self.united.find(own)] = state
        return True

    def found(self) -> list[tuple[S, tuple[Node, ...]]]:
        """In the order of their first nodes: nodes were placed in the order of execution."""
        members: dict[int, list[Node]] = {}
        for node, number in self.number.items():
            members.setdefault(self.united.find(number), []).append(node)
        return [(self.state[root], tuple(nodes)) for root, nodes in members.items()]
