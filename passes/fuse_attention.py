"""Scaled dot-product attention in one kernel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from graphcost.groups import GROUPS, Group
from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.rewrite import Reject, Versions, in_order, outline
from graphcost.target import Target
from graphcost.types import TensorType

from .ledger import PRESERVED, Ledger
from .myelin_roles import is_strided
from .views import dims_of

_VERSIONS = Versions("tensorrt", (8, 5))
_FIRST_ARCHITECTURE = (7, 5)
_HEAD_SIZES = range(16, 257, 8)


@dataclass(frozen=True)
class FuseAttention(Pass):
    """Put softmax(q·kᵀ·scale + mask)·v into one kernel `group.attention`, so that the scores never go to memory. What
    splits, looks up, transposes or repeats heads and is read by nothing else belongs to it: the kernel reads with
    strides.

    From TensorRT 8.5 on, in FP16 on Turing and later, for heads of 16 to 256 numbers in steps of 8. Elsewhere the two
    products, the scaling, the mask and the softmax stay kernels of their own.

    Evidence: attention fusion in TensorRT's fusion catalogue ("Fused Attention": MatMul, Softmax, MatMul become one
    kernel), `_gemm_mha_v2` in engines of TensorRT 10. That 8.5 and 8.6 have it, from which architecture on, that FP32
    does not, and the sizes of heads (those of FlashAttention kernels) are inferred.
    """

    name: ClassVar[str] = "fuse-attention"

    def run(self, graph: Graph, ctx: Context) -> Change:
        ledger = Ledger(self.name, graph, ctx)
        groups = ctx.get(GROUPS)
        written_out = [group for group in groups if group.kind == "attention" and len(group.nodes) > 1]
        fused = [group for group in written_out if _fuse(graph, group, ctx.target, ledger)]
        ledger.close()
        if not fused:
            return UNCHANGED
        # Groups share no nodes, so the others stand as they did and need not be looked for again.
        ctx.analyses.put(GROUPS, tuple(group for group in groups if group not in fused))
        return Change(len(fused), PRESERVED | {GROUPS})


def _fuse(graph: Graph, group: Group, target: Target, ledger: Ledger) -> bool:
    nodes = _with_layouts(group)
    name = " + ".join(node.name for node in group.nodes if node.own_origin)
    try:
        _refuse(group, target)
        ledger.gather(
            nodes,
            lambda: outline(graph, nodes, "group.attention", group.attrs, name, inlines=True),
            "attention in one kernel: the scores stay on the chip",
        )
    except Reject as refusal:
        ledger.refuse(group.nodes[-1], refusal.reason)
        return False
    return True


def _refuse(group: Group, target: Target) -> None:
    """Raise Reject where no fused kernel is known."""
    runtime = target.runtime
    if not _VERSIONS.hold(runtime.family, runtime.version):
        raise Reject(f"attention is fused in {_VERSIONS}, not in {runtime.name}")
    device, query = target.device, group.inputs["q"]
    if not _computes_f16(query, target):
        raise Reject(f"attention is fused in f16, and {target.header()} computes this one in another precision")
    if device is not None and device.compute_capability < _FIRST_ARCHITECTURE:
        raise Reject(f"attention is fused from sm_75 on, and {device.id} is {device.sm}")
    size = _head_size(group)
    if size not in _HEAD_SIZES:
        raise Reject(f"heads have {size} numbers; fused attention takes 16 to 256 in steps of 8")


def _computes_f16(query: Value, target: Target) -> bool:
    """Exported in FP16, or FP32 that may become FP16."""
    dtype = query.type.dtype if isinstance(query.type, TensorType) else "?"
    return dtype == "f16" or (dtype == "f32" and target.precision != "as-exported" and "f16" in target.allowed())


def _head_size(group: Group) -> object:
    """How many numbers a query has: what the product of queries and keys sums over."""
    product = next(node for node in group.nodes if node.op.endswith(("MatMul", "Einsum")))
    dims = dims_of(product.operand(0)) or (None,)
    return dims[-1]


def _with_layouts(group: Group) -> tuple[Node, ...]:
    """The nodes of the group, and those before it that only it reads and that move nothing but positions."""
    nodes = dict.fromkeys(group.nodes)
    waiting = list(group.nodes)
    while waiting:
        for maker in _makers(waiting.pop()):
            if maker not in nodes and is_strided(maker) and nodes.keys() >= set(_readers(maker)):
                nodes[maker] = None
                waiting += [maker]
    return in_order(nodes)


def _makers(node: Node) -> Iterable[Node]:
    return (value.producer for value in node.inputs if value.producer is not None)


def _readers(node: Node) -> Iterable[Node]:
    return (reader for result in node.results for reader in result.readers)
