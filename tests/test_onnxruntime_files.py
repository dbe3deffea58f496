"""Models that ONNX Runtime has optimised and saved: its own operators, the work of the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
from onnx import numpy_helper
from onnx_models import model, node, value

import graphcost

LEVELS = ("ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL")


def optimised(made: onnx.ModelProto, level: str, folder: Path) -> Path:
    """What ONNX Runtime saves of a model at a level of optimisation."""
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install graphcost[onnxruntime]")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = getattr(runtime.GraphOptimizationLevel, level)
    path = folder / f"{level}.onnx"
    options.optimized_model_filepath = str(path)
    runtime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return path


def weight(name: str, *dims: int) -> onnx.TensorProto:
    """Data that no two weights share: those that are equal would be merged."""
    dice = numpy.random.default_rng(sum(map(ord, name)))
    return numpy_helper.from_array(dice.normal(size=dims).astype("float32"), name)


def conv_net() -> onnx.ModelProto:
    """Convolutions with a residual, pooled: what becomes blocked channels on a CPU."""
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["a"], pads=[1, 1, 1, 1]),
        node("Relu", ["a"], ["b"]),
        node("MaxPool", ["b"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["p", "w2"], ["c"], pads=[1, 1, 1, 1]),
        node("Add", ["c", "p"], ["d"]),
        node("Relu", ["d"], ["e"]),
        node("GlobalAveragePool", ["e"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("Gemm", ["f", "w3"], ["y"], transB=1),
    ]
    weights = [weight("w1", 32, 3, 3, 3), weight("b1", 32), weight("w2", 32, 32, 3, 3), weight("w3", 10, 32)]
    return model(nodes, [value("x", [1, 3, 32, 32])], [value("y", [1, 10])], weights, opset=17)


def feed_forward() -> onnx.ModelProto:
    """A block of a transformer, written out: layer norm, product, GELU, product, residual."""
    constants = {"half": 0.5, "one": 1.0, "root": 1.4142135, "two": 2.0, "epsilon": 1e-5}
    nodes = [
        node("ReduceMean", ["x"], ["mean"], axes=[-1]),
        node("Sub", ["x", "mean"], ["centred"]),
        node("Pow", ["centred", "two"], ["squared"]),
        node("ReduceMean", ["squared"], ["variance"], axes=[-1]),
        node("Add", ["variance", "epsilon"], ["safe"]),
        node("Sqrt", ["safe"], ["deviation"]),
        node("Div", ["centred", "deviation"], ["normal"]),
        node("Mul", ["normal", "scale"], ["scaled"]),
        node("Add", ["scaled", "shift"], ["shifted"]),
        node("MatMul", ["shifted", "up"], ["wide"]),
        node("Add", ["wide", "up_bias"], ["biased"]),
        node("Div", ["biased", "root"], ["inner"]),
        node("Erf", ["inner"], ["erf"]),
        node("Add", ["erf", "one"], ["gate"]),
        node("Mul", ["biased", "gate"], ["gated"]),
        node("Mul", ["gated", "half"], ["gelu"]),
        node("MatMul", ["gelu", "down"], ["narrow"]),
        node("Add", ["narrow", "x"], ["y"]),
    ]
    weights = [weight("scale", 64), weight("shift", 64), weight("up", 64, 256), weight("up_bias", 256)]
    weights += [weight("down", 256, 64)]
    weights += [numpy_helper.from_array(numpy.array(number, "float32"), name) for name, number in constants.items()]
    return model(nodes, [value("x", [2, 16, 64])], [value("y", [2, 16, 64])], weights, opset=17)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("make", [conv_net, feed_forward])
def test_an_optimised_file_takes_the_multiply_adds_of_the_original(make: Any, level: str, tmp_path: Path):
    made = make()
    before, after = (graphcost.analyze(m, pipeline="").totals for m in (made, optimised(made, level, tmp_path)))
    assert after.macs == before.macs > 0
    assert (after.coverage.nodes, after.coverage.bytes) == (1.0, 1.0)
    assert after.bytes_read + after.bytes_written <= before.bytes_read + before.bytes_written
