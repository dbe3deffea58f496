"""How many parameters a model has: elements in the file, and elements of the network."""

from __future__ import annotations

from dataclasses import dataclass

from graphcost.ir import Graph, Node, Value
from graphcost.types import FLOATS, TensorType

_QUANTISED = frozenset({"i8", "u8", "i4", "u4", "i2", "u2"})


@dataclass(frozen=True)
class ParameterCount:
    """`stored`: elements of the weights in the file; `distinct`: elements that the network has; `bytes` of the stored.

    Distinct counts a weight that an exporter merged with equal ones once for each alias (Identity nodes over it), a
    weight that is made by ConstantOfShape though nothing is stored, and a tied weight with several readers once.
    Integers that serve shapes and indices are no parameters.
    """

    stored: int
    distinct: int
    bytes: int


def count_parameters(graph: Graph) -> ParameterCount:
    """Count the weights of a graph and of the bodies in it, as imported."""
    weights = [w for w in _all_weights(graph) if _is_parameter(w)]
    stored = sum(_elements(w) for w in weights)
    aliases = sum(_elements(w) * max(_aliases(w) - 1, 0) for w in weights)
    generated = sum(_elements(node.results[0]) for node in graph.walk() if _makes_weight(node))
    return ParameterCount(stored, stored + aliases + generated, sum(w.type.size_bytes or 0 for w in weights))


def _all_weights(graph: Graph) -> list[Value]:
    found = list(graph.weights)
    for node in graph.walk():
        for body in node.bodies:
            found += body.weights
    return found


def _is_parameter(value: Value) -> bool:
    return isinstance(value.type, TensorType) and (value.type.dtype in FLOATS or value.type.dtype in _QUANTISED)


def _elements(value: Value) -> int:
    return value.type.elements or 0


def _aliases(weight: Value) -> int:
    """Under how many names the network uses a weight: its own, if anything but an Identity reads it, and one for each
    Identity."""
    readers = weight.readers
    identities = sum(node.op == "onnx.Identity" for node in readers)
    return identities + any(node.op != "onnx.Identity" for node in readers)


def _makes_weight(node: Node) -> bool:
    """A ConstantOfShape with a constant shape that a computation reads as a weight, not as part of a shape."""
    if node.op != "onnx.ConstantOfShape" or node.inputs[0].producer is not None or not _is_parameter(node.results[0]):
        return False
    return any(reader.op in ("onnx.Conv", "onnx.Gemm", "onnx.MatMul", "onnx.BatchNormalization")
               for reader in node.results[0].readers)  # fmt: skip
