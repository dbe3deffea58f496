"""Parts of a graph that TensorRT hands to Myelin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.rewrite import Reject, Versions, outline
from graphcost.runtime import Runtime
from graphcost.types import BITS, FLOATS, Attr

from .ledger import PRESERVED, Ledger
from .myelin_kernels import Kernel, floats, joined
from .myelin_roles import ATTENTION, GEMM, NORMS, role_of, tensors_of
from .regions import convex_sets
from .views import VIEWS


def _is_product(node: Node) -> bool:
    """A product of two tensors that are computed at run time."""
    return node.op in ("onnx.MatMul", "onnx.Einsum") and len(tensors_of(node)) > 1 and role_of(node) == GEMM


def _is_half_gemm(node: Node) -> bool:
    return node.attrs.get("precision") in ("f16", "bf16") and role_of(node) == GEMM


_CASTS = frozenset({"onnx.Cast", "onnx.CastLike", "onnx.QuantizeLinear"})
"""They compute in what they convert to or from; what stands between them decides."""


@dataclass(frozen=True)
class Seed:
    """What makes TensorRT hand the part of the graph around it to Myelin, and in which versions."""

    begins: Callable[[Node], bool]
    versions: Versions


_SEEDS: Mapping[str, Seed] = {
    "attention": Seed(lambda node: role_of(node) == ATTENTION, Versions("tensorrt", (8, 5))),
    "norm": Seed(lambda node: node.op in NORMS, Versions("tensorrt", (10,))),
    "product": Seed(_is_product, Versions("tensorrt", (10,))),
    "gemm": Seed(_is_half_gemm, Versions("tensorrt", (10,))),
}


@dataclass(frozen=True)
class Myelin(Pass):
    """Find the regions that TensorRT hands to its compiler Myelin, and put their nodes into the kernels that Myelin
    would launch: fused attention, matrix products with what follows each element of them, and generated kernels.

    A region is a connected part without convolutions, pooling, resizing or recurrent layers in which one of these
    stands: a fused attention (from TensorRT 8.5 on), and from 10 on a layer, group, instance or RMS norm, a product of
    two tensors computed at run time, or a fully connected layer in FP16. Its kernels stay nodes of the graph, and their
    attribute `region` has TensorRT's name for the whole: `{ForeignNode[first...last]}`.

    Evidence: `{ForeignNode[fc.weight...(Unnamed Layer* 58) [ElementWise]]}` and its kernel `__myl_MulSumAdd_myl24_1`,
    and three `gemm` with bias and ReLU inside behind `__myl_Res_myl9_1` (resnet18 and alexnet in FP16, TensorRT 10 on
    an RTX 3060; in FP32 these layers stay outside). Before TensorRT 10 only patterns such as attention are taken:
    NVIDIA/TensorRT#2323. What else begins a region or shares a kernel is inferred, the latter from names of generated
    kernels, which spell their operations.
    """

    name: ClassVar[str] = "myelin"

    def run(self, graph: Graph, ctx: Context) -> Change:
        region_of = regions_of(graph, ctx.target.runtime)
        if not region_of:
            return UNCHANGED
        ledger = Ledger(self.name, graph, ctx)
        for kernel, nodes in convex_sets(graph, _within(region_of), floats):
            _launch(graph, kernel, nodes, region_of[nodes[0]], ledger)
        ledger.close()
        return Change(len(region_of), PRESERVED)


def regions_of(graph: Graph, runtime: Runtime) -> dict[Node, str]:
    """The name of its region for each node that is in one."""
    begins = [seed.begins for seed in _SEEDS.values() if seed.versions.hold(runtime.family, runtime.version)]
    if not any(begin(node) for node in graph for begin in begins):
        return {}
    taken = {node for node in graph if role_of(node) is not None}
    found = convex_sets(graph, lambda node, parts: True if node in taken else None)
    regions = [nodes for _, nodes in found if any(begin(node) for node in nodes for begin in begins)]
    return {node: _name(nodes) for nodes in regions for node in nodes if "region" not in node.attrs}


def _name(nodes: Sequence[Node]) -> str:
    """TensorRT names a region after its first and its last layer; views that passes have made have no name there."""
    names = [origin.name for node in (nodes[0], nodes[-1]) for origin in node.origin] or [nodes[0].name]
    return f"{{ForeignNode[{names[0]}...{names[-1]}]}}"


def _within(region_of: Mapping[Node, str]) -> Callable[[Node, Sequence[tuple[Node, Kernel]]], Kernel | None]:
    """Kernels of nodes that are all in one region."""

    def joins(node: Node, parts: Sequence[tuple[Node, Kernel]]) -> Kernel | None:
        region = region_of.get(node)
        if region is None or any(region_of[maker] != region for maker, _ in parts):
            return None
        return joined(node, parts)

    return joins


def _launch(graph: Graph, kernel: Kernel, nodes: Sequence[Node], region: str, ledger: Ledger) -> None:
    """Put nodes into a kernel; a single one, and views alone, stay as they are."""
    if len(nodes) == 1 or all(node.op in VIEWS for node in nodes):
        for node in nodes:
            node.set_attr("region", region)
        return
    op, attrs = _kernel_of(kernel, nodes)
    name = " + ".join(node.name for node in nodes if node.origin)
    attrs = {**attrs, "region": region}
    try:
        ledger.gather(nodes, lambda: outline(graph, nodes, op, attrs, name, inlines=True), f"one kernel of {region}")
    except Reject as refusal:
        ledger.refuse(nodes[-1], refusal.reason)


def _kernel_of(kernel: Kernel, nodes: Sequence[Node]) -> tuple[str, Mapping[str, Attr]]:
    """Operator and attributes: those of the attention, else the precision of the product, or the widest. A norm that
    was written out gives up its node for those in its body, so the kernel says that it is one."""
    if kernel.kind == ATTENTION and nodes[0].bodies:
        return nodes[0].op, nodes[0].attrs
    if kernel.kind == ATTENTION:  # an operator of the file, which counts by itself what a body would count again
        return "group.attention", _precision(nodes[:1])
    if kernel.kind == GEMM:
        return "trt.gemm", _precision([node for node in nodes if role_of(node) == GEMM])
    family = {"family": "norm"} if any(node.op in NORMS for node in nodes) else {}
    return "trt.kgen", {**family, **_precision([node for node in nodes if node.op not in _CASTS])}


def _precision(nodes: Sequence[Node]) -> Mapping[str, Attr]:
    """The widest floating precision of nodes; of those that compute in none, that of the first."""
    found = [precision for node in nodes if isinstance(precision := node.attrs.get("precision"), str)]
    if not found:
        return {}
    floats = [precision for precision in found if precision in FLOATS]
    return {"precision": max(floats, key=lambda dtype: BITS[dtype] or 0) if floats else found[0]}
