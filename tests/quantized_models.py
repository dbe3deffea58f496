"""Networks with Q/DQ as tools write them: small, built here, of the shapes that real ones have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass
class Writer:
    """Writes an ONNX graph node by node. Weights are stored as integers, or as floats behind QuantizeLinear; with one
    scale for each channel, or for all."""

    per_channel: bool = True
    stored_wide: bool = False
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def op(self, op: str, *inputs: str, **attrs: object) -> str:
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [f"{name}:0"], name=name, **attrs))
        return f"{name}:0"

    def constant(self, array: np.ndarray | np.generic) -> str:
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def qdq(self, value: str, scale: float) -> str:
        parameters = self.constant(np.float32(scale)), self.constant(np.int8(0))
        return self.op("DequantizeLinear", self.op("QuantizeLinear", value, *parameters), *parameters)

    def weight(self, *dims: int) -> str:
        shape = dims[:1] if self.per_channel else ()
        parameters = self.constant(np.full(shape, 0.01, np.float32)), self.constant(np.zeros(shape, np.int8))
        axis = {"axis": 0} if self.per_channel else {}
        stored = self.constant(np.zeros(dims, np.float32 if self.stored_wide else np.int8))
        if self.stored_wide:
            stored = self.op("QuantizeLinear", stored, *parameters, **axis)
        return self.op("DequantizeLinear", stored, *parameters, **axis)

    def conv(self, value: str, channels: int, filters: int, window: int = 3, stride: int = 1) -> str:
        weight, bias = self.weight(filters, channels, window, window), self.constant(np.zeros(filters, np.float32))
        geometry = {"kernel_shape": [window] * 2, "strides": [stride] * 2, "pads": [window // 2] * 4}
        return self.op("Conv", value, weight, bias, **geometry)

    def norm(self, value: str, channels: int) -> str:
        return self.op("BatchNormalization", value, *(self.constant(np.ones(channels, np.float32)) for _ in range(4)))

    def silu(self, value: str) -> str:
        return self.op("Mul", value, self.op("Sigmoid", value))

    def model(self, outputs: Sequence[str], size: int = 32) -> onnx.ModelProto:
        given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, size, size))]
        results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "g", given, results, self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def residual(writer: Writer) -> onnx.ModelProto:
    """Every tensor quantized, sums too, as ONNX Runtime's tools write it: a stem with pooling, two blocks, a tail."""
    x = writer.op("Relu", writer.conv(writer.qdq("x", 0.02), 3, 32, 7, 2))
    x = writer.op("MaxPool", writer.qdq(x, 0.1), kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    x = writer.qdq(x, 0.1)
    for scale in (0.2, 0.3):
        y = writer.qdq(writer.op("Relu", writer.conv(x, 32, 32)), scale)
        y = writer.qdq(writer.conv(y, 32, 32), scale + 0.01)
        x = writer.qdq(writer.op("Relu", writer.op("Add", y, x)), scale + 0.02)
    x = writer.qdq(writer.op("GlobalAveragePool", x), 0.06)
    return writer.model([writer.op("Conv", x, writer.weight(10, 32, 1, 1))])


def detector(writer: Writer, concat_scale: float = 0.05) -> onnx.ModelProto:
    """Only the inputs of convolutions quantized, as pytorch-quantization writes a YOLO: a split, a bottleneck with a
    quantized shortcut, a concatenation, pools in a row, two branches of a head."""

    def block(value: str, channels: int, filters: int, window: int, scale: float) -> str:
        return writer.silu(writer.norm(writer.conv(writer.qdq(value, scale), channels, filters, window), filters))

    x = block(block("x", 3, 32, 3, 0.01), 32, 64, 1, 0.02)
    halves = [writer.op("Slice", x, *_slice(writer, at, at + 32)) for at in (0, 32)]
    y = block(block(halves[1], 32, 32, 3, 0.05), 32, 32, 3, 0.06)
    y = writer.op("Add", writer.qdq(halves[1], 0.05), y)
    x = block(writer.op("Concat", *halves, y, axis=1), 96, 32, 1, concat_scale)
    pools = [x]
    for _ in range(3):
        pools.append(writer.op("MaxPool", pools[-1], kernel_shape=[5, 5], strides=[1, 1], pads=[2, 2, 2, 2]))
    x = block(writer.op("Concat", *pools, axis=1), 128, 64, 1, 0.09)
    return writer.model([block(x, 64, 80, 3, 0.11), block(x, 64, 64, 3, 0.11)])


def _slice(writer: Writer, start: int, end: int) -> list[str]:
    return [writer.constant(np.array([number], np.int64)) for number in (start, end, 1)]
