"""A pass, a cost model and an operator that graphcost does not bring, in one plug-in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from graphcost import Change, Context, Cost, Effort, Graph, KernelQuery, Node, Operators, Pass, Plugin, Trust
from graphcost.device import DeviceProfile
from graphcost.operators import Known
from graphcost.types import TensorType, Type


@dataclass(frozen=True)
class MarkWide(Pass):
    """Mark convolutions with more than `channels` output channels."""

    name: ClassVar[str] = "mark-wide"
    channels: int = 256

    def run(self, graph: Graph, ctx: Context) -> Change:
        wide = [node for node in graph if node.op == "onnx.Conv" and self._channels(node) > self.channels]
        for node in wide:
            node.set_attr("wide", 1)
            ctx.journal.did(self.name, node, f"has more than {self.channels} channels")
        return Change(len(wide))

    def _channels(self, node: Node) -> int:
        kind = node.results[0].type
        assert isinstance(kind, TensorType) and kind.dims is not None
        return int(str(kind.dims[1]))


@dataclass(frozen=True)
class OneMillisecond:
    """Every kernel takes a millisecond. Measured, so it says, so it is believed before all analytic models."""

    name: str = "one-millisecond"

    def estimate(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[Cost]:
        return [Cost(1.0, 0.9, 1.1, trust=Trust.MEASURED, model=self.name) for _ in queries]


def infer_attention(node: Node, known: Known) -> Sequence[Type]:
    """The plug-in of TensorRT gives what it takes."""
    operand = node.operands[0]
    assert operand is not None
    return [operand.type]


def attention_work(node: Node) -> Effort:
    """One multiply-add for each element: an example, not a truth."""
    kind = node.results[0].type
    assert isinstance(kind, TensorType) and kind.dims is not None
    return Effort(macs=prod(int(str(dim)) for dim in kind.dims))


def operators() -> Operators:
    name = "trt.plugins.DisentangledAttention_TRT"
    return Operators(shapes={name: infer_attention}, work={name: attention_work})


PLUGIN = Plugin(
    passes={"mark-wide": lambda: MarkWide},
    cost_models={"one-millisecond": OneMillisecond},
    operators=operators,
)
