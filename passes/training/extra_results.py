"""Results that an operator gives in training only to keep them for its backward: statistics, indices, masks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from graphcost.ir import Graph, Node, Value
from graphcost.types import NONE, NoneType, TensorType, Type


def give_extra_results(graph: Graph, node: Node) -> Node:
    """The node, or one in its place that has the further results which its operator keeps."""
    made = EXTRA.get(node.op)
    if made is None:
        return node
    types = list(made(node))
    absent = {i for i, type in enumerate(types) if isinstance(type, NoneType)}
    old = {i: r for i, r in enumerate(node.results) if i not in absent and not isinstance(r.type, NoneType)}
    names = [f"{node.results[0].name}.kept{i}" for i in range(len(types))]
    results = [old.get(i) or Value(names[i], type) for i, type in enumerate(types)]
    new = Node(node.op, node.operands, results, node.attrs, name=node.name, bodies=node.bodies, origin=node.own_origin)
    return graph.replace([node], new)


def _dims(node: Node, slot: int = 0) -> tuple[int, ...]:
    value = node.operand(slot)
    dims = value.type.dims if value is not None and isinstance(value.type, TensorType) else None
    return tuple(dim if isinstance(dim, int) else 1 for dim in dims or ())


def _f32(*dims: int) -> TensorType:
    return TensorType("f32", dims)


def _batch_norm(node: Node) -> Sequence[Type]:
    """Mean and inverse deviation of the batch, two floats a channel; the running ones are written in place."""
    channels = _dims(node)[1]
    return (node.results[0].type, NONE, NONE, _f32(channels), _f32(channels))


def _instance_norm(node: Node) -> Sequence[Type]:
    """Two floats for each channel of each image."""
    rows = math.prod(_dims(node)[:2])
    return (node.results[0].type, _f32(rows), _f32(rows))


def _group_norm(node: Node) -> Sequence[Type]:
    """Two floats for each group of each image."""
    groups = node.attrs.get("num_groups", 1)
    rows = _dims(node)[0] * (groups if isinstance(groups, int) else 1)
    return (node.results[0].type, _f32(rows), _f32(rows))


def _layer_norm(node: Node) -> Sequence[Type]:
    """Two floats a row."""
    rows = _rows(node)
    return (node.results[0].type, _f32(rows), _f32(rows))


def _rms_norm(node: Node) -> Sequence[Type]:
    """The inverse root, one float a row, and the normalised map."""
    return (node.results[0].type, _f32(_rows(node)), node.results[0].type)


def _rows(node: Node) -> int:
    axis = node.attrs.get("axis", -1)
    return math.prod(_dims(node)[: axis if isinstance(axis, int) else -1])


def _indices(node: Node) -> Sequence[Type]:
    """Where each maximum was found: int64."""
    kept = node.results[0].type
    return (kept, kept.with_dtype("i64")) if isinstance(kept, TensorType) else (kept,)


def _mask(node: Node) -> Sequence[Type]:
    """One byte an element."""
    kept = node.results[0].type
    return (kept, kept.with_dtype("bool")) if isinstance(kept, TensorType) else (kept,)


def _attention(node: Node) -> Sequence[Type]:
    """The logarithm of the sum of exponentials, a float for each row of each head's scores."""
    scores = [inner.results[0].type for body in node.bodies for inner in body if inner.op == "onnx.Softmax"]
    dims = scores[0].dims if scores and isinstance(scores[0], TensorType) else _dims(node)
    return (node.results[0].type, _f32(math.prod(dim for dim in (dims or ())[:-1] if isinstance(dim, int))))


EXTRA: Mapping[str, Callable[[Node], Sequence[Type]]] = {
    "onnx.BatchNormalization": _batch_norm,
    "onnx.InstanceNormalization": _instance_norm,
    "onnx.GroupNormalization": _group_norm,
    "group.group_norm": _group_norm,
    "onnx.LayerNormalization": _layer_norm,
    "group.layer_norm": _layer_norm,
    "group.rms_norm": _rms_norm,
    "onnx.RMSNormalization": _rms_norm,
    "onnx.MaxPool": _indices,
    "onnx.GlobalMaxPool": _indices,
    "onnx.Dropout": _mask,
    "group.attention": _attention,
}
