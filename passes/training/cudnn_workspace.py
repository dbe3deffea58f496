"""Scratch space of cuDNN's convolutions, which PyTorch takes from its own allocator while they run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.device import DeviceProfile
from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.training.categories import WORKSPACE
from graphcost.types import TensorType

_TILE = 2
"""Outputs of a tile along one side: F(2x2, 3x3) forward and for the input, F(3x3, 2x2) for the weights (Lavin and Gray,
arXiv 1509.09308)."""
_TRANSFORMED = (_TILE + 2) ** 2


@dataclass(frozen=True)
class CudnnWorkspace(Pass):
    """Give the gradients of convolutions on a device the workspace of the algorithm that cuDNN is taken to choose, as a
    result that nobody reads.

    Gradients of 3x3 convolutions of stride 1 without groups run as non-fused Winograd, which keeps transformed input,
    output and weights: 16 numbers for each tile of 2x2 outputs and channel, and for each pair of channels. Forward
    convolutions run fused, others as implicit GEMM, which need nothing to speak of. Inferred: of 27 choices (nothing,
    tiles of 2 or of 4; forward, input, weights) this one meets the reserved memory of 891 measured steps on a Jetson
    TX2 best, with a mean error of 6.7 % and nothing fitted; without workspaces it is 11.0 %. Where tensor cores serve
    the type, products run there, and nothing is given: no such step was measured.
    """

    name: ClassVar[str] = "cudnn-workspace"

    def run(self, graph: Graph, ctx: Context) -> Change:
        device = ctx.target.device
        if device is None:
            return UNCHANGED
        fit = (node for node in graph if not _has_workspace(node) and not _on_tensor_cores(node, device))
        sizes = {node: size for node in fit if (size := winograd_bytes(node))}
        for node, size in sizes.items():
            _give(graph, node, size)
        return Change(len(sizes)) if sizes else UNCHANGED


def _on_tensor_cores(node: Node, device: DeviceProfile) -> bool:
    """PyTorch lets cuDNN compute FP32 in TF32 where there is such a unit (torch.backends.cudnn.allow_tf32)."""
    types = [value.type for value in node.inputs[:1] if isinstance(value.type, TensorType)]
    return any(bool(device.peak_flops_per_s(_UNITS.get(type.dtype, ""), "tensor")) for type in types)


_UNITS = {"f32": "tf32", "f16": "f16", "bf16": "f16"}


def winograd_bytes(node: Node) -> int:
    """The workspace of one gradient of a convolution; 0 where Winograd does not serve."""
    if node.op != "grad.Conv" or node.attrs.get("wrt") not in (0, 1) or len(node.inputs) < 3:
        return 0
    gradient, source, weight = node.inputs[:3]
    if not _is_winograd(node, weight):
        return 0
    batch, channels = _dims(source)[:2]
    outputs = _dims(gradient)[1]
    height, width = _dims(source if node.attrs.get("wrt") == 0 else gradient)[2:]
    tiles = batch * -(-height // _TILE) * -(-width // _TILE)
    numbers = _TRANSFORMED * (tiles * (channels + outputs) + channels * outputs)
    return numbers * (source.type.size_bytes or 0) // max(source.type.elements or 1, 1)


def _is_winograd(node: Node, weight: Value) -> bool:
    dims = _dims(weight)
    strides = node.attrs.get("strides", (1, 1))
    dilations = node.attrs.get("dilations", (1, 1))
    plain = strides == (1, 1) and dilations == (1, 1) and node.attrs.get("group", 1) == 1
    return plain and len(dims) == 4 and dims[2:] == (3, 3)


def _has_workspace(node: Node) -> bool:
    return any(result.name.endswith(WORKSPACE) for result in node.results)


def _give(graph: Graph, node: Node, size: int) -> None:
    workspace = Value(f"{node.name}{WORKSPACE}", TensorType("u8", (size,)))
    results = (*node.results, workspace)
    graph.replace([node], Node(node.op, node.operands, results, node.attrs, name=node.name, origin=node.own_origin))


def _dims(value: Value) -> tuple[int, ...]:
    dims = value.type.dims if isinstance(value.type, TensorType) else None
    return tuple(dim if isinstance(dim, int) else 1 for dim in dims or ())
