"""Data of small tensors: what rearranges, selects, reduces and fills."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy

from graphcost.ir import Node
from graphcost.operators import Evaluate
from graphcost.types import Constant, TensorType, Unknown

from .evaluate import strict
from .filling import part
from .reading import axis_of, dims, integer, integers, word

if TYPE_CHECKING:
    Array: TypeAlias = numpy.ndarray[Any, Any]


def _dims_array(values: Sequence[Any]) -> Array:
    """Integers, or objects where one of them is an unknown dimension."""
    mixed = any(isinstance(value, Unknown) for value in values)
    return numpy.array(values, dtype=object if mixed else numpy.int64)


def _shape(node: Node, arrays: Sequence[Array | None]) -> Sequence[Array | None]:
    data = dims(node, 0)
    return [None if data is None else _dims_array(part(node, data))]


def _size(node: Node, arrays: Sequence[Array | None]) -> Sequence[Array | None]:
    data = dims(node, 0)
    if data is None:
        return [None]
    return [numpy.array(numpy.prod(_dims_array(data), initial=1, dtype=object))]


def _result(node: Node) -> tuple[int, ...] | None:
    """The dimensions of the first result, which shape inference found out before."""
    type = node.results[0].type
    if not isinstance(type, TensorType) or type.dims is None:
        return None
    return tuple(dim for dim in type.dims if isinstance(dim, int)) if type.is_static else None


def _reshaped(node: Node, array: Array, *_: Array) -> Array | None:
    """Reshape, Flatten, Squeeze, Unsqueeze: the elements stay in order."""
    result = _result(node)
    return None if result is None else array.reshape(result)


def _identity(node: Node, array: Array) -> Array:
    return array


def _transpose(node: Node, array: Array) -> Array:
    return array.transpose(integers(node, "perm") or None)


def _concat(node: Node, arrays: Sequence[Array | None]) -> Sequence[Array | None]:
    """Parts that nobody knows become unknown entries beside those that are known: a shape stays partly known."""
    if all(array is None and not _is_entry(node, slot) for slot, array in enumerate(arrays)):
        return [None]
    parts = [_unknown_entries(node, slot) if array is None else array for slot, array in enumerate(arrays)]
    if any(part is None for part in parts):
        return [None]
    return [numpy.concatenate([part for part in parts if part is not None], axis=integer(node, "axis"))]


def _is_entry(node: Node, slot: int) -> bool:
    """Single numbers that are put side by side are a shape."""
    return dims(node, slot) == (1,)


def _unknown_entries(node: Node, slot: int) -> Array | None:
    value, shape = node.operand(slot), dims(node, slot)
    if value is None or shape is None or not isinstance(value.type, TensorType) or value.type.dtype != "i64":
        return None
    if len(shape) != 1 or not isinstance(shape[0], int):
        return None
    return numpy.array([Unknown(f"{value.name}.{i}" if shape[0] > 1 else value.name) for i in range(shape[0])], object)


def _split(node: Node, arrays: Sequence[Array | None]) -> Sequence[Array | None]:
    data = arrays[0]
    if data is None:
        return [None] * len(node.results)
    axis = integer(node, "axis")
    sizes = [r.type.dims[axis] for r in node.results if isinstance(r.type, TensorType) and r.type.dims]
    return numpy.split(data, numpy.cumsum(numpy.array(sizes, dtype=numpy.int64))[:-1], axis=axis)


def _slice(
    node: Node, data: Array, starts: Array, ends: Array, axes: Array | None = None, steps: Array | None = None
) -> Array | None:
    if any(a is not None and a.dtype == object for a in (starts, ends, axes, steps)):
        return None
    along = range(len(starts)) if axes is None else axes.tolist()
    window = [slice(None)] * data.ndim
    for i, axis in enumerate(along):
        step = 1 if steps is None else int(steps[i])
        window[axis] = slice(int(starts[i]), _end(int(ends[i]), data.shape[axis], step), step)
    return numpy.asarray(data[tuple(window)])


def _end(end: int, size: int, step: int) -> int | None:
    """A backward slice that ends before the first element has no end that Python could write as a number."""
    return None if step < 0 and end < -size else end


def _gather(node: Node, data: Array, indices: Array) -> Array | None:
    return None if indices.dtype == object else numpy.take(data, indices, axis=integer(node, "axis"))


def _gather_elements(node: Node, data: Array, indices: Array) -> Array | None:
    if indices.dtype == object or data.ndim != indices.ndim:
        return None
    axis = integer(node, "axis")
    return numpy.take_along_axis(data, indices % data.shape[axis], axis=axis)


def _gather_nd(node: Node, data: Array, indices: Array) -> Array | None:
    if indices.dtype == object or integer(node, "batch_dims"):
        return None
    return numpy.asarray(data[tuple(numpy.moveaxis(indices, -1, 0))])


def _scatter_nd(node: Node, data: Array, indices: Array, updates: Array) -> Array | None:
    if indices.dtype == object or word(node, "reduction", "none") != "none":
        return None
    made = data.astype(object if updates.dtype == object else data.dtype)
    made[tuple(numpy.moveaxis(indices, -1, 0))] = updates
    return made


def _scatter_elements(node: Node, data: Array, indices: Array, updates: Array) -> Array | None:
    if indices.dtype == object or word(node, "reduction", "none") != "none":
        return None
    made = data.astype(object if updates.dtype == object else data.dtype)
    axis = integer(node, "axis")
    numpy.put_along_axis(made, indices % data.shape[axis], updates, axis=axis)
    return made


def _expand(node: Node, array: Array, *_: Array) -> Array | None:
    result = _result(node)
    return None if result is None else numpy.broadcast_to(array, result)


def _tile(node: Node, array: Array, repeats: Array) -> Array | None:
    return None if repeats.dtype == object else numpy.tile(array, repeats)


def _pad(node: Node, array: Array, pads: Array, value: Array | None = None, axes: Array | None = None) -> Array | None:
    mode = word(node, "mode", "constant")
    if pads.dtype == object or (pads < 0).any() or mode not in ("constant", "edge", "reflect", "wrap"):
        return None
    along = list(range(array.ndim)) if axes is None else axes.tolist()
    widths = [(0, 0)] * array.ndim
    for i, axis in enumerate(along):
        widths[axis] = (int(pads[i]), int(pads[len(along) + i]))
    if mode != "constant":
        return numpy.pad(array, widths, mode=mode)  # type: ignore[call-overload, no-any-return]
    return numpy.pad(array, widths, constant_values=0 if value is None or value.size == 0 else value.reshape(-1)[0])


def _constant_of_shape(node: Node, target: Array) -> Array | None:
    value, result = node.attrs.get("value"), _result(node)
    if result is None or isinstance(value, TensorType):
        return None
    fill = value.array().reshape(-1)[0] if isinstance(value, Constant) else 0.0
    return numpy.full(result, fill)


def _range(node: Node, start: Array, limit: Array, delta: Array) -> Array | None:
    if object in (start.dtype, limit.dtype, delta.dtype):
        return None
    first, step, result = start.reshape(-1)[0], delta.reshape(-1)[0], _result(node)
    return None if result is None else first + step * numpy.arange(result[0])


def _reduction(reduce: Any, neutral: bool) -> Evaluate:
    """`neutral`: whether the reduction of nothing has a value."""

    def compute(node: Node, array: Array, axes: Array | None = None) -> Array | None:
        along = None if axes is None or axes.size == 0 else tuple(int(axis) for axis in axes.reshape(-1))
        if along is None and integer(node, "noop_with_empty_axes"):
            return array
        if not neutral and (array.size == 0 or array.dtype == object):
            return None
        return numpy.asarray(reduce(array, axis=along, keepdims=bool(integer(node, "keepdims", 1))))

    return strict(compute)


def _arg(pick: Any) -> Evaluate:
    def compute(node: Node, array: Array) -> Array | None:
        if array.dtype == object or integer(node, "select_last_index"):
            return None
        return numpy.asarray(pick(array, axis=integer(node, "axis"), keepdims=bool(integer(node, "keepdims", 1))))

    return strict(compute)


def _cum_sum(node: Node, array: Array, axis: Array) -> Array | None:
    along = axis_of(node, int(axis.reshape(-1)[0]), array.ndim)
    if integer(node, "reverse"):
        array = numpy.flip(array, along)
    total = numpy.cumsum(array, axis=along)
    if integer(node, "exclusive"):
        total = total - array
    return numpy.flip(total, along) if integer(node, "reverse") else total


def _non_zero(node: Node, array: Array) -> Array | None:
    if array.dtype == object:
        return None
    return numpy.stack(numpy.nonzero(numpy.atleast_1d(array))).astype(numpy.int64)


def _compress(node: Node, array: Array, condition: Array) -> Array | None:
    if condition.dtype == object:
        return None
    axis = node.attrs.get("axis")
    return numpy.compress(condition, array, axis=axis if isinstance(axis, int) else None)


def _trilu(node: Node, array: Array, offset: Array | None = None) -> Array:
    k = 0 if offset is None else int(offset.reshape(-1)[0])
    return numpy.triu(array, k) if integer(node, "upper", 1) else numpy.tril(array, k)


def _top_k(node: Node, arrays: Sequence[Array | None]) -> Sequence[Array | None]:
    data, k = arrays[0], arrays[1]
    if data is None or k is None or object in (data.dtype, k.dtype):
        return [None, None]
    axis = integer(node, "axis", -1)
    order = numpy.argsort(-data if integer(node, "largest", 1) else data, axis=axis, kind="stable")
    best = numpy.take(order, range(int(k.reshape(-1)[0])), axis=axis)
    return [numpy.take_along_axis(data, best, axis=axis), best]


_EVALUATORS: Mapping[str, Evaluate] = {
    "Shape": _shape,
    "Size": _size,
    "Identity": strict(_identity),
    "Reshape": strict(_reshaped),
    "Flatten": strict(_reshaped),
    "Squeeze": strict(_reshaped),
    "Unsqueeze": strict(_reshaped),
    "Transpose": strict(_transpose),
    "Concat": _concat,
    "Split": _split,
    "Slice": strict(_slice),
    "Gather": strict(_gather),
    "GatherElements": strict(_gather_elements),
    "GatherND": strict(_gather_nd),
    "ScatterND": strict(_scatter_nd),
    "ScatterElements": strict(_scatter_elements),
    "Expand": strict(_expand),
    "Tile": strict(_tile),
    "Pad": strict(_pad),
    "ConstantOfShape": strict(_constant_of_shape),
    "Range": strict(_range),
    "ReduceSum": _reduction(numpy.sum, neutral=True),
    "ReduceProd": _reduction(numpy.prod, neutral=True),
    "ReduceMin": _reduction(numpy.min, neutral=False),
    "ReduceMax": _reduction(numpy.max, neutral=False),
    "ReduceMean": _reduction(numpy.mean, neutral=False),
    "ArgMax": _arg(numpy.argmax),
    "ArgMin": _arg(numpy.argmin),
    "CumSum": strict(_cum_sum),
    "NonZero": strict(_non_zero),
    "Compress": strict(_compress),
    "Trilu": strict(_trilu),
    "TopK": _top_k,
}

EVALUATORS: Mapping[str, Evaluate] = {f"onnx.{name}": evaluate for name, evaluate in _EVALUATORS.items()}
