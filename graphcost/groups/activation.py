"""Activations written out: GELU, SiLU and Swish, Mish, hard sigmoid and hard swish, softmax."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi, sqrt

from graphcost.rewrite import Match, Operators, Pattern, const, either, trace
from graphcost.types import Attr

from .group import Spelling
from .terms import known, over, product, scalar

_CUBIC = 0.044715
"""The coefficient of x³ in the tanh form of GELU: Hendrycks and Gimpel, arXiv 1606.08415, section 2."""


def gelu_erf(op: Operators, x: Pattern) -> Pattern:
    """x · ½(1 + erf(x/√2))."""
    return _gated_half(op, x, op.Erf(product(op, x, sqrt(0.5))))


def gelu_tanh(op: Operators, x: Pattern) -> Pattern:
    """x · ½(1 + tanh(√(2/π) · (x + 0.044715 x³)))."""
    slope = sqrt(2 / pi)
    squared = either(product(op, op.Pow(x, const(2)), _CUBIC), product(op, x, x, _CUBIC))
    cubed = either(product(op, op.Pow(x, const(3)), _CUBIC), product(op, x, x, x, _CUBIC))
    factored = product(op, x, slope, op.Add(const(1), squared))
    return _gated_half(op, x, op.Tanh(either(product(op, op.Add(x, cubed), slope), factored)))


def _gated_half(op: Operators, x: Pattern, gate: Pattern) -> Pattern:
    """x · ½(1 + gate)."""
    halved = op.Mul(x, op.Add(product(op, gate, 0.5), const(0.5)))
    return either(product(op, x, op.Add(gate, const(1)), 0.5), halved)


def silu(op: Operators, x: Pattern) -> Pattern:
    """x · sigmoid(x)."""
    return either(op.Mul(x, op.Sigmoid(x)), op.Div(x, op.Add(op.Exp(op.Neg(x)), const(1))))


def swish(op: Operators, x: Pattern) -> Pattern:
    """x · sigmoid(βx); with β = 1.702 it is known as quick GELU."""
    return op.Mul(x, op.Sigmoid(op.Mul(x, scalar("_beta"))))


def mish(op: Operators, x: Pattern) -> Pattern:
    """x · tanh(log(1 + exp(x)))."""
    softplus = either(op.Softplus(x), op.Log(op.Add(op.Exp(x), const(1))))
    return op.Mul(x, op.Tanh(softplus))


def hard_sigmoid(op: Operators, x: Pattern) -> Pattern:
    """min(max(x + 3, 0), 6) / 6."""
    shifted = op.Add(product(op, x, 1 / 6), const(0.5))
    return either(product(op, _relu6(op, op.Add(x, const(3))), 1 / 6), op.Clip(shifted, const(0), const(1)))


def hard_swish(op: Operators, x: Pattern) -> Pattern:
    """x · min(max(x + 3, 0), 6) / 6."""
    operator = op.HardSigmoid(x, alpha=lambda a: _near(a, 1 / 6), beta=lambda b: b is None or _near(b, 0.5))
    written = product(op, x, _relu6(op, op.Add(x, const(3))), 1 / 6)
    return either(op.Mul(x, either(operator, hard_sigmoid(op, x))), written)


def _relu6(op: Operators, x: Pattern) -> Pattern:
    return either(
        op.Clip(x, const(0), const(6)),
        op.Min(either(op.Relu(x), op.Max(x, const(0))), const(6)),
        op.Max(op.Min(x, const(6)), const(0)),
        op.Relu(op.Min(x, const(6))),
    )


def softmax(op: Operators, x: Pattern) -> Pattern:
    """exp(x - max x) / Σ exp(x - max x)."""
    raised = op.Exp(either(op.Sub(x, op.ReduceMax(x, ...)), x))
    return over(op, raised, op.ReduceSum(raised, ...).named("sum"))


def _near(found: Attr | None, number: float) -> bool:
    return isinstance(found, (int, float)) and abs(found - number) < 1e-3


def _approximate(how: str) -> Mapping[str, Attr]:
    return {"approximate": how}


def _beta(match: Match) -> Mapping[str, Attr]:
    return known(beta=match.get("_beta"))


_CLAMPS = frozenset({"onnx.Clip", "onnx.Min"})

ACTIVATIONS = (
    Spelling("gelu", trace(gelu_erf), frozenset({"onnx.Erf"}), 4, lambda match: _approximate("none")),
    Spelling("gelu", trace(gelu_tanh), frozenset({"onnx.Tanh"}), 4, lambda match: _approximate("tanh")),
    Spelling("hard_swish", trace(hard_swish), _CLAMPS | {"onnx.HardSigmoid"}, 4),
    Spelling("mish", trace(mish), frozenset({"onnx.Tanh"}), 1),
    Spelling("hard_sigmoid", trace(hard_sigmoid), _CLAMPS, 2),
    Spelling("swish", trace(swish), frozenset({"onnx.Sigmoid"}), 1, _beta),
    Spelling("silu", trace(silu), frozenset({"onnx.Sigmoid", "onnx.Exp"}), 2),
    Spelling("softmax", trace(softmax), frozenset({"onnx.Exp"}), 3),
)
