"""What several passes ask of values."""

from __future__ import annotations

from graphcost.ir import Graph, Value
from graphcost.names import Names
from graphcost.shapes import Facts
from graphcost.types import FLOATS, Constant, TensorType

MOST_INTEGERS, MOST_REALS = 1024, 64
"""How many values a weight keeps: what shapes, axes, scales and zero points need. The importer does the same."""


def is_known(facts: Facts, value: Value) -> bool:
    """Whether every element of a value is a known number."""
    array = facts.known(value)
    return array is not None and array.dtype != object


def constant_of(facts: Facts, value: Value) -> Constant | None:
    """The data of a value that is known; None where there are more of them than a weight keeps."""
    array, kind = facts.known(value), value.type
    if array is None or array.dtype == object or not isinstance(kind, TensorType):
        return None
    if array.size > (MOST_REALS if kind.dtype in FLOATS else MOST_INTEGERS):
        return None
    return Constant(kind.dtype, array.shape, tuple(array.reshape(-1).tolist()))


def is_output(value: Value) -> bool:
    """Whether the graph in which the value stands gives it out."""
    return any(reader.graph is not None and reader is reader.graph.exit for reader in value.readers)


class FreshNames:
    """Names for new values. The names of a graph are collected when the first one is asked for."""

    def __init__(self) -> None:
        self._names: dict[Graph, Names] = {}

    def unique(self, graph: Graph, wanted: str) -> str:
        if graph not in self._names:
            self._names[graph] = Names(value.name for value in graph.values())
        return self._names[graph].unique(wanted)
