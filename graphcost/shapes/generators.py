"""Operators that make data: random numbers, windows of signal processing, mel weights."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import TensorType, Type, Unknown

from .reading import data_dependent, dims, element_type, give, integer, integers, known_dim, tensor


def random(node: Node, known: Known) -> list[Type]:
    return give(node, TensorType(element_type(node, "dtype", "f32"), integers(node, "shape")))


def random_like(node: Node, known: Known) -> list[Type]:
    """Shape of the operand, and its element type unless attribute dtype names another."""
    like = tensor(node, 0)
    return give(node, TensorType(element_type(node, "dtype", like.dtype), like.dims))


def multinomial(node: Node, known: Known) -> list[Type]:
    """[batch, samples] from [batch, classes]."""
    data, dtype = dims(node, 0), element_type(node, "dtype", "i32")
    if not data:
        return give(node, TensorType(dtype, None))
    return give(node, TensorType(dtype, (data[0], integer(node, "sample_size", 1))))


def window(node: Node, known: Known) -> list[Type]:
    """One dimension, whose size is operand 0."""
    size = known_dim(node, known, 0)
    shape = (data_dependent(node) if size is None else size,)
    return give(node, TensorType(element_type(node, "output_datatype", "f32"), shape))


def mel_weights(node: Node, known: Known) -> list[Type]:
    """[half the transform + 1, bands]: operand 0 holds the bands, operand 1 the length of the transform."""
    bands, transform = known_dim(node, known, 0), known_dim(node, known, 1)
    rows = Unknown(f"{node.name}.0") if transform is None else transform // 2 + 1
    columns = Unknown(f"{node.name}.1") if bands is None else bands
    return give(node, TensorType(element_type(node, "output_datatype", "f32"), (rows, columns)))


SHAPES: Mapping[str, InferTypes] = {
    "onnx.Bernoulli": random_like,
    "onnx.BlackmanWindow": window,
    "onnx.HammingWindow": window,
    "onnx.HannWindow": window,
    "onnx.MelWeightMatrix": mel_weights,
    "onnx.Multinomial": multinomial,
    "onnx.RandomNormal": random,
    "onnx.RandomNormalLike": random_like,
    "onnx.RandomUniform": random,
    "onnx.RandomUniformLike": random_like,
}
