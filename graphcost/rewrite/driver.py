"""Trying rules all over a graph: in the order of priority, each place again only when something near it changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from graphcost.ir import Graph, Node
from graphcost.journal import Journal, Refused
from graphcost.origin import merge_origins

from .match import Match, Reject
from .rule import FusionRule

FEW = 8
"""Readers of a value that can lie inside a match: no useful pattern has more."""


@dataclass(frozen=True)
class Applied:
    """How often a rule was applied, and how often one was tried."""

    count: int
    attempts: int


Book: TypeAlias = Callable[[Sequence[Node], Callable[[], Node], str], Node]
"""Lets the function given put one node in the place of several, and books what that saves, for the reason given."""


def unbooked(nodes: Sequence[Node], make: Callable[[], Node], reason: str) -> Node:
    """Nothing is booked."""
    return make()


def apply_rules(graph: Graph, rules: Sequence[FusionRule], journal: Journal, book: Book = unbooked) -> Applied:
    """Fuse until no rule applies. Rules of the same priority are tried in the order given.

    What was done, and for each rule and place why it was not, goes to the journal. The result depends only on the
    graph and the rules. Linear in the nodes of the graph: a place is tried again only after a fusion near it.
    """
    reach = max((rule.depth for rule in rules if rule.anchor is None), default=0)
    run = _Run(graph, journal, _levels(rules), reach, book)
    run.look_at(graph)
    while (place := run.next()) is not None:
        run.try_rules(*place)
    run.journal_refusals()
    return Applied(run.count, run.attempts)


@dataclass
class _Level:
    """The rules of one priority by the operators at which they are tried, and the places that wait for them."""

    rules: dict[str, list[FusionRule]] = field(default_factory=dict)
    waiting: deque[Node] = field(default_factory=deque)
    queued: set[Node] = field(default_factory=set)

    def add(self, node: Node) -> None:
        if node.op in self.rules and node not in self.queued:
            self.queued.add(node)
            self.waiting.append(node)

    def take(self) -> Node:
        node = self.waiting.popleft()
        self.queued.discard(node)
        return node


def _levels(rules: Iterable[FusionRule]) -> list[_Level]:
    """The highest priority first."""
    levels: dict[int, _Level] = {}
    for rule in rules:
        level = levels.setdefault(rule.priority, _Level())
        for op in sorted(rule.roots):
            level.rules.setdefault(op, []).append(rule)
    return [levels[priority] for priority in sorted(levels, reverse=True)]


@dataclass
class _Run:
    graph: Graph
    journal: Journal
    levels: list[_Level]
    reach: int  # how far behind a new kernel a pattern may end that contains it; an anchor stands before what it takes
    book: Book
    count: int = 0
    attempts: int = 0
    refusals: dict[tuple[str, Node], Reject] = field(default_factory=dict)

    def look_at(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            for level in self.levels:
                level.add(node)

    def next(self) -> tuple[_Level, Node] | None:
        """The place to try next: the first that waits at the highest priority."""
        for level in self.levels:
            while level.waiting:
                node = level.take()
                if node.graph is self.graph:
                    return level, node
        return None

    def try_rules(self, level: _Level, node: Node) -> None:
        for rule in level.rules[node.op]:
            self.attempts += 1
            try:
                match = rule.match(node)
                kernel = self.book(match.nodes, partial(rule.apply, self.graph, match), f"inside a {rule.kernel}")
            except Reject as reason:
                self.refusals[rule.name, node] = reason
                continue
            self.done(rule, match, kernel)
            return

    def done(self, rule: FusionRule, match: Match, kernel: Node) -> None:
        self.count += 1
        self.journal.did(rule.name, kernel, f"{_names(match.nodes)} fused into {rule.kernel}")
        for node in match.nodes:
            self.refusals.pop((rule.name, node), None)
        if match.stopped is not None:
            self.refusals[rule.name, kernel] = Reject(match.stopped.reason, match.stopped.node, (kernel,))
        self.look_at(self.near(kernel))

    def near(self, kernel: Node) -> list[Node]:
        """The places whose match may have changed: the kernel, what gives it its operands, and what follows closely,
        values with many readers excepted."""
        steps = {kernel: 0}
        waiting = deque([kernel])
        while waiting:
            node = waiting.popleft()
            if steps[node] == self.reach:
                continue
            readers = [r for value in node.results if value.use_count <= FEW for r in value.readers if r not in steps]
            steps.update((reader, steps[node] + 1) for reader in readers)
            waiting.extend(readers)
        return [*(v.producer for v in kernel.inputs if v.producer is not None), *steps]

    def journal_refusals(self) -> None:
        """One entry for each rule and place, known by all the nodes that the attempt had reached."""
        for (rule, place), reason in self.refusals.items():
            nodes = dict.fromkeys((place, *reason.matched, *([reason.node] if reason.node else ())))
            origins = merge_origins(*(node.origin for node in nodes if node is not self.graph.exit))
            self.journal.refused_.append(Refused(rule, tuple(origin.name for origin in origins), reason.reason))


def _names(nodes: Sequence[Node]) -> str:
    return " + ".join(node.name for node in nodes)
