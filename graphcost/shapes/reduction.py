"""Reductions over axes, running sums, and the positions of extremes."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Dim, TensorType, Type, Unknown, bound

from .reading import (
    Dims,
    at,
    axis_of,
    data_dependent,
    dims,
    give,
    has,
    integer,
    integers,
    known_dim,
    known_dims,
    like,
    typed,
)


def reduce(node: Node, known: Known) -> list[Type]:
    """Axes are operand 1; without any, every axis is reduced unless `noop_with_empty_axes` says none."""
    return give(node, typed(node, 0, _reduced(node, dims(node, 0), _axes(node, known), integer(node, "keepdims", 1))))


def _axes(node: Node, known: Known) -> Dims | None:
    """None when they are given but not known."""
    return known_dims(node, known, 1) if has(node, 1) else ()


def _reduced(node: Node, data: Dims | None, axes: Dims | None, keep: int) -> Dims | None:
    if data is None:
        return None
    if axes is None or any(isinstance(axis, Unknown) for axis in axes):
        return _maybe_reduced(node, data) if keep else _some_left(node, data)
    gone = {axis_of(node, axis, len(data)) for axis in axes if isinstance(axis, int)}
    if not axes and not integer(node, "noop_with_empty_axes"):
        gone = set(range(len(data)))
    if keep:
        return tuple(1 if axis in gone else dim for axis, dim in enumerate(data))
    return tuple(dim for axis, dim in enumerate(data) if axis not in gone)


def _maybe_reduced(node: Node, data: Dims) -> Dims:
    """Nobody knows which axes are reduced: each dimension is what it was, or 1."""
    highs = (None if (high := bound(dim)) is None else max(high, 1) for dim in data)
    return tuple(d if d == 1 else Unknown(f"{node.name}.{axis}", h) for axis, (d, h) in enumerate(zip(data, highs)))


def _some_left(node: Node, data: Dims) -> Dims | None:
    """Nobody knows which axes go, but how many do: dimension i that is left was one of i … i + gone."""
    count = dims(node, 1)
    if count is None or len(count) != 1 or not isinstance(count[0], int) or not 0 < count[0] <= len(data):
        return None
    gone = count[0]
    return tuple(_one_of(f"{node.name}.{i}", data[i : i + gone + 1]) for i in range(len(data) - gone))


def _one_of(name: str, candidates: Dims) -> Dim:
    """A dimension that is one of several."""
    if len(set(candidates)) == 1:
        return candidates[0]
    highs = [bound(dim) for dim in candidates]
    return Unknown(name, None if None in highs else max(high for high in highs if high is not None))


def reduce_by_attribute(dtype: str | None = None) -> InferTypes:
    """com.microsoft: axes are an attribute."""

    def infer(node: Node, known: Known) -> list[Type]:
        shape = _reduced(node, dims(node, 0), integers(node, "axes"), integer(node, "keepdims", 1))
        result = typed(node, 0, shape)
        return give(node, result if dtype is None else result.with_dtype(dtype))

    return infer


def arg_extreme(node: Node, known: Known) -> list[Type]:
    shape = _reduced(node, dims(node, 0), (integer(node, "axis"),), integer(node, "keepdims", 1))
    return give(node, TensorType("i64", shape))


def top_k(node: Node, known: Known) -> list[Type]:
    """Values and their positions; `k` is operand 1."""
    data = dims(node, 0)
    if data is None:
        return give(node, typed(node, 0, None), TensorType("i64", None))
    axis = axis_of(node, integer(node, "axis", -1), len(data))
    k: Dim | None = known_dim(node, known, 1)
    shape = at(data, axis, data_dependent(node, data[axis]) if k is None else k)
    return give(node, typed(node, 0, shape), TensorType("i64", shape))


def determinant(node: Node, known: Known) -> list[Type]:
    """One number for each matrix [m, m] in the last two axes."""
    data = dims(node, 0)
    return give(node, typed(node, 0, None if data is None else data[:-2]))


_KINDS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")

SHAPES: Mapping[str, InferTypes] = {
    **{f"onnx.Reduce{kind}": reduce for kind in _KINDS},
    "onnx.ArgMax": arg_extreme,
    "onnx.ArgMin": arg_extreme,
    "onnx.CumProd": like(0),
    "onnx.CumSum": like(0),
    "onnx.Det": determinant,
    "onnx.TopK": top_k,
    "com.microsoft.QLinearReduceMean": reduce_by_attribute(),
    "com.microsoft.ReduceSumInteger": reduce_by_attribute("i32"),
}
