"""What a rule finds at a place, and how it says no."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from graphcost.ir import Node, Value


class Reject(Exception):
    """Why a rule does not apply here, in one sentence. `node` is where it stopped, `matched` what had fitted by then.

    Raised by matching, by a rule's `when` and by outlining; shown by `graphcost explain`.
    """

    def __init__(self, reason: str, node: Node | None = None, matched: Sequence[Node] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.node = node
        self.matched = tuple(matched)


@dataclass(frozen=True)
class Match:
    """The nodes of a place where a rule applies: each stands after those that it reads, and the last one is read by
    the rest of the graph. `values` are the operands that the pattern names, `named` the nodes that it names."""

    nodes: tuple[Node, ...]
    values: Mapping[str, Value] = field(default_factory=dict)
    named: Mapping[str, Node] = field(default_factory=dict)
    stopped: Reject | None = None
    """Why the match is not larger, where it grew until something ended it."""

    def __getitem__(self, name: str) -> Value:
        """The value that a name of the pattern stands for; KeyError where the match has none."""
        return self.values[name]

    def get(self, name: str) -> Value | None:
        """The same, None for an optional operand that is absent or a branch that was not taken."""
        return self.values.get(name)

    @property
    def last(self) -> Node:
        return self.nodes[-1]


def in_order(nodes: Collection[Node]) -> tuple[Node, ...]:
    """Nodes sorted so that each stands after those among them that it reads; else in the order given.

    Costs as much as the nodes have operands, however large the graph."""
    made = {result: node for node in nodes for result in node.results}
    waiting = {node: {made[value] for value in node.inputs if value in made} for node in nodes}
    readers: dict[Node, list[Node]] = {node: [] for node in nodes}
    for node, producers in waiting.items():
        for producer in producers:
            readers[producer].append(node)
    ready = [node for node, producers in waiting.items() if not producers]
    for node in ready:  # grows while it is walked
        for reader in readers[node]:
            waiting[reader].discard(node)
            if not waiting[reader]:
                ready.append(reader)
    return tuple(ready)


def leaving(nodes: Collection[Node]) -> list[Value]:
    """The results of the nodes that are read by others, or are outputs of the graph.

    Costs as much as the nodes have operands, however many readers a value has."""
    read_inside = Counter(value for node in nodes for value in node.operands if value is not None)
    return [result for node in nodes for result in node.results if result.use_count > read_inside[result]]
