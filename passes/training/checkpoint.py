"""Activation checkpoints: segments of the forward part that keep only what goes in and are run again in backward."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from graphcost.errors import UsageError
from graphcost.ir import Graph, Node, Value, clone

SQRT = "sqrt"


@dataclass(frozen=True, eq=False)
class Segment:
    """Consecutive nodes of the forward part, run again as a whole."""

    nodes: tuple[Node, ...]


def segments_of(forward: Sequence[Node], wanted: Sequence[str]) -> dict[Node, Segment]:
    """The segment of each node that is in one. A word of `wanted` is a pattern for names of modules (`blocks.*`: each
    is a segment, as with torch.utils.checkpoint), else for names of nodes (a segment ends at each), or `sqrt`."""
    if not wanted:
        return {}
    if tuple(wanted) == (SQRT,):
        return _between(forward, _cuts(forward))
    found: dict[Node, Segment] = {}
    ends: list[int] = []
    for word in wanted:
        modules = _modules(forward, word)
        for first, last in modules:
            found.update(_segment(forward[first : last + 1]))
        ends += [] if modules else _named(forward, word)
    return {**_between(forward, sorted(set(ends))), **found}


def recompute(graph: Graph, segment: Segment, needed: Iterable[Value]) -> dict[Value, Value]:
    """Append the nodes that make the needed values once more; each value of the segment that was made again."""
    inside = {result: node for node in segment.nodes for result in node.results}
    wanted, stack = set[Node](), [value for value in needed if value in inside]
    while stack:
        node = inside[stack.pop()]
        if node not in wanted:
            wanted.add(node)
            stack += [value for value in node.inputs if value in inside]
    again: dict[Value, Value] = {}
    for node in segment.nodes:
        if node in wanted:
            _run_again(graph, node, again)
    return again


def _run_again(graph: Graph, node: Node, again: dict[Value, Value]) -> None:
    results = [Value(f"{result.name}.again", result.type) for result in node.results]
    operands = [again.get(value, value) if value is not None else None for value in node.operands]
    attrs = {**node.attrs, "phase": "backward", "recomputed": 1}
    bodies = [clone(body) for body in node.bodies]
    graph.append(Node(node.op, operands, results, attrs, name=f"{node.name}.again", bodies=bodies, origin=()))
    again.update(zip(node.results, results))


def _segment(nodes: Sequence[Node]) -> Mapping[Node, Segment]:
    return dict.fromkeys(nodes, Segment(tuple(nodes)))


def _between(forward: Sequence[Node], ends: Sequence[int]) -> dict[Node, Segment]:
    """A segment up to each end; what comes after the last is kept."""
    found: dict[Node, Segment] = {}
    for start, end in zip([-1, *ends], ends):
        found.update(_segment(forward[start + 1 : end + 1]))
    return found


def _named(forward: Sequence[Node], word: str) -> list[int]:
    ends = [i for i, node in enumerate(forward) if any(fnmatchcase(name, word) for name in _names(node))]
    if not ends:
        raise UsageError(f"--checkpoint '{word}' is no name of a module or a node, nor 'sqrt'")
    return ends


def _names(node: Node) -> list[str]:
    return [node.name, *(origin.name for origin in node.origin)]


def _modules(forward: Sequence[Node], word: str) -> list[tuple[int, int]]:
    """First and last node of each module whose name matches."""
    spans: dict[str, tuple[int, int]] = {}
    for index, node in enumerate(forward):
        path = _path(node.name)
        for depth, part in enumerate(path[:-1]):
            if fnmatchcase(part, word):
                module = "/".join(path[: depth + 1])
                spans[module] = (spans.get(module, (index, index))[0], index)
    return list(spans.values())


def _path(name: str) -> list[str]:
    """The modules around a node and its own name: exporters write `/layer1/layer1.0/conv1/Conv`, and passes may put a
    word before (`reshape_after_/layer1/…`)."""
    first = name.split(" + ")[0]
    return first[first.find("/") + 1 :].split("/")


def _cuts(forward: Sequence[Node]) -> list[int]:
    """About √n of the places where a single tensor of the forward part goes over, evenly spread."""
    narrow = _narrow(forward)
    count = math.isqrt(len(narrow))
    return [narrow[(i + 1) * len(narrow) // (count + 1)] for i in range(count)] if count else []


def _narrow(forward: Sequence[Node]) -> list[int]:
    """Positions after which exactly one value that the forward part made is still to be read."""
    last = {value: index for index, node in enumerate(forward) for value in node.inputs if value.producer is not None}
    open_, narrow = 0, list[int]()
    ending: dict[int, int] = {}
    for index, node in enumerate(forward):
        for result in node.results:
            if result in last:
                open_ += 1
                ending[last[result]] = ending.get(last[result], 0) + 1
        open_ -= ending.get(index, 0)
        if open_ == 1:
            narrow.append(index)
    return narrow
