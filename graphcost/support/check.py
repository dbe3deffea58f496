"""What a runtime says to the nodes of a model: of the graph as it was imported, before any pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphcost.ir import Graph, Node, Value
from graphcost.runtime import Runtime
from graphcost.shapes import Facts
from graphcost.types import TensorType

from .executed import executed_nodes
from .verdict import Refused, Supported, Untold, Verdict, verdict


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A node that the runtime refuses, or of which no list says that it takes it."""

    node: Node
    verdict: Refused | Untold


_TYPED_BY_RESULT = frozenset({
    "onnx.ConstantOfShape", "onnx.RandomNormal", "onnx.RandomNormalLike", "onnx.RandomUniform",
    "onnx.RandomUniformLike", "onnx.EyeLike",
})  # fmt: skip
_TYPED_BY_BOTH = frozenset({"onnx.Cast", "onnx.CastLike"})
_TYPED_BY_OPERAND = {"onnx.Where": 1, "onnx.OneHot": 2, "onnx.If": -1, "onnx.Loop": -1, "onnx.Scan": -1}
"""Which operand's element type the lists speak of, where it is not the first; -1: of none in particular."""


def unsupported_nodes(graph: Graph, facts: Facts, runtime: Runtime) -> tuple[Unsupported, ...]:
    """The nodes, also of bodies, that the runtime would refuse or may not know. Those that constant folding removes
    are not counted. `facts` are those of `graph`, as imported."""
    if runtime.family != "tensorrt":
        return ()
    found = ((node, judge(node, runtime)) for node in executed_nodes(graph, facts))
    return tuple(Unsupported(node, answer) for node, answer in found if not isinstance(answer, Supported))


def judge(node: Node, runtime: Runtime) -> Verdict:
    """The verdict on one node: on its operator first, then on its element types."""
    answer = verdict(runtime, node.op)
    if not isinstance(answer, Supported):
        return answer
    answers = (verdict(runtime, node.op, dtype) for dtype in _dtypes(node))
    return next((found for found in answers if not isinstance(found, Supported)), answer)


def sentences(found: Sequence[Unsupported]) -> list[str]:
    """A sentence for each verdict, with the node or the number of nodes that it is about."""
    nodes: dict[str, list[Node]] = {}
    for item in found:
        nodes.setdefault(item.verdict.sentence, []).append(item.node)
    return [f"{sentence}: {_about(about)}" for sentence, about in nodes.items()]


def _about(nodes: list[Node]) -> str:
    return f"node '{nodes[0].name}'" if len(nodes) == 1 else f"{len(nodes):,} nodes, first '{nodes[0].name}'"


def _dtypes(node: Node) -> Iterator[str]:
    """The element types by which the lists judge the node; a type that nobody could tell is not judged."""
    for value in _typing_values(node):
        if isinstance(value.type, TensorType) and value.type.dtype != "?":
            yield value.type.dtype


def _typing_values(node: Node) -> Iterator[Value]:
    slot = _TYPED_BY_OPERAND.get(node.op, 0)
    operand = node.operand(slot) if slot >= 0 and node.op not in _TYPED_BY_RESULT else None
    if operand is not None:
        yield operand
    if node.op in _TYPED_BY_RESULT | _TYPED_BY_BOTH:
        yield node.results[0]
