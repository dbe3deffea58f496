"""Random numbers, losses and optimizer steps."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort, UnknownWork

from .normalization import SOFTMAX
from .sizes import elements, has_operand, number, operand_elements, result_elements, text


def draw(per_element: int) -> CountWork:
    """{per_element} for each element of the result: a draw, and what is made of it; reads nothing."""
    return lambda node: Effort(elementwise_ops=result_elements(node) * per_element, bytes_read=0)


def bernoulli(node: Node) -> Effort:
    """A draw and a comparison."""
    return Effort(elementwise_ops=2 * result_elements(node))


def multinomial(node: Node) -> Effort:
    """Exponential and running sum of each class; a draw and a comparison for each sample."""
    return Effort(elementwise_ops=2 * operand_elements(node) + 2 * result_elements(node))


def cross_entropy(node: Node) -> Effort:
    """Log-softmax, 5 for each score; for each label: negate, weigh where there are weights, join unless the reduction
    is `none`."""
    return Effort(elementwise_ops=SOFTMAX * operand_elements(node) + _picked(node))


def likelihood(node: Node) -> Effort:
    """For each label: negate, weigh where there are weights, join unless the reduction is `none`."""
    return Effort(elementwise_ops=_picked(node))


def _picked(node: Node) -> int:
    """For each label: negate, weigh where there are weights (and sum these for the mean), join unless `none`."""
    weighted = has_operand(node, 2)
    joined = text(node, "reduction", "mean") != "none"
    return operand_elements(node, 1) * (1 + weighted + joined * (1 + weighted))


def gradient(node: Node) -> Effort:
    """Unknown: the node only names the operators that it differentiates, which lie elsewhere in the graph."""
    raise UnknownWork("it differentiates other nodes, which it only names")


def optimizer(states: int, per_parameter: int) -> CountWork:
    """{per_parameter} for each parameter, 2 more with a norm coefficient.

    Operands: R, T, then the parameters, the gradients and `states` tensors of each parameter, all of one size.
    """

    def count(node: Node) -> Effort:
        tensors = [v for v in node.operands[2:] if v is not None]
        parameters = sum(map(elements, tensors)) // (2 + states)
        decay = 2 * (number(node, "norm_coefficient", 0.0) != 0.0)
        return Effort(elementwise_ops=parameters * (per_parameter + decay))

    return count


TRAINING: Mapping[str, CountWork] = {
    "onnx.RandomUniform": draw(3),  # draw, scale, shift
    "onnx.RandomUniformLike": draw(3),
    "onnx.RandomNormal": draw(3),
    "onnx.RandomNormalLike": draw(3),
    "onnx.Bernoulli": bernoulli,
    "onnx.Multinomial": multinomial,
    "onnx.SoftmaxCrossEntropyLoss": cross_entropy,
    "onnx.NegativeLogLikelihoodLoss": likelihood,
    "ai.onnx.preview.training.Gradient": gradient,
    # H = H + G²; X = X - r · G / (√H + epsilon)
    "ai.onnx.preview.training.Adagrad": optimizer(states=1, per_parameter=7),
    # V = a·V + (1-a)·G; H = b·H + (1-b)·G²; X = X - r · V / (√H + epsilon)
    "ai.onnx.preview.training.Adam": optimizer(states=2, per_parameter=12),
    # V = a·V + b·G; X = X - r·V
    "ai.onnx.preview.training.Momentum": optimizer(states=1, per_parameter=5),
}
