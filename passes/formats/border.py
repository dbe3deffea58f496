"""Kernels between the border of a network, which is kept in FP32, and the next product."""

from __future__ import annotations

from collections.abc import Iterable

from graphcost.ir import Graph, Node, Value
from graphcost.kernels import kind_of, precision_of

from .ports import activations, dtype_of, is_activation

_WITHOUT_PRODUCTS = frozenset({"copy", "norm", "pointwise", "pool", "reduce", "resize", "softmax", "view"})


def border_kernels(graph: Graph) -> set[Node]:
    """The kernels in FP16 without products that lie between an input or an output of the network in FP32 and the next
    product. They may as well run in FP32 where that brings the border's reformat to a smaller tensor: in front of a
    Resize that makes an image larger.

    Inferred: TensorRT chooses element type and format of each layer together, by its time and that of the reformats
    around it (build logs time every layer in each of its types). Inside a network nothing is won by FP32.
    """
    ends = [value.producer for value in graph.outputs if dtype_of(value) == "f32"]
    starts = [reader for value in graph.inputs if dtype_of(value) == "f32" for reader in value.readers]
    return _reached(ends, forward=False) | _reached(starts, forward=True)


def _reached(places: Iterable[Node | None], *, forward: bool) -> set[Node]:
    """What is reached through nothing but such kernels."""
    found: set[Node] = set()
    waiting = [node for node in places if node is not None]
    while waiting:
        node = waiting.pop()
        if node in found or not _may_widen(node):
            continue
        found.add(node)
        waiting += _readers(node) if forward else _makers(node)
    return found


def _makers(node: Node) -> list[Node]:
    return [value.producer for _, value in activations(node) if value.producer is not None]


def _readers(node: Node) -> list[Node]:
    return [reader for result in node.results if is_activation(result) for reader in result.readers]


def _may_widen(node: Node) -> bool:
    """Whether a kernel in FP16 exists in FP32 over the same weights; those of Myelin are not chosen one by one."""
    if node.op == "return" or "region" in node.attrs or precision_of(node) != "f16":
        return False
    return kind_of(node) in _WITHOUT_PRODUCTS and not any(map(_is_half_weight, node.inputs))


def _is_half_weight(value: Value) -> bool:
    return value.is_weight and dtype_of(value) == "f16" and value.type.elements != 1
