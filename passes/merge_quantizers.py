"""Quantizers that say the same of one tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.origin import merge_origins
from graphcost.pipeline import UNCHANGED, Change, Context, Pass

from .eliminate_noops import leave_out
from .ledger import Ledger
from .quantizers import QUANTIZE, same_scaling


@dataclass(frozen=True)
class MergeQuantizers(Pass):
    """Of several QuantizeLinear of one tensor with equal scales and zero points keep the first. Exporters write one for
    each reader.

    Evidence: HorizontalMergeQNodes in TensorRT's build logs (8.5.10); QuantizeLinear_88, _149 and _210 have no layer in
    trex_tv-resnet18_A100_b32_qat, where they repeat those of the block.
    """

    name: ClassVar[str] = "merge-quantizers"

    def run(self, graph: Graph, ctx: Context) -> Change:
        ledger = Ledger(self.name, graph, ctx)
        kept: dict[Value, list[Node]] = {}
        count = sum(_merge(node, kept, ledger) for node in graph if node.op == QUANTIZE)
        ledger.close()
        return Change(count) if count else UNCHANGED


def _merge(node: Node, kept: dict[Value, list[Node]], ledger: Ledger) -> bool:
    earlier = kept.setdefault(node.inputs[0], [])
    equal = next((other for other in earlier if same_scaling(other, node)), None)
    if equal is not None and replace_by_equal(node, equal, ledger):
        return True
    earlier.append(node)
    return False


def replace_by_equal(node: Node, kept: Node, ledger: Ledger) -> bool:
    """Let the readers of a quantizer read an equal one that runs earlier, which stands for what it only shared."""
    if not leave_out(node, kept.results[0], f"equal to {kept.name}", ledger):
        return False
    inherit(kept, node)
    return True


def inherit(heir: Node, gone: Node) -> None:
    """What `gone` stood for together with other nodes must not be lost with it."""
    shared = [origin for origin in gone.own_origin if origin.share < 1]
    if shared:
        heir.origin = merge_origins(heir.own_origin, shared)
