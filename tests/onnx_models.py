"""Small ONNX models for tests, made with onnx.helper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
from onnx import TensorProto, helper


def value(name: str, dims: Sequence[int | str | None] | None, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, dims)


def ints(name: str, values: Sequence[int]) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)


def weight(name: str, *dims: int) -> onnx.TensorProto:
    """A weight whose data nobody has: a good file for graphcost."""
    return onnx.TensorProto(name=name, dims=dims, data_type=TensorProto.FLOAT)


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], **attrs: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, **attrs)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: Sequence[onnx.TensorProto] = (),
    *,
    opset: int = 20,
    functions: Sequence[onnx.FunctionProto] = (),
    domains: Mapping[str, int] | None = None,
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    imports = [helper.make_opsetid(d, v) for d, v in {"": opset, **(domains or {})}.items()]
    return helper.make_model(graph, opset_imports=imports, functions=functions, ir_version=9)


def conv_net(batch: int | str = 1) -> onnx.ModelProto:
    """Conv 3→8, Relu, global pool, Gemm 8→10: 3·8·9·64 + 80 = 13,904 MACs for one 8x8 image."""
    return model(
        [
            node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], name="conv"),
            node("Relu", ["c"], ["r"], name="relu"),
            node("GlobalAveragePool", ["r"], ["p"], name="pool"),
            node("Flatten", ["p"], ["f"], name="flatten"),
            node("Gemm", ["f", "fc", "b"], ["y"], transB=1, name="fc"),
        ],
        [value("x", [batch, 3, 8, 8])],
        [value("y", [batch, 10])],
        [weight("w", 8, 3, 3, 3), weight("fc", 10, 8), weight("b", 10)],
    )


CONV_NET_MACS = 8 * 3 * 9 * 64 + 80
