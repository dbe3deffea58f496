"""Which nodes are left when everything that is known before the network runs has been computed."""

from __future__ import annotations

from collections.abc import Iterator

from graphcost.ir import Graph, Node, Value
from graphcost.shapes import Facts

_NEVER_CONSTANT = frozenset({
    "onnx.RandomNormal", "onnx.RandomNormalLike", "onnx.RandomUniform", "onnx.RandomUniformLike", "onnx.Bernoulli",
    "onnx.Multinomial", "onnx.Dropout", "onnx.QuantizeLinear", "onnx.DequantizeLinear", "onnx.DynamicQuantizeLinear",
})  # fmt: skip
"""What gives something else each time it runs, and what says in which precision a weight is used."""


def executed_nodes(graph: Graph, facts: Facts) -> Iterator[Node]:
    """The nodes that no constant folding removes, in execution order, each followed by those of its bodies."""
    constant: set[Value] = set(graph.weights)
    for node in graph:
        if _folds(node, facts, constant):
            constant.update(node.results)
            continue
        yield node
        for body in node.bodies:
            yield from executed_nodes(body, facts)


def _folds(node: Node, facts: Facts, constant: set[Value]) -> bool:
    if node.op in _NEVER_CONSTANT or node.bodies or not node.op.startswith("onnx."):
        return False
    if node.inputs and constant.issuperset(node.inputs):
        return True
    read = [result for result in node.results if result.use_count]
    return bool(read) and all(_is_known(facts, result) for result in read)


def _is_known(facts: Facts, value: Value) -> bool:
    array = facts.known(value)
    return array is not None and array.dtype != object
