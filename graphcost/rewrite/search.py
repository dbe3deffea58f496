"""Matching a pattern at a node: a search through its alternatives, with the best attempt kept for the refusal."""

from __future__ import annotations

from graphcost.ir import Node, Value

from .match import Match, Reject, in_order, leaving
from .pattern import Call, Goal, Goals, Leaf, Miss, Pattern, Result


def find(pattern: Pattern, root: Node, *, shares: bool = False) -> Match:
    """The match whose last node is `root`. Unless `shares`, only the results of `root` may be read by others.

    Raises Reject with what stopped the attempt that got furthest. Costs no more than the pattern is large.
    """
    search = _Search(root, shares)
    if any(search.solve((Goal(pattern, result),)) for result in root.results):
        return search.match()
    raise search.rejection()


class _Search:
    """What patterns stand for so far, and a trail to take it back."""

    def __init__(self, root: Node, shares: bool) -> None:
        self.root = root
        self.shares = shares
        self.values: dict[Pattern, Value | None] = {}
        self.nodes: dict[Call, Node] = {}
        self.trail: list[tuple[Pattern, Call | None]] = []
        self.best: tuple[Miss, tuple[Node, ...]] | None = None
        self.furthest = (0, 0)

    def solve(self, goals: Goals) -> bool:
        """Whether all goals can be met together; what they stand for is then in `values` and `nodes`."""
        if not goals:
            return self.is_closed()
        (want, value), rest = goals[0], goals[1:]
        if want in self.values:
            return self.solve(rest) if self.values[want] is value else self.miss(_two_values(self.values[want], value))
        ways = want.ways(value)
        if isinstance(ways, Miss):
            return self.miss(ways)
        return any(self.attempt(want, value, (*more, *rest)) for more in ways)

    def attempt(self, want: Pattern, value: Value | None, goals: Goals) -> bool:
        mark = len(self.trail)
        if self.bind(want, value) and self.solve(goals):
            return True
        self.undo(mark)
        return False

    def bind(self, want: Pattern, value: Value | None) -> bool:
        """False where the pattern speaks of one node and the value comes from another."""
        call = want.call if isinstance(want, Result) else None
        node = value.producer if value is not None else None
        if call is not None and node is not None and self.nodes.setdefault(call, node) is not node:
            return self.miss(Miss("{} and {} must be one node", (self.nodes[call].name, node.name), node))
        self.values[want] = value
        self.trail.append((want, call))
        return True

    def undo(self, mark: int) -> None:
        while len(self.trail) > mark:
            want, call = self.trail.pop()
            del self.values[want]
            if call is not None and all(other is not call for _, other in self.trail):
                del self.nodes[call]

    def is_closed(self) -> bool:
        """Whether nothing but the root is read by nodes outside the match."""
        if self.shares:
            return True
        nodes = dict.fromkeys(self.nodes.values())
        outer = next((value for value in leaving(nodes) if value.producer is not self.root), None)
        if outer is None:
            return True
        return self.miss(Miss("%{} is read elsewhere, so it must be written to memory", (outer.name,), outer.producer))

    # The answer

    def miss(self, miss: Miss) -> bool:
        """Remember why it failed if no attempt got as far, in nodes and then in values; always False."""
        far = (len(self.nodes), len(self.values))
        if self.best is None or far > self.furthest:
            self.best, self.furthest = (miss, tuple(dict.fromkeys(self.nodes.values()))), far
        return False

    def rejection(self) -> Reject:
        if self.best is None:
            return Reject(f"{self.root.name} gives no result that the pattern could be", self.root)
        miss, reached = self.best
        return Reject(miss.sentence(), miss.node, in_order(reached))

    def match(self) -> Match:
        values = {w.name: v for w, v in self.values.items() if isinstance(w, Leaf) and w.name and v is not None}
        named = {call.name: node for call, node in self.nodes.items() if call.name}
        return Match(in_order(dict.fromkeys(self.nodes.values())), values, named)


def _two_values(first: Value | None, second: Value | None) -> Miss:
    names = [("nothing" if value is None else f"%{value.name}") for value in (first, second)]
    return Miss("one name stands for both {} and {}", (names[0], names[1]), second.producer if second else None)
