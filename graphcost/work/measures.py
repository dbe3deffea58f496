"""The work of single nodes, measured when somebody first asks and kept for as long as they stay the same."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphcost.ir import Node
from graphcost.operators import Operators

from .node import Work, node_work


@dataclass
class Measures:
    """What nodes work. Whoever changes a node forgets it here."""

    operators: Operators
    known: dict[Node, Work] = field(default_factory=dict)

    def work_of(self, node: Node) -> Work:
        if node not in self.known:
            self.known[node] = node_work(node, self.operators).work
        return self.known[node]

    def learn(self, node: Node, work: Work) -> None:
        """What a node works, known without measuring it."""
        self.known[node] = work

    def forget(self, node: Node) -> None:
        self.known.pop(node, None)
