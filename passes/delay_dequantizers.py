"""Dequantizers that move towards what reads their tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.origin import Origin, merge_origins
from graphcost.pipeline import Change, Context, Pass
from graphcost.types import TensorType

from .fusing import POINTWISE
from .int8 import INT8_CONTRACTIONS
from .ledger import Ledger
from .motion import Motion
from .quantizers import (
    DEQUANTIZE,
    MOVEMENTS,
    POOLS,
    QUANTIZE,
    dequantizer_of,
    is_per_tensor,
    only_reader,
    same_scaling,
)  # fmt: skip

_CONCAT = "onnx.Concat"
_OWN = INT8_CONTRACTIONS | POINTWISE | POOLS | MOVEMENTS | {_CONCAT}
"""Operators that can read integers, each through a dequantizer of its own."""


@dataclass(frozen=True)
class DelayDequantizers(Pass):
    """Give each node that can compute over integers a DequantizeLinear of its own, and move those behind max pooling,
    slices and other movements of elements, which then run over integers. Clones share their origin.

    Evidence: "DQ motions" and VanillaSwapWithPreceedingDQ in TensorRT's build logs (8.5.10); "delay dequantization" in
    its developer guide. That a Concat of tensors of one scale passes them on is inferred.
    """

    name: ClassVar[str] = "delay-dequantizers"

    def run(self, graph: Graph, ctx: Context) -> Change:
        return _Motion(graph, Ledger(self.name, graph, ctx)).run(DEQUANTIZE)


@dataclass
class _Motion(Motion):
    def visit(self, node: Node) -> None:
        if len(owners := _owners(node)) > 0:
            self.count += 1
            self._clone(node, owners)
        if (mover := _passable(node)) is not None:
            self.count += 1
            self._swap(node, mover)

    def _clone(self, node: Node, owners: list[Node]) -> None:
        """A dequantizer for each of the readers given; the others keep the first."""
        self.ledger.touch(node, *owners)
        result = node.results[0]
        node.origin = origin = [Origin(name, part / (len(owners) + 1)) for name, part in node.own_origin]
        for reader in owners:
            copy = Value(self.names.unique(self.graph, f"{result.name}.clone"), result.type)
            clone = Node(DEQUANTIZE, node.operands, [copy], node.attrs, name=node.name, origin=origin)
            self.graph.insert_before(reader, clone)
            self.ledger.added(clone, f"{reader.name} reads integers")
            for slot, operand in enumerate(reader.operands):
                if operand is result:
                    reader.set_operand(slot, copy)
            self.waiting.append(clone)

    def _swap(self, node: Node, mover: Node) -> None:
        """Dequantize what `mover` gives instead of what it reads."""
        before = [maker for value in mover.inputs if (maker := dequantizer_of(value)) is not None]
        self.ledger.touch(*before, mover)
        inside = {one.results[0]: one.operands[0] for one in before}
        result = mover.results[0]
        narrow, wide = node.operands[0], result.type
        assert narrow is not None and isinstance(narrow.type, TensorType) and isinstance(wide, TensorType)
        kind = TensorType(narrow.type.dtype, wide.dims, quantization=narrow.type.quantization)
        moved = Value(self.names.unique(self.graph, f"{result.name}.quantized"), kind)
        operands = [inside.get(value, value) if value is not None else None for value in mover.operands]
        new = Node(mover.op, operands, [moved], mover.attrs, name=mover.name, origin=mover.own_origin)
        origin = merge_origins(*(one.own_origin for one in before))
        after = Node(DEQUANTIZE, [moved, *node.operands[1:]], [result], node.attrs, name=node.name, origin=origin)
        self.ledger.replace_all([*before, mover], [new, after], f"{node.name} moves behind {mover.name}")
        self.waiting.append(after)


def _owners(node: Node) -> list[Node]:
    """The readers of a dequantizer that get one of their own: all that can, but for one where no other is left."""
    readers = node.results[0].readers
    able = [reader for reader in readers if reader.op in _OWN]
    return able if len(able) < len(readers) else able[1:]


def _passable(node: Node) -> Node | None:
    """The node behind a dequantizer that it can move over."""
    mover = only_reader(node.results[0])
    if mover is None or not is_per_tensor(node) or any(result.use_count for result in mover.results[1:]):
        return None
    if mover.op == _CONCAT:
        return mover if _is_of_one_scale(mover, node) else None
    if mover.op not in MOVEMENTS or mover.operand(0) is not node.results[0] or node.inputs[0].is_weight:
        return None
    return None if _rescales(mover) else mover


def _rescales(mover: Node) -> bool:
    """Max pooling before a quantizer of another scale is a quantized node itself."""
    after = only_reader(mover.results[0])
    return mover.op == "onnx.MaxPool" and after is not None and after.op == QUANTIZE


def _is_of_one_scale(concat: Node, node: Node) -> bool:
    """Whether all that a Concat reads is dequantized for it alone, by the same scale."""
    before = [dequantizer_of(value) for value in concat.inputs]
    return all(one is not None and only_reader(one.results[0]) is concat and same_scaling(one, node) for one in before)
