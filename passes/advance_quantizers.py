"""Quantizers that move towards what makes their tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.origin import Origin
from graphcost.pipeline import Change, Context, Pass
from graphcost.types import TensorType

from .eliminate_noops import leave_out
from .ledger import Ledger
from .merge_quantizers import inherit, replace_by_equal
from .motion import Motion
from .quantizers import MOVEMENTS, QUANTIZE, dequantizer_of, is_per_tensor, only_reader, same_scaling

_CONCAT = "onnx.Concat"


@dataclass(frozen=True)
class AdvanceQuantizers(Pass):
    """Move QuantizeLinear before max pooling, slices and other movements of elements, and from behind a Concat to each
    of its inputs, so that they run over integers. Equal ones that meet become one; behind a DequantizeLinear of the
    same scale both are left out.

    It must be the one reader, and have one scale for the whole tensor. Max pooling between a DequantizeLinear and a
    QuantizeLinear of another scale stays: it rescales by itself (inferred from QuantizeSingleInputNodes).

    Evidence: VanillaSwapWithFollowingQ, SplitQAcrossPrecedingFanIn and HorizontalMergeQNodes in TensorRT's build logs
    (8.4.12, 8.5.10); layer `conv1.weight + QuantizeLinear_7 + Conv_9 + MaxPool_12` with INT8 output in
    trex_tv-resnet18_A100_b32_qat-residual, whose QuantizeLinear_15 stands behind MaxPool_12 in the file.
    """

    name: ClassVar[str] = "advance-quantizers"

    def run(self, graph: Graph, ctx: Context) -> Change:
        return _Motion(graph, Ledger(self.name, graph, ctx)).run(QUANTIZE)


@dataclass
class _Motion(Motion):
    def visit(self, node: Node) -> None:
        if self._cancel(node):
            self.count += 1
        elif (mover := _passable(node)) is not None:
            self.count += 1
            self._swap(node, mover)

    def _cancel(self, node: Node) -> bool:
        """Leave out a quantizer that undoes the DequantizeLinear before it."""
        before = dequantizer_of(node.operand(0))
        source = None if before is None else before.operand(0)
        if before is None or source is None or not same_scaling(before, node):
            return False
        if not leave_out(node, source, f"it undoes {before.name}", self.ledger):
            return False
        _inherit(source, node)
        if not before.results[0].use_count:
            self.ledger.remove(before, f"{node.name} undoes it")
            _inherit(source, before)
        return True

    def _swap(self, node: Node, mover: Node) -> None:
        """Quantize each tensor that `mover` reads instead of the one that it gives."""
        moved = _moved_inputs(mover)
        self.ledger.touch(node, mover)
        origin = [Origin(name, part / len(moved)) for name, part in node.own_origin]
        quantizers = [self._quantizer(node, value, origin) for value in moved]
        inside = {q.operand(0): q.results[0] for q in quantizers}
        operands = [inside.get(value, value) for value in mover.operands]
        new = Node(mover.op, operands, node.results, mover.attrs, name=mover.name, origin=mover.own_origin)
        self.ledger.replace_all([mover, node], [*quantizers, new], f"{node.name} moves before {mover.name}")
        for quantizer in quantizers:
            self._settle(quantizer)

    def _quantizer(self, node: Node, value: Value, origin: list[Origin]) -> Node:
        """A copy of the quantizer over another tensor."""
        kind, narrow = value.type, node.results[0].type
        assert isinstance(kind, TensorType) and isinstance(narrow, TensorType)
        name = self.names.unique(self.graph, f"{value.name}.quantized")
        result = Value(name, TensorType(narrow.dtype, kind.dims, quantization=narrow.quantization))
        return Node(QUANTIZE, [value, *node.operands[1:]], [result], node.attrs, name=node.name, origin=origin)

    def _settle(self, quantizer: Node) -> None:
        """Let it run as early as it can, so that equal ones can be left out for it, and look at it again."""
        source = quantizer.inputs[0]
        if source.producer is not None:
            self.graph.move_after(source.producer, quantizer)
        else:
            self.graph.move_before(next(iter(self.graph)), quantizer)
        others = [other for other in source.readers if other.op == QUANTIZE and other is not quantizer]
        for other in others:
            if other.operand(0) is source and same_scaling(other, quantizer):
                replace_by_equal(other, quantizer, self.ledger)
        self.waiting.append(quantizer)


def _inherit(source: Value, gone: Node) -> None:
    """What makes or reads the integers stands for what a quantizer that is gone shared with others."""
    around = (source.producer, *source.readers)
    heir = next((node for node in around if node is not None and node.op != "return"), None)
    if heir is not None:
        inherit(heir, gone)


def _passable(node: Node) -> Node | None:
    """The node before a quantizer that it can move over."""
    value = node.operand(0)
    mover = None if value is None else value.producer
    if mover is None or value is None or mover.op not in MOVEMENTS | {_CONCAT} or not is_per_tensor(node):
        return None
    if only_reader(value) is not node or any(result.use_count for result in mover.results[1:]):
        return None
    return None if _rescales(mover, node) or not all(map(_is_activation, _moved_inputs(mover))) else mover


def _rescales(mover: Node, node: Node) -> bool:
    """Max pooling behind a DequantizeLinear of another scale is a quantized node itself."""
    before = dequantizer_of(mover.operand(0))
    return mover.op == "onnx.MaxPool" and before is not None and not same_scaling(before, node)


def _moved_inputs(mover: Node) -> list[Value]:
    """The tensors whose elements it gives out, each once."""
    moved = mover.operands if mover.op == _CONCAT else mover.operands[:1]
    return list(dict.fromkeys(value for value in moved if value is not None))


def _is_activation(value: Value) -> bool:
    return isinstance(value.type, TensorType) and not value.is_weight
