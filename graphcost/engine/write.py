"""A predicted engine in the files that trtexec would write of a real one, for the tools that read those.

Layer information: a list of layers, as today's tools read it, whatever version is simulated. What is not known is null.
Profile: `[{"count": 1}, {"name", "timeMs", "averageMs", "medianMs", "percentage"}, …]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence, Set
from typing import TYPE_CHECKING, Any, NamedTuple

from graphcost.errors import UsageError
from graphcost.ir import Node
from graphcost.report import Kernel, Tensor
from graphcost.runtime import Runtime

from .layer_types import layer_type

if TYPE_CHECKING:
    from graphcost.api import Run

_DETAILED_FROM = (10,)
"""Before, a region of Myelin is one layer; from then on each of its kernels is."""
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
    layers = [_layer(part, run.target.runtime) for part in _layers(run, version)]
    return _dump(layers)


def profile(run: Run) -> str:
    """The predicted times of the layers as JSON. UsageError where the runtime is not TensorRT, or without a device."""
    version = _version(run, "--export-profile")
    if run.target.device is None:
        raise UsageError("--export-profile writes times, which need a --device")
    total_ms = run.report.totals.latency_known_ms or 0.0
    return _dump([{"count": 1}, *(_time(part, total_ms) for part in _layers(run, version))])


def _version(run: Run, option: str) -> tuple[int, ...]:
    runtime = run.target.runtime
    if runtime.family != "tensorrt" or runtime.version is None:
        raise UsageError(f"{option} writes what trtexec would, and {runtime.name} is no TensorRT: give --device NAME")
    return runtime.version


class _Layer(NamedTuple):
    """A layer's name, and the kernels that it stands for."""

    name: str
    nodes: list[Node]
    kernels: list[Kernel]


def _layers(run: Run, version: tuple[int, ...]) -> list[_Layer]:
    """The layers in order; a region of Myelin stands where its first kernel does."""
    found: dict[str, _Layer] = {}
    for node, kernel in zip(run.graph, run.report.kernels):
        if node.op in _NO_LAYERS:
            continue
        is_region = kernel.region is not None and version < _DETAILED_FROM
        layer = found.setdefault(
            f"region {kernel.region}" if is_region else f"kernel {len(found)}",
            _Layer(kernel.region or kernel.name if is_region else kernel.name, [], []),
        )
        layer.nodes.append(node)
        layer.kernels.append(kernel)
    return list(found.values())


def _layer(layer: _Layer, runtime: Runtime) -> dict[str, Any]:
    kernel = layer.kernels[0]
    kind = layer_type(
        runtime, kernel.op, kernel.kind, kernel.precision, launches=kernel.bound != "none",
        in_region=kernel.region is not None,
    )  # fmt: skip
    reads, makes = _border(layer.nodes)
    return {
        "Name": layer.name,
        "LayerType": kind.name if kind else None,
        "Inputs": _tensors([tensor for each in layer.kernels for tensor in each.inputs], reads),
        "Outputs": _tensors([tensor for each in layer.kernels for tensor in each.outputs], makes),
        **({"ParameterType": kind.parameters} if kind and kind.parameters else {}),
        "TacticName": kernel.tactic if len(layer.kernels) == 1 else None,
        "StreamId": 0,
        "Metadata": _BETWEEN.join(f"[ONNX Layer: {name}]" for name in _origin(layer.kernels)),
    }


def _origin(kernels: Iterable[Kernel]) -> list[str]:
    return list(dict.fromkeys(name for kernel in kernels for name in kernel.origin))


def _border(nodes: Sequence[Node]) -> tuple[set[str], set[str]]:
    """Names of the activations that cross the border of some nodes, inwards and outwards."""
    own = set(nodes)
    inside = {result for node in nodes for result in node.results}
    reads = {value.name for node in nodes for value in node.inputs if not value.is_weight and value not in inside}
    makes = {value.name for value in inside if any(reader not in own for reader in value.readers)}
    return reads, makes or {value.name for value in nodes[-1].results}


def _tensors(tensors: Iterable[Tensor], wanted: Set[str]) -> list[dict[str, Any]]:
    named = {tensor.name: tensor for tensor in tensors if tensor.name in wanted}
    return [
        {"Name": name, "Location": "Device", "Dimensions": _dims(tensor), "Format/Datatype": _form(tensor)}
        for name, tensor in named.items()
    ]


def _dims(tensor: Tensor) -> list[int] | None:
    """The shape, -1 for a dimension that is not known; None where the rank is not."""
    return None if tensor.shape is None else [dim if isinstance(dim, int) else -1 for dim in tensor.shape]


def _form(tensor: Tensor) -> str:
    dtype = _DTYPES.get(tensor.dtype, tensor.dtype)
    return _FORMATS.get(tensor.format, tensor.format + " {}").format(dtype)


def _time(layer: _Layer, total_ms: float) -> dict[str, Any]:
    times = [kernel.latency_ms for kernel in layer.kernels]
    time_ms = None if None in times else sum(time for time in times if time is not None)
    share = 100 * time_ms / total_ms if time_ms is not None and total_ms else None
    return {
        "name": layer.name, "timeMs": time_ms, "averageMs": time_ms, "medianMs": time_ms, "percentage": share,
    }  # fmt: skip


def _dump(document: Sequence[object]) -> str:
    """A layer a line."""
    return "[\n" + ",\n".join(map(_text, document)) + "\n]\n"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
