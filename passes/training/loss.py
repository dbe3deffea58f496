"""The loss, appended to the forward graph, which no ONNX file tells."""

from __future__ import annotations

from graphcost.ir import Graph, Node, Value
from graphcost.types import FLOATS, Dim, TensorType

FORWARD = "forward"


def append_losses(graph: Graph, loss: str) -> list[Value]:
    """A loss for each output of floating point, as networks with auxiliary heads have; targets become inputs."""
    predictions = [value for value in graph.outputs if _is_float(value)]
    return [_append(graph, prediction, loss) for prediction in dict.fromkeys(predictions)]


def _is_float(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.dtype in FLOATS and not value.is_weight


def _append(graph: Graph, prediction: Value, loss: str) -> Value:
    kind = prediction.type
    assert isinstance(kind, TensorType)
    if kind.dtype in ("f16", "bf16"):  # autocast computes losses in FP32
        kind = kind.with_dtype("f32")
        (prediction,) = _emit(graph, "onnx.Cast", [prediction], [(f"{prediction.name}.f32", kind)])
    if loss == "mse":
        target = graph.add_input(Value(f"{prediction.name}.target", kind))
        return _emit(
            graph, "loss.mse", [prediction, target], [(f"{prediction.name}.loss", TensorType(kind.dtype, ()))]
        )[0]
    return _cross_entropy(graph, prediction, kind)


def _cross_entropy(graph: Graph, prediction: Value, kind: TensorType) -> Value:
    """log_softmax, whose output is as large as the prediction and kept, then nll_loss with its total weight."""
    (scores,) = _emit(graph, "loss.log_softmax", [prediction], [(f"{prediction.name}.log_softmax", kind)])
    target = graph.add_input(Value(f"{prediction.name}.target", TensorType("i64", _without_classes(kind))))
    scalar = TensorType(kind.dtype, ())
    names = [(f"{prediction.name}.loss", scalar), (f"{prediction.name}.total_weight", scalar)]
    return _emit(graph, "loss.nll", [scores, target], names)[0]


def _without_classes(kind: TensorType) -> tuple[Dim, ...]:
    """The dims of class indices: classes are axis 1 of rows and of maps, the last axis of sequences."""
    dims = kind.dims or ()
    axis = len(dims) - 1 if len(dims) == 3 else 1
    return tuple(dim for i, dim in enumerate(dims) if i != axis)


def _emit(graph: Graph, op: str, operands: list[Value], results: list[tuple[str, TensorType]]) -> list[Value]:
    values = [Value(name, kind) for name, kind in results]
    graph.append(Node(op, operands, values, {"phase": FORWARD}, name=f"{op} {operands[0].name}", origin=()))
    return values
