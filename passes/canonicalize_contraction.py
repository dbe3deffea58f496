"""Fully connected layers, in one form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from graphcost.ir import Graph, Node, Value
from graphcost.origin import Origin, merge_origins
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import Dim, TensorType, product

from .channelwise import is_constant
from .ledger import PRESERVED, Ledger, executed_graphs
from .values import FreshNames
from .views import dims_of, reshape_to, target_of

_ONES = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0}


@dataclass(frozen=True)
class CanonicalizeContraction(Pass):
    """Turn a MatMul with a constant matrix, and an Add of a constant row behind it that alone reads it, into one Gemm
    over all rows, with views around it where the tensor has more than two dimensions.

    Not changed: products of two activations, batches of matrices, a bias computed at run time, a MatMul that others
    read beside the Add (its Add then stays).

    Evidence: MatMulToConvTransform and ConvReshapeBiasAddFusion in TensorRT's build logs (8.5.10): Gemm and MatMul with
    weights become one kind of layer, between reshapes, with the bias inside. PyTorch computes linear layers over
    flattened rows with addmm (ATen/native/Linear.cpp).
    """

    name: ClassVar[str] = "canonicalize-contraction"

    def run(self, graph: Graph, ctx: Context) -> Change:
        linear = _Linear(Ledger(self.name, graph, ctx))
        nodes = (node for part in executed_graphs(graph) for node in part)
        count = sum(linear.visit(node) for node in nodes if node.op == "onnx.MatMul")
        linear.ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


class _Layer(NamedTuple):
    """rows · weight (+ bias), read as `result`."""

    data: Value
    weight: Value
    bias: Value | None
    result: Value
    rows: Dim
    nodes: tuple[Node, ...]


@dataclass
class _Linear:
    ledger: Ledger
    names: FreshNames = field(default_factory=FreshNames)

    def visit(self, node: Node) -> bool:
        layer = _layer(node)
        if layer is None:
            return False
        self.ledger.replace_all(layer.nodes, self._nodes(node, layer), "a fully connected layer")
        return True

    def _nodes(self, matmul: Node, layer: _Layer) -> list[Node]:
        """The Gemm, and a view on either side where there are more than two dimensions."""
        dims, graph = dims_of(layer.data), matmul.graph
        assert dims is not None and graph is not None
        origin = merge_origins(*(node.own_origin for node in layer.nodes))
        if len(dims) == 2:
            return [_gemm(layer, layer.data, layer.result, matmul.name, origin)]
        rows = self._value(graph, layer.data, f"{matmul.name}.rows", (layer.rows, dims[-1]))
        columns = (dims_of(layer.weight) or ())[-1:]
        flat = self._value(graph, layer.result, f"{layer.result.name}.rows", (layer.rows, *columns))
        return [
            reshape_to(graph, self.names, layer.data, rows, name=f"reshape_before_{matmul.name}"),
            _gemm(layer, rows, flat, matmul.name, origin),
            reshape_to(graph, self.names, flat, layer.result, name=f"reshape_after_{matmul.name}"),
        ]

    def _value(self, graph: Graph, like: Value, name: str, dims: tuple[Dim, ...]) -> Value:
        assert isinstance(like.type, TensorType)
        return Value(self.names.unique(graph, name), like.type.with_dims(dims))


def _gemm(layer: _Layer, data: Value, result: Value, name: str, origin: tuple[Origin, ...]) -> Node:
    operands = [data, layer.weight] + ([] if layer.bias is None else [layer.bias])
    return Node("onnx.Gemm", operands, [result], _ONES, name=name, origin=origin)


def _layer(matmul: Node) -> _Layer | None:
    data, weight = matmul.operand(0), matmul.operand(1)
    dims, weight_dims = dims_of(data), dims_of(weight)
    if data is None or weight is None or dims is None or weight_dims is None or len(weight_dims) != 2 or len(dims) < 2:
        return None
    if not is_constant(weight) or is_constant(data):
        return None
    add, bias = _bias_of(matmul.results[0], weight_dims[1])
    result = matmul.results[0] if add is None else add.results[0]
    shapes = ((product(dims[:-1]), dims[-1]), dims_of(result) or (0,))
    if len(dims) > 2 and any(target_of(shape) is None for shape in shapes):
        return None
    return _Layer(data, weight, bias, result, shapes[0][0], (matmul,) if add is None else (matmul, add))


def _bias_of(product: Value, columns: Dim) -> tuple[Node | None, Value | None]:
    """The Add behind a product that gives each row the same constants."""
    add = product.uses[0].node if product.use_count == 1 else None
    if add is None or add.op != "onnx.Add" or add.results[0].type != product.type:
        return None, None
    bias = next(value for value in add.operands if value is not product)
    is_row = bias is not None and is_constant(bias) and dims_of(bias) in ((columns,), (1, columns))
    return (add, bias) if is_row else (None, None)
