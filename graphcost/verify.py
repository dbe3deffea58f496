"""The rules that every graph keeps between passes: what breaks one is a bug in a pass or in the importer."""

from __future__ import annotations

from .ir import Graph, InvalidIR, Node, Value


def verify(graph: Graph) -> None:
    """Raise InvalidIR unless every rule of the IR holds: definitions before uses, use lists that agree with operands,
    one producer for each result, names that are unique, bodies bound to operands that exist.

    A body that is as it was when it was found valid is not looked at again.
    """
    seen: set[Value] = {*graph.inputs, *graph.weights}
    names = {value.name for value in seen}
    if len(names) != len(seen):
        raise InvalidIR(f"graph {graph.name}: two inputs or weights share a name")
    for node in graph:
        _verify_node(node, seen)
        for result in node.results:
            _verify_result(node, result, names)
        seen.update(node.results)
    for slot, output in enumerate(graph.exit.operands):
        if output is None or output not in seen or (graph.exit, slot) not in output._uses:
            raise InvalidIR(f"graph {graph.name}: output {output!r} has no definition")
    graph.verified_epoch = graph.epoch


def _verify_node(node: Node, seen: set[Value]) -> None:
    for slot, operand in enumerate(node.operands):
        if operand is None:
            continue
        if operand not in seen:
            raise InvalidIR(f"{node.name}: operand %{operand.name} is not defined before use")
        if (node, slot) not in operand._uses:
            raise InvalidIR(f"{node.name}: %{operand.name} does not know that it is read")
    for body in node.bodies:
        _verify_body(node, body)


def _verify_result(node: Node, result: Value, names: set[str]) -> None:
    if result.producer is not node:
        raise InvalidIR(f"{node.name}: %{result.name} is the result of another node")
    if result.name in names:
        raise InvalidIR(f"{node.name}: the name %{result.name} is taken")
    names.add(result.name)


def _verify_body(node: Node, body: Graph) -> None:
    if len(body.binds) != len(body.inputs):
        raise InvalidIR(f"{node.name}: body {body.name} has {len(body.inputs)} inputs and {len(body.binds)} binds")
    for value, slot in zip(body.inputs, body.binds):
        if slot is not None and node.operand(slot) is None:
            raise InvalidIR(f"{node.name}: %{value.name} of body {body.name} is bound to slot {slot}, which is empty")
    if body.verified_epoch != body.epoch:
        verify(body)
