"""Elementwise operations with constants, in one form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import FLOATS, Constant, TensorType

from .ledger import PRESERVED, Ledger, executed_graphs
from .values import FreshNames


@dataclass(frozen=True)
class CanonicalizeArithmetic(Pass):
    """Bring elementwise operations on floating-point tensors into one form:

    - a division by a known number is a product with its inverse, and a known number is added, not subtracted;
    - 1 / x is Reciprocal(x); x to the power of 2, ½ or -1 is x · x, Sqrt(x) or Reciprocal(x);
    - of a sum or a product, the constant is the second operand;
    - a Sum of two tensors is an Add, as TensorRT's parser makes it (residual sums of Caffe2's and MXNet's exporters).

    One operation for each element stays one. Inferred: kernels made of such operations are bound by memory, and compute
    either form at the same cost.
    """

    name: ClassVar[str] = "canonicalize-arithmetic"

    def run(self, graph: Graph, ctx: Context) -> Change:
        writing = _Writing(Ledger(self.name, graph, ctx))
        nodes = (node for part in executed_graphs(graph) for node in part)
        count = sum(writing.visit(node) for node in nodes if node.op in _FORMS)
        writing.ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


@dataclass
class _Writing:
    ledger: Ledger
    names: FreshNames = field(default_factory=FreshNames)

    def visit(self, node: Node) -> bool:
        form = _FORMS[node.op](self, node) if _is_float(node) else None
        if form is None:
            return False
        op, operands = form
        new = Node(op, operands, node.results, name=node.name, origin=node.own_origin)
        self.ledger.replace(node, [new], f"as {op.removeprefix('onnx.')}")
        return True

    def number(self, node: Node, like: Value, number: float) -> Value:
        """A constant of the type of another one."""
        graph, kind = node.graph, like.type
        assert isinstance(graph, Graph) and isinstance(kind, TensorType) and like.constant is not None
        data = Constant(kind.dtype, like.constant.dims, (number,))
        return graph.add_weight(Value(self.names.unique(graph, f"{node.name}.constant"), kind, data))


_Form: TypeAlias = "tuple[str, Sequence[Value | None]] | None"


def _div(writing: _Writing, node: Node) -> _Form:
    dividend, divisor = node.operand(0), node.operand(1)
    if dividend is None or divisor is None:
        return None
    if _number(dividend) == 1 and divisor.type == node.results[0].type:
        return "onnx.Reciprocal", [divisor]
    number = _number(divisor)
    return ("onnx.Mul", [dividend, writing.number(node, divisor, 1 / number)]) if number else None


def _sub(writing: _Writing, node: Node) -> _Form:
    less = node.operand(1)
    number = _number(less)
    if less is None or number is None:
        return None
    return "onnx.Add", [node.operand(0), writing.number(node, less, -number)]


def _pow(writing: _Writing, node: Node) -> _Form:
    base, exponent = node.operand(0), _number(node.operand(1))
    if base is None or base.type != node.results[0].type:
        return None
    if exponent == 2:
        return "onnx.Mul", [base, base]
    op = {0.5: "onnx.Sqrt", -1.0: "onnx.Reciprocal"}.get(exponent or 0.0)
    return (op, [base]) if op else None


def _commutative(writing: _Writing, node: Node) -> _Form:
    first, second = node.operand(0), node.operand(1)
    if first is None or second is None or not first.is_weight or second.is_weight:
        return None
    return node.op, [second, first]


def _number(value: Value | None) -> float | None:
    """The one number that a weight holds."""
    if value is None or not value.is_weight or value.constant is None or len(value.constant.values) != 1:
        return None
    number = value.constant.values[0]
    return None if isinstance(number, str) else float(number)


def _is_float(node: Node) -> bool:
    return all(isinstance(v.type, TensorType) and v.type.dtype in FLOATS for v in (*node.inputs[:1], *node.results))


def _sum(writing: _Writing, node: Node) -> _Form:
    return ("onnx.Add", node.operands) if len(node.inputs) == len(node.operands) == 2 else None


_FORMS: Mapping[str, Callable[[_Writing, Node], _Form]] = {
    "onnx.Div": _div,
    "onnx.Sub": _sub,
    "onnx.Pow": _pow,
    "onnx.Sum": _sum,
    "onnx.Add": _commutative,
    "onnx.Mul": _commutative,
}
