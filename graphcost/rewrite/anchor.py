"""An anchor and what may follow it: one table instead of a pattern for each combination."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from graphcost.ir import Node

from .match import Match, Reject, in_order, leaving

Fits: TypeAlias = Callable[[Node, tuple[Node, ...]], None]


def fits_anywhere(node: Node, taken: tuple[Node, ...]) -> None:
    """No condition."""


@dataclass(frozen=True)
class Anchor:
    """A kernel computes one node of `ops` and then up to `limit` nodes of `absorbs` (at least `at_least`), as long as
    only one value leaves it: the branches of `x * sigmoid(x)` are taken together or not at all. Other operands of
    what follows, such as the second one of an Add, come from outside.

    `fits(node, taken)` raises Reject when a node may not follow those taken so far, the anchor first.
    """

    ops: frozenset[str]
    absorbs: frozenset[str]
    limit: int = 8
    at_least: int = 1
    fits: Fits = fits_anywhere

    def find(self, anchor: Node) -> Match:
        """The largest match that begins at this node. Raises Reject when less than `at_least` nodes can follow."""
        if anchor.op not in self.ops:
            raise Reject(f"{anchor.name} is {anchor.op}, not {' or '.join(sorted(self.ops))}", anchor)
        closed, stopped = self._grow(anchor)
        if len(closed) - 1 < self.at_least:
            raise Reject(stopped.reason, stopped.node, closed)
        return Match(in_order(closed), {}, {"anchor": anchor}, stopped)

    def _grow(self, anchor: Node) -> tuple[tuple[Node, ...], Reject]:
        """The largest set that one value leaves, and why it is not larger."""
        closed: tuple[Node, ...] = (anchor,)
        taken = dict.fromkeys(closed)
        waiting = deque(_readers(anchor))
        while waiting:
            node = waiting.popleft()
            if node in taken:
                continue
            try:
                self._admit(node, tuple(taken))
            except Reject as reason:
                return closed, reason
            taken[node] = None
            waiting.extend(_readers(node))
            if len(leaving(taken)) <= 1:
                closed = tuple(taken)
        return closed, Reject(f"nothing reads {closed[-1].name}", closed[-1])

    def _admit(self, node: Node, taken: tuple[Node, ...]) -> None:
        if node.op == "return":
            raise Reject("its result is an output of the graph", node)
        if node.op not in self.absorbs:
            raise Reject(f"{node.name} is {node.op}, which this kernel cannot take in", node)
        if len(taken) > self.limit:
            raise Reject(f"{node.name} would be one more than the {self.limit} nodes that this kernel takes in", node)
        self.fits(node, taken)


def _readers(node: Node) -> list[Node]:
    """Nodes that read a result; the end of the graph is one where it is an output."""
    return [reader for result in node.results for reader in result.readers]
