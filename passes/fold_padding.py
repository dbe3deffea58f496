"""Padding that a convolution does itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.origin import merge_origins
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.rewrite import Reject, scalar_of
from graphcost.work.sizes import integers

from .ledger import PRESERVED, Ledger, executed_graphs
from .views import dims_of


@dataclass(frozen=True)
class FoldPadding(Pass):
    """Let a Conv pad its input itself where a Pad before it adds zeros around the image and is read by nothing else.

    Not folded: padding with another number or by reflection, negative padding (a crop), padding of channels or batch,
    padding before pooling, which stays a layer.

    Evidence: "Padding and Convolution/Deconvolution: … if all the padding sizes are non-negative" in TensorRT's fusion
    catalogue. A Pad before MaxPool is a layer of its own in engines of Keras networks (trex_tf-resnet_RTX3090).
    """

    name: ClassVar[str] = "fold-padding"

    def run(self, graph: Graph, ctx: Context) -> Change:
        ledger = Ledger(self.name, graph, ctx)
        nodes = (node for part in executed_graphs(graph) for node in part)
        count = sum(_fold(node, ledger) for node in nodes if node.op == "onnx.Pad")
        ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


def _fold(pad: Node, ledger: Ledger) -> bool:
    try:
        conv = _only_convolution(pad)
        added = _zeros_around_the_image(pad)
    except Reject as refusal:
        ledger.refuse(pad, refusal.reason)
        return False
    pads = integers(conv, "pads") or (0,) * len(added)
    attrs = {**conv.attrs, "pads": tuple(a + b for a, b in zip(pads, added))}
    operands = [pad.operand(0), *conv.operands[1:]]
    origin = merge_origins(pad.own_origin, conv.own_origin)
    new = Node(conv.op, operands, conv.results, attrs, name=conv.name, origin=origin)
    ledger.replace_all([pad, conv], [new], f"{conv.name} pads its input itself")
    return True


def _only_convolution(pad: Node) -> Node:
    """The convolution that alone reads the padded image. Raises Reject."""
    readers = pad.results[0].readers
    if len(readers) != 1 or readers[0].op != "onnx.Conv" or readers[0].operand(0) is not pad.results[0]:
        raise Reject(f"{readers[0].name if readers else 'nobody'} reads the padded image, not one convolution alone")
    if pad.results[0].use_count != 1 or readers[0].attrs.get("auto_pad") not in (None, "NOTSET"):
        raise Reject(f"{readers[0].name} reads it twice, or pads as it sees fit")
    return readers[0]


def _zeros_around_the_image(pad: Node) -> tuple[int, ...]:
    """How many zeros are added before and behind each spatial axis, as `pads` of a convolution. Raises Reject."""
    counts, rank = _integers(pad.operand(1)), len(dims_of(pad.operand(0)) or ())
    if pad.attrs.get("mode") not in (None, "constant") or pad.operand(3) is not None or counts is None:
        raise Reject("it does not add a known number of zeros")
    value = pad.operand(2)
    if value is not None and scalar_of(value) != 0:
        raise Reject("it pads with something else than zero")
    if len(counts) != 2 * rank or min(counts) < 0:
        raise Reject("it crops")
    if any(counts[axis] or counts[rank + axis] for axis in (0, 1)):
        raise Reject("it pads channels or batch")
    return (*counts[2:rank], *counts[rank + 2 :])


def _integers(value: Value | None) -> tuple[int, ...] | None:
    if value is None or value.constant is None:
        return None
    return tuple(int(number) for number in value.constant.values)
