"""A predicted engine in the files that trtexec would write of a real one, for the tools that read those.

Layer information: a list of layers from TensorRT 10 on, `{"Layers": […], "Bindings": […]}` before. What is not known
is null. Profile: `[{"count": 1}, {"name", "timeMs", "averageMs", "medianMs", "percentage"}, …]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphcost.errors import UsageError
from graphcost.ir import Graph, Node, Value
from graphcost.report import Kernel, Tensor
from graphcost.runtime import Runtime
from graphcost.types import TensorType

from .layer_types import layer_type

if TYPE_CHECKING:
    from graphcost.api import Run

_LIST_FROM = (10,)
_BETWEEN = "\x1e"  # between the ONNX nodes of a layer, as TensorRT writes it
_NO_LAYERS = frozenset({"trt.slice_view", "trt.concat_view"})  # eliminated slices and concatenations

_DTYPES = {"f32": "FP32", "f16": "FP16", "bf16": "BF16", "i8": "Int8", "i32": "Int32", "i64": "Int64", "bool": "Bool",
           "f8e4m3fn": "FP8", "u8": "UInt8"}  # fmt: skip
_FORMATS = {
    "linear": "Row major linear {}",
    "chw2": "Two wide channel vectorized row major {} format",
    "chw4": "Four wide channel vectorized row major {} format",
    "chw16": "Sixteen wide channel vectorized row major {} format",
    "chw32": "Thirty-two wide channel vectorized row major {} format",
    "hwc": "Channel major {} format",
    "hwc4": "Channel major {} format where channel % 4 == 0",
    "hwc8": "Channel major {} format where channel % 8 == 0",
    "hwc16": "Channel major {} format where channel % 16 == 0",
}
"""How TensorRT's inspector spells formats (layer lists of trt-engine-explorer; comments of TensorFormat)."""


def layer_info(run: Run) -> str:
    """The layers of the predicted engine as JSON. UsageError where the runtime is not TensorRT."""
    version = _version(run, "--export-layer-info")
    layers = [_layer(node, kernel, run.target.runtime) for node, kernel in _layers(run)]
    return _dump(layers if version >= _LIST_FROM else {"Layers": layers, "Bindings": _bindings(run.graph)})


def profile(run: Run) -> str:
    """The predicted times of the layers as JSON. UsageError where the runtime is not TensorRT, or without a device."""
    _version(run, "--export-profile")
    if run.target.device is None:
        raise UsageError("--export-profile writes times, which need a --device")
    total_ms = run.report.totals.latency_known_ms or 0.0
    return _dump([{"count": 1}, *(_time(kernel, total_ms) for _, kernel in _layers(run))])


def _version(run: Run, option: str) -> tuple[int, ...]:
    runtime = run.target.runtime
    if runtime.family != "tensorrt" or runtime.version is None:
        raise UsageError(f"{option} writes what trtexec would, and {runtime.name} is no TensorRT: give --device NAME")
    return runtime.version


def _layers(run: Run) -> list[tuple[Node, Kernel]]:
    """Nodes that are layers in an engine: slices and concatenations that became views are not."""
    return [(node, row) for node, row in zip(run.graph, run.report.kernels) if node.op not in _NO_LAYERS]


def _layer(node: Node, kernel: Kernel, runtime: Runtime) -> dict[str, Any]:
    kind = layer_type(runtime, kernel.op, kernel.kind, kernel.precision, kernel.bound != "none")
    return {
        "Name": kernel.name,
        "LayerType": kind.name if kind else None,
        "Inputs": _tensors(kernel.inputs, _activations(node.inputs)),
        "Outputs": _tensors(kernel.outputs, _activations(node.results)),
        **({"ParameterType": kind.parameters} if kind and kind.parameters else {}),
        "TacticName": kernel.tactic,
        "StreamId": 0,
        "Metadata": _BETWEEN.join(f"[ONNX Layer: {name}]" for name in kernel.origin),
    }


def _activations(values: Iterable[Value]) -> frozenset[str]:
    return frozenset(value.name for value in values if not value.is_weight)


def _tensors(tensors: Sequence[Tensor], wanted: frozenset[str]) -> list[dict[str, Any]]:
    return [
        {"Name": t.name, "Location": "Device", "Dimensions": _dims(t), "Format/Datatype": _form(t)}
        for t in tensors
        if t.name in wanted
    ]


def _dims(tensor: Tensor) -> list[int] | None:
    """The shape, -1 for a dimension that is not known; None where the rank is not."""
    return None if tensor.shape is None else [dim if isinstance(dim, int) else -1 for dim in tensor.shape]


def _form(tensor: Tensor) -> str:
    dtype = _DTYPES.get(tensor.dtype, tensor.dtype)
    return _FORMATS.get(tensor.format, tensor.format + " {}").format(dtype)


def _bindings(graph: Graph) -> list[str]:
    return [value.name for value in (*graph.inputs, *graph.outputs) if isinstance(value.type, TensorType)]


def _time(kernel: Kernel, total_ms: float) -> dict[str, Any]:
    time_ms = kernel.latency_ms
    share = 100 * time_ms / total_ms if time_ms is not None and total_ms else None
    return {
        "name": kernel.name, "timeMs": time_ms, "averageMs": time_ms, "medianMs": time_ms, "percentage": share,
    }  # fmt: skip


def _dump(document: Sequence[object] | Mapping[str, Sequence[object]]) -> str:
    """A layer a line."""
    if isinstance(document, Mapping):
        members = ", ".join(f"{_text(key)}: {_dump(value).rstrip()}" for key, value in document.items())
        return f"{{{members}}}\n"
    return "[\n" + ",\n".join(map(_text, document)) + "\n]\n"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
