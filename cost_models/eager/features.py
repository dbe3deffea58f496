"""What a kernel of a training step does, as amounts of which each has a price in milliseconds.

Launches are counted in thousands, MACs, bytes and elements in billions. MACs are kept apart by kind of convolution, and
by pass where wgrad, which sums over all pixels, is another kernel; `tile` are the MACs that a product rounded up to
whole tiles does in vain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from graphcost.cost import KernelQuery
from graphcost.types import TensorType

NAMES = (
    "launches", "optimizer_bytes", "parameters", "norm_elements", "elementwise_bytes", "conv_bytes", "depthwise_macs",
    "depthwise_bytes", "conv3x3_macs", "conv3x3_wgrad_macs", "conv1x1_macs", "conv1x1_wgrad_macs", "conv_macs",
    "conv_wgrad_macs", "tile_macs", "tile_wgrad_macs", "convolutions", "pool_backward_elements", "wgrad_elements",
)  # fmt: skip

CONVOLUTIONS = ("onnx.Conv", "grad.Conv")

TILE = (64, 32, 8)
"""Rows, columns and depth of a tile: a middle one of cuDNN's kernels for Maxwell and Pascal (maxwell_scudnn_128x64 to
32x32); chosen among six by the error on networks left out."""

_BACKWARD_NORM = 1.6
"""A normalisation reads two maps backward and one forward, twice each."""

_WGRAD = 1  # the operand slot of the weight


def features(query: KernelQuery) -> Mapping[str, float]:
    """The amounts of one kernel; nothing for what is not launched."""
    if not query.launches:
        return {}
    if query.phase == "optimizer":
        count = query.attrs.get("parameters")
        return {
            "optimizer_bytes": query.work.bytes / 1e9,
            "parameters": (count if isinstance(count, int) else 0) / 1e3,
        }
    found = {"launches": 1e-3}
    if query.op in CONVOLUTIONS and query.attrs.get("wrt") != 2:
        return {**found, **_convolution(query)}
    if "BatchNorm" in query.op:
        share = _BACKWARD_NORM if query.phase == "backward" else 1.0
        return {**found, "norm_elements": share * _elements(query.outputs[0]) / 1e9}
    if query.op == "grad.MaxPool":
        return {**found, "pool_backward_elements": _elements(query.outputs[0]) / 1e9}
    return {**found, "elementwise_bytes": query.work.bytes / 1e9}


def _convolution(query: KernelQuery) -> dict[str, float]:
    """MACs by kind, tiles and bytes of a convolution or of one of its gradients."""
    is_wgrad = query.attrs.get("wrt") == _WGRAD
    macs, moved = query.work.macs / 1e9, _moved(query) / 1e9
    if query.kind != "conv":
        return {"depthwise_macs": macs, "depthwise_bytes": moved}
    rows, columns, depth = gemm(query)
    tiled = math.prod(-(-size // tile) * tile for size, tile in zip((rows, columns, depth), TILE)) / 1e9
    suffix = "_wgrad" if is_wgrad else ""
    found = {f"{_kind(query)}{suffix}_macs": macs, f"tile{suffix}_macs": max(tiled - macs, 0.0)}
    if is_wgrad:
        found["wgrad_elements"] = depth * (rows + columns) / 1e9
    return {**found, "conv_bytes": moved, "convolutions": 1e-3}


def _kind(query: KernelQuery) -> str:
    """conv3x3 (of stride 1, which Winograd serves), conv1x1 or conv."""
    window, strides = query.attrs.get("kernel_shape"), query.attrs.get("strides", (1, 1))
    if window == (3, 3) and strides == (1, 1):
        return "conv3x3"
    return "conv1x1" if window == (1, 1) else "conv"


def gemm(query: KernelQuery) -> tuple[int, int, int]:
    """Rows, columns and depth of the product that a convolution without groups is: forward pixels x channels out x
    window; dgrad input pixels x channels in; wgrad channels out x window, summed over pixels."""
    source, weight, result = _operands(query)
    batch, channels, *inner = _dims(source)
    outputs, pixels = _dims(weight)[0], math.prod(_dims(result)[2:])
    window = math.prod(_dims(weight)[2:])
    wrt = query.attrs.get("wrt")
    if wrt == 0:
        return batch * math.prod(inner), channels, outputs * window
    if wrt == _WGRAD:
        return outputs, channels * window, batch * pixels
    return batch * pixels, outputs, channels * window


def _operands(query: KernelQuery) -> tuple[TensorType, TensorType, TensorType]:
    """Input, weight and output map, whichever way the kernel goes."""
    if query.op == "onnx.Conv":
        return query.inputs[0], query.inputs[1], query.outputs[0]
    return query.inputs[1], query.inputs[2], query.inputs[0]


def _moved(query: KernelQuery) -> int:
    """Bytes of the two maps or weights that are read and of what is made; workspaces apart."""
    source, weight, result = _operands(query)
    wrt = query.attrs.get("wrt")
    read = (source, weight) if query.op == "onnx.Conv" else (result, weight if wrt == 0 else source)
    return sum(kind.size_bytes or 0 for kind in (*read, query.outputs[0]))


def _elements(kind: TensorType) -> int:
    return kind.elements or 0


def _dims(kind: TensorType) -> tuple[int, ...]:
    return tuple(dim if isinstance(dim, int) else 1 for dim in kind.dims or ())
