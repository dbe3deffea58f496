"""Attention and rotary position embedding written out."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from graphcost.ir import Node
from graphcost.rewrite import Match, Operators, Pattern, anything, either, scalar_of, trace
from graphcost.types import Attr, TensorType

from .activation import softmax
from .group import Spelling
from .terms import is_parameter, is_scalar, relaxed, scalar

_LAYERS = 6  # scaling, masks, and the reshapes around them; no export is known to have more
_VIEWS = 4  # splitting heads, transposing, scaling


def attention(op: Operators, q: Pattern, k: Pattern, v: Pattern) -> Pattern:
    """softmax(q·kᵀ · scale + mask) · v, with the reshapes and transposes that split heads where only it reads them."""
    scores = _contract(op, _view(op, q), _view(op, k))
    weights = _softened(op, _between(op, scores))
    values = _view(op, v)
    return either(_contract(op, weights, values), _contract(op, values, op.Transpose(weights).once()))


def _contract(op: Operators, a: Pattern, b: Pattern) -> Pattern:
    return op["onnx.MatMul", "onnx.Einsum", "com.microsoft.FusedMatMul"](a, b)


def _view(op: Operators, x: Pattern) -> Pattern:
    """x, reshaped, transposed and scaled by nodes that nobody else reads."""
    seen = x
    for _ in range(_VIEWS):
        scaled = (op.Mul(seen, scalar()).once(), op.Div(seen, scalar()).once())
        seen = either(op.Transpose(seen).once(), op.Reshape(seen, ...).once(), *scaled, x)
    return seen


def _between(op: Operators, scores: Pattern) -> Pattern:
    """What happens to the scores before the softmax: scale, masks and biases, capping, reshapes."""
    seen = scores
    for level in range(1, _LAYERS + 1):
        mask = anything(f"mask:{level}")
        seen = either(
            scores,
            op.Mul(seen, scalar()),
            op.Div(seen, scalar()),
            op.Add(seen, mask),
            op.Where(mask, seen, anything()),
            op.Where(mask, anything(), seen),
            op.Reshape(seen, ...),
            op.Cast(seen),
            op.Tanh(seen),
            op.Max(seen, scalar()),
        )
    return seen


def _softened(op: Operators, scores: Pattern) -> Pattern:
    """The softmax of the scores, converted or dropped out."""
    operator = op.Softmax(scores).named("softmax").once()
    weights = either(operator, softmax(op, scores))
    cleaned = either(op.Where(anything(), anything(), weights), weights)  # rows that are masked entirely
    return relaxed(op, either(op.Dropout(cleaned, ...), cleaned))


def rotary(op: Operators, x: Pattern, cos: Pattern, sin: Pattern) -> Pattern:
    """x · cos + rotate(x) · sin, where rotate swaps the halves of the last axis and negates one."""
    split = op.Split(x, ...)
    low, high = op.Slice(x, ...), op.Slice(x, ...)
    turned = either(op.Concat(op.Neg(high), low), op.Concat(op.Neg(split.result(1)), split.result(0)))
    return op.Add(op.Mul(x, cos), op.Mul(turned, sin))


def _holds(match: Match) -> bool:
    """A product with weights is a layer of its own, no score; and the softmax must run over the keys."""
    node = match.named.get("softmax")
    return not is_parameter(match["k"]) and (node is None or _is_last(node))


def _is_last(softmax: Node) -> bool:
    axis, kind = softmax.attrs.get("axis", -1), softmax.results[0].type
    rank = kind.rank if isinstance(kind, TensorType) else None
    return axis == -1 or rank is None or axis == rank - 1


def _scale(match: Match) -> Mapping[str, Attr]:
    """The product of all scalars by which queries, keys and scores are multiplied, if all are known."""
    factors = [_factor(node) for node in match.nodes if node.op in ("onnx.Mul", "onnx.Div")]
    numbers = [factor for factor in factors if factor is not None]
    return {"scale": prod(numbers)} if len(numbers) == len(factors) else {}


def _factor(node: Node) -> float | None:
    """By how much a node multiplies; 1 where it is no scaling (the division of a softmax written out)."""
    scalars = [value for value in node.inputs if is_scalar(value)]
    if not scalars:
        return 1.0
    number = scalar_of(scalars[-1])
    return number if number is None or node.op == "onnx.Mul" else 1 / number


ATTENTIONS = (
    Spelling(
        "attention",
        trace(attention),
        frozenset({"onnx.Softmax", "onnx.Exp"}),
        steps=6,
        attrs=_scale,
        holds=_holds,
        followers=("onnx.Transpose", "onnx.Reshape"),
    ),
    Spelling("rotary_embedding", trace(rotary), frozenset({"onnx.Neg"}), steps=3),
)
