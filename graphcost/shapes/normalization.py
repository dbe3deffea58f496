"""Normalisations, softmax and dropout: the result has the shape of the operand, statistics come beside it."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Type

from .reading import axis_of, dims, element_type, give, integer, like, plain, typed


def batch_norm(node: Node, known: Known) -> list[Type]:
    """Y, running mean, running variance; old forms add the saved mean and variance. All have one entry a channel."""
    return give(node, plain(node, 0), *(plain(node, slot) for slot in (3, 4, 3, 4)))


def layer_norm(node: Node, known: Known) -> list[Type]:
    """Y, mean, inverse standard deviation: the statistics have 1 on each normalised axis and the stash type."""
    data, stash = dims(node, 0), element_type(node, "stash_type", "f32")
    statistics = typed(node, 0, None).with_dtype(stash)
    if data is not None:
        axis = axis_of(node, integer(node, "axis", -1), len(data))
        statistics = statistics.with_dims((*data[:axis], *(1 for _ in data[axis:])))
    return give(node, plain(node, 0), statistics, statistics)


def rms_norm(node: Node, known: Known) -> list[Type]:
    """The element type of the scale, the shape of the input."""
    return give(node, typed(node, 1, dims(node, 0)))


def dropout(node: Node, known: Known) -> list[Type]:
    result = plain(node, 0)
    return give(node, result, result.with_dtype("bool"))


SHAPES: Mapping[str, InferTypes] = {
    "onnx.BatchNormalization": batch_norm,
    "onnx.Dropout": dropout,
    "onnx.GroupNormalization": like(0),
    "onnx.Hardmax": like(0),
    "onnx.InstanceNormalization": like(0),
    "onnx.LRN": like(0),
    "onnx.LayerNormalization": layer_norm,
    "onnx.LogSoftmax": like(0),
    "onnx.LpNormalization": like(0),
    "onnx.MeanVarianceNormalization": like(0),
    "onnx.RMSNormalization": rms_norm,
    "onnx.SimplifiedLayerNormalization": layer_norm,
    "onnx.Softmax": like(0),
}
