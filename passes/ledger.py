"""What a pass takes away, measured: before = after + removed holds for MACs, elementwise operations and bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphcost.analyses import MEASURES
from graphcost.ir import Graph, Node, Value
from graphcost.origin import merge_origins
from graphcost.pipeline import Analysis, Context
from graphcost.work.control import CONTROL
from graphcost.work.measures import Measures
from graphcost.work.node import Work


def executed_graphs(graph: Graph) -> Iterator[Graph]:
    """The graph, after the bodies of control flow in it. The body of a kernel only says what the kernel computes: it
    is no part of the program."""
    for node in graph:
        if node.op in CONTROL:
            for body in node.bodies:
                yield from executed_graphs(body)
    yield graph


PRESERVED: frozenset[Analysis[Any]] = frozenset({MEASURES})
"""What still holds after a pass that touches whatever it changes."""


@dataclass
class Ledger:
    """Books what one run of a pass removes from `graph`.

    Whoever changes a node touches it first; `close` books what the nodes that stay have lost. Each node is measured
    at most twice, and what is known of it then serves the next pass, if this one says that it preserves MEASURES.
    A node in a body works as often as the node that holds the body says, so what changes inside is measured there, at
    the top.
    """

    rule: str
    graph: Graph
    ctx: Context
    _before: dict[Node, Work] = field(default_factory=dict)
    _measures: Measures = field(init=False)
    """What nodes work, until they are touched."""

    def __post_init__(self) -> None:
        self._measures = self.ctx.get(MEASURES)

    def touch(self, *nodes: Node) -> None:
        """These nodes are about to change: remember what they work now."""
        for node in nodes:
            top = self._top(node)
            if top is not self.graph.exit and top not in self._before:
                self._before[top] = self._work(top)
                self._measures.forget(top)

    def touch_readers(self, node: Node) -> None:
        """Whoever reads a result of the node is about to read something else."""
        for result in node.results:
            self.touch(*result.readers)

    def remove(self, node: Node, reason: str) -> None:
        """Take out a node that nobody reads any more."""
        self.touch(node)
        work = self._before.pop(node, Work())
        if node.origin or work != Work():
            self.ctx.journal.removed(node.origin, reason, work)
        self._graph_of(node).remove(node)

    def added(self, node: Node, reason: str) -> None:
        """Book a node that was put in beside others: what it works is removed with a minus."""
        if self._graph_of(node) is self.graph:
            self.ctx.journal.removed(node.origin, reason, self._work(node) * -1)

    def merge(self, node: Node, gone: Node, new: Node, reason: str) -> None:
        """Put `new` in the place of `node` and of `gone`, which it takes in."""
        self.touch(node, gone)
        graph = self._graph_of(node)
        before = self._before.pop(node, Work()) + self._before.pop(gone, Work())
        graph.replace((node, gone), new)
        self.ctx.journal.did(self.rule, new, reason)
        if graph is not self.graph:
            self.ctx.journal.removed(gone.origin, reason, Work())
            return
        after = self._before[new] = self._work(new)
        self.ctx.journal.removed(gone.origin, reason, minus(before, after))

    def replace(self, node: Node, news: Sequence[Node], reason: str) -> None:
        """Put `news`, which took over what others read of the node, in its place."""
        self.replace_all([node], news, reason)

    def replace_all(self, olds: Sequence[Node], news: Sequence[Node], reason: str) -> None:
        """Put `news`, which took over what others read of `olds` (in execution order, touched before the results were
        taken over), in the place of the last of them."""
        self.touch(*olds)
        graph = self._graph_of(olds[-1])
        for new in news:
            graph.insert_before(olds[-1], new)
        for old in reversed(olds):
            graph.remove(old)
        self.ctx.journal.did(self.rule, news[-1], reason)
        self._rebook(graph, olds, news, reason)

    def gather(self, nodes: Sequence[Node], make: Callable[[], Node], reason: str) -> Node:
        """Let `make` put one node in the place of several, and book what that saves."""
        new = self.book(nodes, make, reason)
        self.ctx.journal.did(self.rule, new, reason)
        return new

    def book(self, nodes: Sequence[Node], make: Callable[[], Node], reason: str) -> Node:
        """The same, where somebody else tells that it was done."""
        self.touch(*nodes)
        graph = self._graph_of(nodes[0])
        steps, moves_all = sum(map(_steps, nodes)), graph is self.graph and all(map(self._moves_all, nodes))
        new = make()
        if moves_all and _steps(new) == steps and new.op not in self.ctx.analyses.operators.work:
            self._measures.learn(new, self._together(nodes, new))
        self._rebook(graph, nodes, [new], reason)
        return new

    def _moves_all(self, node: Node) -> bool:
        """Whether a node reads its operands and writes its results in full, none of them a view."""
        before = self._before[node]
        return (before.bytes_read, before.bytes_written) == (_bytes(node.inputs), _bytes(node.results))

    def _together(self, nodes: Sequence[Node], kernel: Node) -> Work:
        """The work of a kernel of nodes that move all their tensors: theirs, with its border. As node_work has it,
        without looking at each node inside again."""
        inside = sum((self._before[node] for node in nodes), Work())
        return Work(inside.macs, inside.elementwise_ops, _bytes(kernel.inputs), _bytes(kernel.results))

    def _rebook(self, graph: Graph, olds: Sequence[Node], news: Sequence[Node], reason: str) -> None:
        """Book the difference between nodes and what stands in their place; inside a body, `close` does."""
        if graph is not self.graph:
            return
        before = sum((self._before.pop(old, Work()) for old in olds), Work())
        saved = minus(before, sum(map(self._work, news), Work()))
        if saved != Work():
            origins = news[0].origin if len(news) == 1 else merge_origins(*(new.origin for new in news))
            self.ctx.journal.removed(origins, reason, saved)

    def refuse(self, node: Node, reason: str) -> None:
        self.ctx.journal.refused(self.rule, node, reason)

    def close(self) -> None:
        """Book what the touched nodes that still stand have lost."""
        for node, before in self._before.items():
            self._measures.forget(node)
            saved = minus(before, self._work(node)) if node.graph is self.graph else Work()
            if saved != Work():
                self.ctx.journal.removed(node.origin, f"{self.rule} left it less to do", saved)

    def _work(self, node: Node) -> Work:
        return self._measures.work_of(node)

    def _top(self, node: Node) -> Node:
        """The node of the whole graph in whose bodies this one stands, or itself."""
        while (graph := self._graph_of(node)) is not self.graph and graph.owner is not None:
            node = graph.owner
        return node

    @staticmethod
    def _graph_of(node: Node) -> Graph:
        assert node.graph is not None, f"{node.name} has been removed"
        return node.graph


def _steps(node: Node) -> int:
    """Nodes that a kernel stands for."""
    return sum(map(len, node.bodies)) if node.bodies else 1


def _bytes(values: Iterable[Value]) -> int:
    return sum(value.type.size_bytes or 0 for value in values)


def minus(a: Work, b: Work) -> Work:
    return a + b * -1
