"""Normalisations written out: layer norm, RMS norm, L2 norm."""

from __future__ import annotations

from collections.abc import Mapping

from graphcost.rewrite import Match, Operators, Pattern, const, either, trace
from graphcost.types import Attr, TensorType

from .group import Spelling
from .terms import axes_of, known, mean, over, over_root, parameter, relaxed, scalar, square, square_root


def layer_norm(op: Operators, x: Pattern) -> Pattern:
    """(x - mean x) / √(variance + ε) · scale + bias, the last two optional."""
    average = mean(op, x, "mean")
    centred, again = op.Sub(x, average), op.Sub(x, average)  # two nodes in some exports
    variance = mean(op, square(op, relaxed(op, again)))
    epsilon = scalar("_epsilon")
    normal = either(
        over_root(op, centred, either(op.Add(variance, epsilon), variance)),
        over(op, centred, op.Add(square_root(op, variance), epsilon)),
    )
    return _affine(op, normal)


def layer_norm_factored(op: Operators, x: Pattern) -> Pattern:
    """x·t + (bias - mean·t) with t = scale / √(variance + ε), as TensorFlow writes it."""
    average = mean(op, x, "mean")
    variance = mean(op, square(op, op.Sub(x, average)))
    factor = op.Mul(_inverse_root(op, op.Add(variance, scalar("_epsilon"))), parameter("scale"))
    return op.Add(op.Mul(x, factor), op.Sub(parameter("bias"), op.Mul(average, factor)))


def _inverse_root(op: Operators, radicand: Pattern) -> Pattern:
    root = square_root(op, radicand)
    return either(op.Reciprocal(root), op.Div(const(1), root), op.Pow(radicand, const(-0.5)))


def rms_norm(op: Operators, x: Pattern) -> Pattern:
    """x / √(mean x² + ε) · scale, the last optional."""
    power = mean(op, square(op, relaxed(op, x)), "mean")
    normal = over_root(op, x, op.Add(power, scalar("_epsilon")))
    return either(op.Mul(relaxed(op, normal), parameter("scale")), normal)


def group_norm(op: Operators, x: Pattern) -> Pattern:
    """Groups of channels normalised as if each were one channel, then scale and shift for each channel."""
    normal = op.InstanceNormalization(op.Reshape(x, ...), ...).named("norm")
    return _affine(op, op.Reshape(normal, ...))


def l2_norm(op: Operators, x: Pattern) -> Pattern:
    """x / max(√Σx², ε), in the several ways to keep the divisor from zero."""
    squares = either(op.ReduceSum(square(op, x), ...), op.ReduceSumSquare(x, ...))
    length = either(op.ReduceL2(x, ...), op.Sqrt(squares), op.Sqrt(op.Add(squares, scalar("_epsilon"))))
    guarded = either(op.Clip(length, ...), op.Max(length, scalar()), op.Add(length, scalar()), length)
    written = over(op, x, either(op.Expand(guarded, ...), guarded))
    return either(op.LpNormalization(x, p=lambda order: order in (None, 2)), written)


def _affine(op: Operators, normal: Pattern) -> Pattern:
    scaled = op.Mul(relaxed(op, normal), parameter("scale"))
    return either(op.Add(scaled, parameter("bias")), scaled, normal)


def _attrs(match: Match) -> Mapping[str, Attr]:
    return {**axes_of(match, "mean"), **known(epsilon=match.get("_epsilon"))}


def _groups(match: Match) -> Mapping[str, Attr]:
    """How many groups there are: the channels that the inner normalisation sees."""
    kind = match.named["norm"].results[0].type
    dims = kind.dims if isinstance(kind, TensorType) else None
    return {"num_groups": dims[1]} if dims and len(dims) > 1 and isinstance(dims[1], int) else {}


_LENGTHS = frozenset({"onnx.ReduceL2", "onnx.ReduceSum", "onnx.ReduceSumSquare", "onnx.LpNormalization"})
_MEANS = frozenset({"onnx.ReduceMean"})

NORMALIZATIONS = (
    Spelling("layer_norm", trace(layer_norm), _MEANS, 9, _attrs),
    Spelling("layer_norm", trace(layer_norm_factored), _MEANS, 9, _attrs),
    Spelling("rms_norm", trace(rms_norm), _MEANS, 7, _attrs),
    Spelling("group_norm", trace(group_norm), frozenset({"onnx.InstanceNormalization"}), 4, _groups),
    Spelling("l2_norm", trace(l2_norm), _LENGTHS, 6),
)
