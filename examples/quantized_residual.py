"""Writes a network with Q/DQ as pytorch-quantization exports it: the inputs and weights of convolutions are quantized,
the shortcuts of its two residual blocks are not. That is dear, and `graphcost explain` tells why:

    python examples/quantized_residual.py residual.onnx
    graphcost lint residual.onnx --device orin-nano
    graphcost explain residual.onnx --device orin-nano --node /block1/add/quantize
"""

from __future__ import annotations

import sys

import onnx
from onnx import TensorProto, helper

CHANNELS, SIZE = 64, 56


def node(op: str, name: str, *inputs: str, **attributes: object) -> onnx.NodeProto:
    """A node whose one result has its name."""
    return helper.make_node(op, inputs, [name], name, **attributes)


def quantized(tensor: str, name: str) -> list[onnx.NodeProto]:
    """QuantizeLinear and DequantizeLinear with one scale; the tensor comes back as `name/dequantize`."""
    return [
        node("QuantizeLinear", f"{name}/quantize", tensor, "scale", "zero"),
        node("DequantizeLinear", f"{name}/dequantize", f"{name}/quantize", "scale", "zero"),
    ]


def convolution(tensor: str, name: str) -> list[onnx.NodeProto]:
    """A 3x3 convolution of a quantized tensor with quantized weights."""
    return [
        *quantized(tensor, tensor),
        node("DequantizeLinear", f"{name}/weight", "weight", "scale", "zero"),
        node("Conv", f"{name}/conv", f"{tensor}/dequantize", f"{name}/weight", pads=[1, 1, 1, 1]),
    ]


def block(tensor: str, name: str) -> list[onnx.NodeProto]:
    """Two convolutions beside a shortcut that stays in floats."""
    return [
        *convolution(tensor, f"{name}/1"),
        node("Relu", f"{name}/1/relu", f"{name}/1/conv"),
        *convolution(f"{name}/1/relu", f"{name}/2"),
        node("Add", f"{name}/sum", f"{name}/2/conv", tensor),
        node("Relu", f"{name}/add", f"{name}/sum"),
    ]


def network() -> onnx.ModelProto:
    """Two blocks and a convolution behind them. All share one weight, for only its shape counts."""
    dims = [1, CHANNELS, SIZE, SIZE]
    nodes = [*block("/x", "/block1"), *block("/block1/add", "/block2"), *convolution("/block2/add", "/head")]
    weights = [
        helper.make_tensor("weight", TensorProto.INT8, [CHANNELS, CHANNELS, 3, 3], bytes(CHANNELS**2 * 9), raw=True),
        helper.make_tensor("scale", TensorProto.FLOAT, [], [0.05]),
        helper.make_tensor("zero", TensorProto.INT8, [], [0]),
    ]
    inputs = [helper.make_tensor_value_info("/x", TensorProto.FLOAT, dims)]
    outputs = [helper.make_tensor_value_info("/head/conv", TensorProto.FLOAT, dims)]
    graph = helper.make_graph(nodes, "residual", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


if __name__ == "__main__":
    onnx.save(network(), sys.argv[1] if len(sys.argv) > 1 else "residual.onnx")
