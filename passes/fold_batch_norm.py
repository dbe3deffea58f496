"""Batch norms, scales and biases that a convolution takes into its weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.origin import merge_origins
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import Type

from .channelwise import CHANNELWISE, NORM, Affine, Unfit, anchor_of
from .ledger import PRESERVED, Ledger, executed_graphs
from .values import FreshNames


@dataclass(frozen=True)
class FoldBatchNorm(Pass):
    """Fold BatchNormalization, and Mul, Add, Sub or Div by one constant for each channel, into the Conv, ConvTranspose
    or Gemm before it, which gains a bias if it had none.

    The convolution must have that one reader, and its weights must be constant. Not folded: the training form (batch
    statistics), a scale that is computed at run time, a transposed convolution in groups.

    Evidence: ConvScaleFusion in TensorRT's build logs (`Conv + bn1/Mul + bn1/Add`), QConvScaleFusion where the weights
    pass through Q/DQ; Conv + Scale (kUNIFORM, kCHANNEL) in its fusion catalogue.
    """

    name: ClassVar[str] = "fold-batch-norm"

    def run(self, graph: Graph, ctx: Context) -> Change:
        folding = _Folding(Ledger(self.name, graph, ctx))
        candidates = (node for part in executed_graphs(graph) for node in part if node.op in CHANNELWISE)
        count = sum(folding.fold(node) for node in candidates)
        folding.ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


@dataclass
class _Folding:
    ledger: Ledger
    names: FreshNames = field(default_factory=FreshNames)

    def fold(self, node: Node) -> bool:
        """Whether the convolution before the node took it in; otherwise the journal has the reason."""
        try:
            affine = CHANNELWISE[node.op](node)
            anchor = anchor_of(affine)
        except Unfit as reason:
            if node.op == NORM or reason.is_near:
                self.ledger.refuse(node, str(reason))
            return False
        self._merge(anchor, affine)
        return True

    def _merge(self, anchor: Node, affine: Affine) -> None:
        node, graph = affine.node, anchor.graph
        assert graph is not None
        operands = self._operands(graph, anchor, affine)
        origin = merge_origins(anchor.own_origin, node.own_origin)
        new = Node(anchor.op, operands, node.results[:1], anchor.attrs, name=anchor.name, origin=origin)
        self.ledger.merge(anchor, node, new, f"{anchor.name} takes it into its weights")

    def _operands(self, graph: Graph, anchor: Node, affine: Affine) -> list[Value | None]:
        """The operands of the convolution once it has other weights and, if there is a shift, a bias."""
        data, weight, bias = anchor.operands[0], anchor.operands[1], anchor.operand(2)
        assert weight is not None
        if affine.scales:
            weight = self._changed(graph, weight, weight.type)
        if bias is not None:
            is_whole = bias.type.elements == affine.bias_type.elements
            bias = self._changed(graph, bias, bias.type if is_whole else affine.bias_type)
        elif affine.shifts:
            name = self.names.unique(graph, f"{affine.node.name}.bias")
            bias = graph.add_weight(Value(name, affine.bias_type))
        return [data, weight] if bias is None else [data, weight, bias]

    def _changed(self, graph: Graph, weight: Value, kind: Type) -> Value:
        """The weight with other numbers in it: a new one where others read it, or where its numbers are known."""
        is_ours = weight.use_count == 1 and weight.constant is None and weight.type == kind
        if is_ours or weight.producer is not None:
            return weight
        return graph.add_weight(Value(self.names.unique(graph, f"{weight.name}.folded"), kind))
