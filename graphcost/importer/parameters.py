"""How many parameters a model has: elements in the file, and elements of the network."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from graphcost.ir import Graph, Node, Value
from graphcost.types import FLOATS, TensorType

_QUANTISED = frozenset({"i8", "u8", "i4", "u4", "i2", "u2"})


_STATISTICS = frozenset({("onnx.BatchNormalization", 3), ("onnx.BatchNormalization", 4)})
"""Operands that a network carries but does not learn: running mean and variance."""

_LEARNT = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "LayerNormalization", "PRelu"})
"""Operators whose operands, the first apart, are parameters even where they are no initializers."""


@dataclass(frozen=True)
class ParameterCount:
    """`stored`: elements of the weights in the file; `distinct`: parameters of the network; `bytes` of the stored.

    Distinct counts a weight that an exporter merged with equal ones once for each alias (Identity nodes over it), one
    that ConstantOfShape makes though nothing is stored, and a tied weight with several readers once. Running
    statistics are stored, but no parameters. Integers that serve shapes and indices are neither.
    """

    stored: int
    distinct: int
    bytes: int


def count_parameters(graph: Graph, constants: Set[Value] = frozenset()) -> ParameterCount:
    """Count the weights of a graph and of the bodies in it, as imported; of `constants`, which were no initializers,
    those that a computation uses as a weight."""
    weights = [w for w in _all_weights(graph) if _is_numeric(w) and (w not in constants or _is_learnt(w))]
    stored = sum(_elements(w) for w in weights)
    distinct = sum(_elements(w) * _uses(w) for w in weights)
    generated = sum(_elements(node.results[0]) for node in graph.walk() if _makes_weight(node))
    return ParameterCount(stored, distinct + generated, sum(w.type.size_bytes or 0 for w in weights))


def _all_weights(graph: Graph) -> list[Value]:
    found = list(graph.weights)
    for node in graph.walk():
        for body in node.bodies:
            found += body.weights
    return found


def _is_numeric(value: Value) -> bool:
    return isinstance(value.type, TensorType) and (value.type.dtype in FLOATS or value.type.dtype in _QUANTISED)


def _elements(value: Value) -> int:
    return value.type.elements or 0


def _uses(weight: Value) -> int:
    """As how many parameters the network uses a weight: as one if anything but an Identity reads it, and one more for
    each Identity; readers that take it as a statistic do not count."""
    readers = [use.node for use in weight.uses if (use.node.op, use.slot) not in _STATISTICS]
    if not readers and weight.uses:
        return 0
    identities = sum(node.op == "onnx.Identity" for node in readers)
    return identities + (len(readers) > identities or not readers)


def _is_learnt(value: Value) -> bool:
    return any(use.slot > 0 and use.node.op.rpartition(".")[2] in _LEARNT for use in value.uses)


def _makes_weight(node: Node) -> bool:
    """A ConstantOfShape of constant shape that a computation reads as a weight, not as part of a shape."""
    if node.op != "onnx.ConstantOfShape" or not node.inputs or node.inputs[0].producer is not None:
        return False
    return _is_numeric(node.results[0]) and _is_learnt(node.results[0])
