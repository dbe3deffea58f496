"""Fusion rules as data: what to look for, when it holds, the kernel that it becomes, and how one knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphcost.ir import Graph, Node
from graphcost.types import Attr

from .anchor import Anchor
from .match import Match, Reject
from .outline import outline
from .pattern import Pattern, depth, trace
from .search import find

if TYPE_CHECKING:
    from graphcost.runtime import Precision, Version
    from graphcost.target import Target


@dataclass(frozen=True)
class Versions:
    """The versions of a runtime from `since` on, up to but not including `before`."""

    family: str
    since: Version = ()
    before: Version | None = None

    def hold(self, family: str, version: Version | None) -> bool:
        known = version or ()
        return family == self.family and known >= self.since and (self.before is None or known < self.before)

    def __str__(self) -> str:
        since = f" from {'.'.join(map(str, self.since))}" if self.since else ""
        before = f" before {'.'.join(map(str, self.before))}" if self.before else ""
        return f"{self.family}{since}{before}"


def always(match: Match) -> None:
    """No condition."""


def no_attrs(match: Match) -> Mapping[str, Attr]:
    return {}


def joined(match: Match) -> str:
    """The names of the nodes: `Conv_0 + Relu_1`."""
    return " + ".join(node.name for node in match.nodes)


@dataclass(frozen=True, kw_only=True)
class FusionRule:
    """Nodes that a runtime computes in one kernel. Frozen data: it keeps nothing from one match to the next.

    Exactly one of `pattern` (a function that builds the expression, see rewrite.pattern) and `anchor` says what to
    look for. A rule without evidence is an error: name a real engine's layer or a documented sentence.
    """

    name: str
    kernel: str  # the operator of the node that it makes
    priority: int  # a rule is tried everywhere before one of a lower priority is tried anywhere
    evidence: str
    pattern: Callable[..., Pattern] | None = None
    anchor: Anchor | None = None
    when: Callable[[Match], None] = always  # raises Reject
    attrs: Callable[[Match], Mapping[str, Attr]] = no_attrs  # of the kernel
    names: Callable[[Match], str] = joined  # of the kernel
    shares: bool = False  # whether inner values may be read by others, as further results of the kernel
    runtimes: tuple[Versions, ...] = ()  # empty: any
    precisions: frozenset[Precision] = frozenset()  # empty: any
    architectures: frozenset[str] = frozenset()  # "sm_53"; empty: any
    traced: Pattern | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if not self.evidence.strip():
            raise ValueError(f"rule {self.name} has no evidence: name an engine's layer or a documented sentence")
        if (self.pattern is None) == (self.anchor is None):
            raise ValueError(f"rule {self.name} must have either a pattern or an anchor")
        if self.pattern is not None:
            object.__setattr__(self, "traced", trace(self.pattern))

    @property
    def roots(self) -> frozenset[str]:
        """The operators of the nodes at which the rule is tried: the last of a pattern, or the anchor."""
        if self.anchor is not None:
            return self.anchor.ops
        return frozenset() if self.traced is None else self.traced.roots()

    @property
    def depth(self) -> int:
        """How far the nodes of a match can be from its root."""
        if self.anchor is not None:
            return self.anchor.limit
        return 0 if self.traced is None else depth(self.traced)

    def match(self, node: Node) -> Match:
        """The match rooted at a node. Raises Reject."""
        match = self._find(node)
        if len(match.nodes) == 1 and node.op == self.kernel:
            raise Reject(f"{node.name} is {self.kernel} already", node, match.nodes)
        try:
            self.when(match)
        except Reject as reason:
            raise Reject(reason.reason, reason.node, match.nodes) from reason
        return match

    def _find(self, node: Node) -> Match:
        if self.anchor is not None:
            return self.anchor.find(node)
        if self.traced is None:
            raise TypeError(f"rule {self.name} has nothing to look for")
        return find(self.traced, node, shares=self.shares)

    def apply(self, graph: Graph, match: Match) -> Node:
        """Put the matched nodes into one kernel, named after them. Raises Reject, the graph then being unchanged."""
        return outline(graph, match.nodes, self.kernel, self.attrs(match), self.names(match))

    def refuse_target(self, target: Target) -> None:
        """Raise Reject when the rule does not hold for a target."""
        runtime, device = target.runtime, target.device
        if self.runtimes and not any(versions.hold(runtime.family, runtime.version) for versions in self.runtimes):
            raise Reject(f"{self.name} holds for {' or '.join(map(str, self.runtimes))}, not for {runtime.name}")
        if self.precisions and target.precision not in self.precisions:
            raise Reject(f"{self.name} holds for precision {_either(self.precisions)}, not for {target.precision}")
        if self.architectures and (device is None or device.sm not in self.architectures):
            found = "an unknown device" if device is None else device.sm
            raise Reject(f"{self.name} holds for {_either(self.architectures)}, not for {found}")


def _either(names: frozenset[str]) -> str:
    return " or ".join(sorted(names))


def rules_for(rules: tuple[FusionRule, ...], target: Target) -> tuple[FusionRule, ...]:
    """The rules that hold for a target."""
    return tuple(rule for rule in rules if _holds(rule, target))


def _holds(rule: FusionRule, target: Target) -> bool:
    try:
        rule.refuse_target(target)
    except Reject:
        return False
    return True
