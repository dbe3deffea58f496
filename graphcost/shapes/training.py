"""Losses, optimizers and gradients as ONNX operators."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Type

from .reading import dims, give, plain, typed, word


def loss(node: Node, known: Known) -> list[Type]:
    """One number, or one for each target when nothing is reduced; softmax cross entropy adds the log probabilities."""
    shape = dims(node, 1) if word(node, "reduction", "mean") == "none" else ()
    return give(node, typed(node, 0, shape), plain(node, 0))


def optimizer(node: Node, known: Known) -> list[Type]:
    """Operands: rate, step, then the tensors, their gradients and each state of theirs; results: the new tensors, then
    each new state."""
    groups = 1 + _STATES[node.op]
    tensors = len(node.results) // groups
    slots = (2 + i if i < tensors else 2 + tensors + i for i in range(len(node.results)))
    return give(node, *(plain(node, slot) for slot in slots))


def gradient(node: Node, known: Known) -> list[Type]:
    """A gradient for each of the first operands, with its type."""
    return give(node, *(plain(node, slot) for slot in range(len(node.results))))


_STATES = {
    "ai.onnx.preview.training.Adagrad": 1,
    "ai.onnx.preview.training.Adam": 2,
    "ai.onnx.preview.training.Momentum": 1,
}

SHAPES: Mapping[str, InferTypes] = {
    "onnx.NegativeLogLikelihoodLoss": loss,
    "onnx.SoftmaxCrossEntropyLoss": loss,
    "ai.onnx.preview.training.Gradient": gradient,
    **dict.fromkeys(_STATES, optimizer),
}
