"""Activations: one table of counts, for the operators and for the activations that other operators have inside."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort

from .elementwise import per_element
from .sizes import has_operand, number, result_elements, text

ACTIVATIONS: Mapping[str, int] = {
    "Relu": 1,  # max(0, x)
    "LeakyRelu": 2,  # x < 0 ? alpha·x : x
    "PRelu": 2,
    "ThresholdedRelu": 1,
    "Sigmoid": 4,  # 1 / (1 + exp(-x))
    "HardSigmoid": 4,  # max(0, min(1, alpha·x + beta))
    "HardSwish": 5,  # x · HardSigmoid(x)
    "Tanh": 1,
    "ScaledTanh": 3,  # alpha · tanh(beta·x)
    "Affine": 2,  # alpha·x + beta
    "Elu": 4,  # x < 0 ? alpha·(exp(x) - 1) : x
    "Selu": 5,  # gamma · Elu(x)
    "Celu": 7,  # max(0, x) + min(0, alpha·(exp(x/alpha) - 1))
    "Softplus": 3,  # log(exp(x) + 1)
    "Softsign": 3,  # x / (1 + |x|)
    "Mish": 5,  # x · tanh(Softplus(x))
    "Shrink": 4,  # x < -lambda ? x + bias : x > lambda ? x - bias : 0
}
"""Elementary operations for one element, by name; the formula is that of the operator in the ONNX standard."""

GELU = 5  # 0.5 · x · (1 + erf(x / √2))
GELU_TANH = 8  # 0.5 · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³)))
SILU = 5  # x · Sigmoid(x)
_SILU_NAMES = frozenset({"silu", "swish"})
_BY_NAME = {name.lower(): ops for name, ops in ACTIVATIONS.items()}


def activation_ops(node: Node) -> int:
    """Operations for one element of the activation that the attribute `activation` names."""
    name = text(node, "activation", "none").lower()
    if name in _SILU_NAMES:
        return SILU
    return 2 if name == "clip" else _BY_NAME.get(name, 0)


def gelu(node: Node) -> Effort:
    """0.5 · x · (1 + erf(x / √2)): 5 for each element of the result; 8 in the tanh form."""
    each = GELU_TANH if text(node, "approximate", "none") == "tanh" else GELU
    return Effort(elementwise_ops=result_elements(node) * each)


def swish(gates: int = 0) -> CountWork:
    """x · Sigmoid(alpha·x): 5 for each element of the result, 1 more for an alpha; {gates} for what it gates."""

    def count(node: Node) -> Effort:
        scaled = number(node, "alpha", 1.0) != 1.0
        return Effort(elementwise_ops=result_elements(node) * (SILU + scaled + gates))

    return count


def clip(node: Node) -> Effort:
    """One comparison for each bound that is there (operands 1 and 2)."""
    return Effort(elementwise_ops=result_elements(node) * (has_operand(node, 1) + has_operand(node, 2)))


ACTIVATION: Mapping[str, CountWork] = {
    **{f"onnx.{name}": per_element(ops) for name, ops in ACTIVATIONS.items()},
    "onnx.Clip": clip,
    "onnx.Gelu": gelu,
    "onnx.Swish": swish(),
    "onnx.SwiGLU": swish(gates=1),
}
