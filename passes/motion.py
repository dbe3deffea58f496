"""Nodes that move over others, one step at a time, until none can."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field

from graphcost.ir import Graph, Node
from graphcost.pipeline import UNCHANGED, Change

from .ledger import Ledger
from .values import FreshNames


@dataclass
class Motion(ABC):
    """The nodes that wait to be looked at, and how many steps were made. What a step makes may wait again."""

    graph: Graph
    ledger: Ledger
    names: FreshNames = field(default_factory=FreshNames)
    waiting: deque[Node] = field(default_factory=deque)
    count: int = 0

    def run(self, op: str) -> Change:
        """Move every node of an operator as far as it goes, and close the ledger."""
        self.waiting.extend(node for node in self.graph if node.op == op)
        while self.waiting:
            node = self.waiting.popleft()
            if node.graph is self.graph:
                self.visit(node)
        self.ledger.close()
        return Change(self.count) if self.count else UNCHANGED

    @abstractmethod
    def visit(self, node: Node) -> None:
        """Look at a node that still stands in the graph."""
