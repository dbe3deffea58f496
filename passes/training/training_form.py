"""What the network does in training, as far as its file still tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.rewrite import scalar_of

from ..eliminate_noops import leave_out
from ..ledger import Ledger

_HOW = (
    "export with torch.onnx.export(model.train(), …, training=torch.onnx.TrainingMode.TRAINING, "
    "do_constant_folding=False, dynamo=False)"
)


@dataclass(frozen=True)
class TrainingForm(Pass):
    """Put batch normalisation into its training form, take out dropout that drops nothing, and warn where the file is
    an inference export, of which some of the training network is gone.

    A dynamo export of `model.train()` is such a file: its batch normalisation uses running statistics.
    """

    name: ClassVar[str] = "training-form"

    def run(self, graph: Graph, ctx: Context) -> Change:
        ledger = Ledger(self.name, graph, ctx)
        idle = [node for node in graph if node.op == "onnx.Dropout" and _drops_nothing(node)]
        count = sum(leave_out(node, node.inputs[0], "it drops nothing", ledger) for node in idle)
        frozen = [n for n in graph if n.op == "onnx.BatchNormalization" and not n.attrs.get("training_mode")]
        for node in frozen:
            ledger.touch(node)
            node.set_attr("training_mode", 1)
        ledger.close()
        _warn(graph, frozen, ctx)
        return Change(count + len(frozen)) if count or frozen else UNCHANGED


def _drops_nothing(node: Node) -> bool:
    """Probability 0, in training or not; the operator then returns its operand."""
    ratio = node.operand(1)
    return ratio is not None and scalar_of(ratio) == 0.0


def _warn(graph: Graph, frozen: list[Node], ctx: Context) -> None:
    """Say what an inference export no longer tells."""
    if frozen:
        ctx.journal.warn(
            f"batch normalisation is in inference form ({len(frozen)} of them) and is costed in training form; dropout "
            f"may be gone: {_HOW}"
        )
    elif _looks_folded(graph):
        ctx.journal.warn(
            f"every convolution has a bias and none a normalisation behind it: if batch normalisation was folded, the "
            f"training network keeps more than this: {_HOW}"
        )


def _looks_folded(graph: Graph) -> bool:
    """Convolutions with bias throughout and no normalisation anywhere: as after folding."""
    convolutions = [node for node in graph if node.op == "onnx.Conv"]
    normalised = any("Normalization" in node.op or node.op.endswith("_norm") for node in graph)
    return len(convolutions) > 1 and not normalised and all(node.operand(2) is not None for node in convolutions)
