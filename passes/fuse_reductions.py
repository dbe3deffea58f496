"""Reductions and softmax layers with an operation before or behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph
from graphcost.pipeline import Change, Context, Pass
from graphcost.rewrite import FusionRule, Match, Operators, Pattern, Versions
from graphcost.types import Attr

from .fusing import fuse

REDUCE, SOFTMAX = "trt.reduce", "trt.softmax"

_CATALOGUE = "developer guide, 'Types of Fusions'"
_REDUCTIONS = ("onnx.ReduceMean", "onnx.ReduceSum", "onnx.ReduceMax", "onnx.ReduceMin", "onnx.ReduceProd")


@dataclass(frozen=True)
class FuseReductions(Pass):
    """Fuse norms and logarithmic sums that are written out into one reduction: sum |x|, sum x², √(sum x²), log(sum x),
    log(sum eˣ); a transpose with the reduction behind it that keeps dimensions; a softmax with Log or TopK.

    Evidence: L1Norm, SumOfSquares, L2Norm, LogSum, LogSumExp, "Shuffle and Reduce", "SoftMax and Log", "SoftMax and
    TopK" in TensorRT's fusion catalogue.
    """

    name: ClassVar[str] = "fuse-reductions"

    def run(self, graph: Graph, ctx: Context) -> Change:
        return fuse(self.name, graph, RULES, ctx)


def _sum(op: Operators, x: Pattern) -> Pattern:
    return op.ReduceSum(x, ...)


def _last_precision(match: Match) -> Mapping[str, Attr]:
    precision = match.last.attrs.get("precision")
    return {} if precision is None else {"precision": precision}


def _rule(name: str, kernel: str, priority: int, words: str, pattern: Callable[..., Pattern]) -> FusionRule:
    return FusionRule(
        name=name,
        kernel=kernel,
        priority=priority,
        evidence=f"{_CATALOGUE}: {words}",
        pattern=pattern,
        attrs=_last_precision,
        runtimes=(Versions("tensorrt"),),
    )


RULES = (
    _rule(
        "l2-norm", REDUCE, 20, "L2Norm, unary square, sum, square root", lambda op, x: op.Sqrt(_sum(op, op.Mul(x, x)))
    ),
    _rule(
        "log-sum-exp", REDUCE, 20, "LogSumExp, exponential, sum, logarithm", lambda op, x: op.Log(_sum(op, op.Exp(x)))
    ),
    _rule(
        "sum-of-squares", REDUCE, 10, "SumOfSquares, product with itself and sum", lambda op, x: _sum(op, op.Mul(x, x))
    ),
    _rule("l1-norm", REDUCE, 10, "L1Norm, absolute value and sum", lambda op, x: _sum(op, op.Abs(x))),
    _rule("log-sum", REDUCE, 10, "LogSum, sum and logarithm", lambda op, x: op.Log(_sum(op, x))),
    _rule(
        "shuffle-reduce",
        REDUCE,
        5,
        "Shuffle and Reduce, where the shuffle has no reshape and the reduction keeps dimensions",
        lambda op, x: op[_REDUCTIONS](op.Transpose(x), ..., keepdims=lambda keep: keep in (None, 1)),
    ),
    _rule("softmax-log", SOFTMAX, 10, "SoftMax and Log become one SoftMax layer", lambda op, x: op.Log(op.Softmax(x))),
    _rule("softmax-topk", SOFTMAX, 10, "SoftMax and TopK can be fused", lambda op, x, k: op.TopK(op.Softmax(x), k)),
)
"""Of rules that fit at one place the larger one goes first."""
