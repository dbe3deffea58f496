"""The mutations that rewriting is made of: put nodes into a kernel, put kernels side by side, leave a node out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphcost.ir import Graph, InvalidIR, Node, Value
from graphcost.types import Attr

from .body import BodyMaker
from .match import Reject, leaving


def outline(
    graph: Graph,
    nodes: Sequence[Node],
    op: str,
    attrs: Mapping[str, Attr] | None = None,
    name: str = "",
    *,
    inlines: bool = False,
) -> Node:
    """Replace nodes, given in the order of execution, by one node whose body computes what they did.

    The kernel stands where the last of the nodes stood. It takes over the results that others read, so values keep
    their names and readers. Others that read such a result before the kernel runs are moved behind it.
    Raises Reject when a path leaves the nodes and comes back to them, InvalidIR when they do not stand in the graph.
    Costs O(nodes) while only the last one is read by others; else also the stretch back to the first that is.
    """
    _refuse_strangers(graph, nodes)
    results = leaving(nodes) or list(nodes[-1].results[:1])
    late = _late_readers(graph, nodes, results)
    maker = BodyMaker(inlines=inlines)
    bodies = [maker.make(nodes, results)]
    return _replace(graph, nodes, late, _kernel(op, attrs, name, maker, bodies, results))


def merge_horizontal(
    graph: Graph, nodes: Sequence[Node], op: str, attrs: Mapping[str, Attr] | None = None, name: str = ""
) -> Node:
    """Replace nodes that do not need each other, given in the order of execution, by one node that has the body of
    each side by side. An operand that several read is read once; the results of all become results of the one.

    Stands, refuses and costs as `outline` does; also raises Reject when one of the nodes reads another.
    """
    _refuse_strangers(graph, nodes)
    _refuse_dependence(nodes)
    read_by_others = set(leaving(nodes))
    given = [[r for r in node.results if r in read_by_others] or list(node.results[:1]) for node in nodes]
    results = [result for part in given for result in part]
    late = _late_readers(graph, nodes, results)
    maker = BodyMaker()
    bodies = [maker.make([node], part) for node, part in zip(nodes, given)]
    return _replace(graph, nodes, late, _kernel(op, attrs, name, maker, bodies, results))


def bypass(graph: Graph, node: Node, value: Value) -> None:
    """Take a node out and let the readers of its first result read `value` instead.

    An output of the graph keeps its name where `value` is free to bear it: made by a node, and no output itself.
    Raises InvalidIR when something reads another result of the node.
    """
    result = node.results[0]
    renamed = graph.exit in result.readers and value.producer is not None and graph.exit not in value.readers
    result.replace_by(value)
    graph.remove(node)
    if renamed:
        value.name = result.name


# Kernels


def _kernel(
    op: str,
    attrs: Mapping[str, Attr] | None,
    name: str,
    maker: BodyMaker,
    bodies: Sequence[Graph],
    results: Sequence[Value],
) -> Node:
    return Node(op, tuple(maker.operands), results, attrs, name=name, bodies=bodies, origin=maker.origin)


def _replace(graph: Graph, nodes: Sequence[Node], late: Sequence[Node], kernel: Node) -> Node:
    graph.replace(nodes, kernel)
    for reader in late:
        graph.move_before(kernel, reader)
    if late:
        graph.move_before(late[0], kernel)
    return kernel


def _refuse_dependence(nodes: Sequence[Node]) -> None:
    inside = set(nodes)
    for node in nodes:
        if read := [value.name for value in node.inputs if value.producer in inside]:
            raise Reject(f"{node.name} reads %{read[0]} of another, so they cannot run side by side", node, nodes)


# Order


def _late_readers(graph: Graph, nodes: Sequence[Node], results: Sequence[Value]) -> list[Node]:
    """The other nodes that need what the kernel gives and stand before its place, in the order of execution."""
    inside, last = set(nodes), nodes[-1]
    early = {result.producer for result in results if result.producer is not last}
    stretch = [*_back_to(graph, last, early), last] if early else []
    late: dict[Node, None] = {}
    for node in stretch:
        needs = {value.producer for value in node.inputs}
        is_late = not needs.isdisjoint(late)
        if node not in inside and (is_late or not needs.isdisjoint(inside)):
            late[node] = None
        elif is_late:
            reason = f"{node.name} needs a node outside that needs the kernel, so it cannot be part of it"
            raise Reject(reason, node, nodes)
    return list(late)


def _refuse_strangers(graph: Graph, nodes: Sequence[Node]) -> None:
    if not nodes or len(set(nodes)) < len(nodes):
        raise InvalidIR("a kernel is made of one or more nodes, each given once")
    for node in nodes:
        if node.graph is not graph:
            raise InvalidIR(f"{node.name} does not stand in graph {graph.name}")


def _back_to(graph: Graph, last: Node, wanted: set[Node | None]) -> list[Node]:
    """The nodes before `last`, from the first of the wanted ones on, in the order of execution."""
    missing, found = set(wanted), []
    for node in graph.before(last):
        found.append(node)
        missing.discard(node)
        if not missing:
            return found[::-1]
    raise InvalidIR(f"{last.name} is not the last of its nodes: give them in the order of execution")
