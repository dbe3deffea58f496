"""Views: nodes that only give a tensor another shape. They launch nothing, so passes may add and merge them freely."""

from __future__ import annotations

from collections.abc import Sequence

from graphcost.ir import Graph, Node, Value
from graphcost.origin import Origin
from graphcost.types import Constant, Dim, TensorType

from .values import FreshNames

VIEWS = frozenset({"onnx.Reshape", "onnx.Flatten", "onnx.Squeeze", "onnx.Unsqueeze"})


def dims_of(value: Value | None) -> tuple[Dim, ...] | None:
    """The shape of a tensor; None where its rank is not known."""
    return value.type.dims if value is not None and isinstance(value.type, TensorType) else None


def target_of(dims: Sequence[Dim]) -> Constant | None:
    """What a Reshape must be given to make this shape: -1 for one dimension that is not known. None where two are not,
    or where the tensor is empty (a zero means something else to Reshape)."""
    unknown = sum(not isinstance(dim, int) for dim in dims)
    if unknown > 1 or 0 in dims:
        return None
    return Constant("i64", (len(dims),), tuple(dim if isinstance(dim, int) else -1 for dim in dims))


def reshape_to(
    graph: Graph, names: FreshNames, source: Value, result: Value, *, name: str, origin: Sequence[Origin] = ()
) -> Node:
    """A Reshape of `source` that gives `result`, whose type must be set, and for whose shape `target_of` must hold."""
    target = target_of(dims_of(result) or ())
    assert target is not None, f"{name}: no Reshape makes %{result.name}"
    shape = graph.add_weight(Value(names.unique(graph, f"{result.name}.shape"), target.type, target))
    return Node("onnx.Reshape", [source, shape], [result], name=name, origin=origin)
