"""INT8 where it pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import ClassVar

from graphcost.cost import KernelQuery
from graphcost.ir import Graph, Node, Value
from graphcost.kernels import query_of
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import BITS
from graphcost.work.node import Work, node_work

from .int8 import INT8_CONTRACTIONS, INT8_MOVING, is_inside
from .precisions import Rules, calibrated, float_of, precisions_of
from .values import is_output


@dataclass(frozen=True)
class WeighInt8(Pass):
    """Where calibration may choose INT8, let products between floating-point neighbours compute in FP16 (in FP32 where
    that is not allowed) unless INT8 saves them more time than it takes to quantize what they read.

    What reads the network's input is left alone, for that is converted anyway, and so are products whose results are
    computed with in INT8; those that are only moved count as products by themselves.

    Evidence: TensorRT chooses the type of each layer by its time and that of the reformats around it (build logs time
    every layer in each of its types); that more than single layers stay in INT8 together is assumed.
    """

    name: ClassVar[str] = "weigh-int8"

    def run(self, graph: Graph, ctx: Context) -> Change:
        rules = precisions_of(ctx.target, graph)
        if not rules.calibrates or ctx.target.device is None:
            return UNCHANGED
        groups = _alone(graph, calibrated(graph, ctx.analyses.operators))
        kept = [node for value, nodes in groups.items() if not _pays(value, nodes, rules, ctx) for node in nodes]
        for node in kept:
            node.set_attr("precision", rules.without_int8(node))
            ctx.journal.fell_back(self.name, node, "i8", "quantizing what it reads takes longer than INT8 saves")
        return Change(len(kept)) if kept else UNCHANGED


def _alone(graph: Graph, chosen: Set[Node]) -> Mapping[Value, Sequence[Node]]:
    """By what they read, the products neither of whose sides is in INT8."""
    groups: dict[Value, list[Node]] = {}
    for node in graph:
        value = node.operand(0)
        if node.op not in INT8_CONTRACTIONS or node not in chosen or value is None or value.producer is None:
            continue
        groups.setdefault(value, []).append(node)
    return {value: nodes for value, nodes in groups.items() if not _joins(value, nodes, chosen)}


def _joins(value: Value, nodes: Sequence[Node], chosen: Set[Node]) -> bool:
    """Whether what is read is in INT8, or what any of the products makes, unless it is only moved."""
    return is_inside(value, chosen) or any(_is_used(result, chosen) for node in nodes for result in node.results)


def _is_used(value: Value, chosen: Set[Node]) -> bool:
    """Whether something computes over a value in INT8."""
    if is_output(value) or not is_inside(value, chosen):
        return False
    return any(
        reader.op not in INT8_MOVING or any(_is_used(result, chosen) for result in reader.results)
        for reader in value.readers
    )


def _pays(value: Value, nodes: Sequence[Node], rules: Rules, ctx: Context) -> bool:
    """Whether INT8 and the reformat in front of it take less time; true where nobody knows how long they take."""
    elements, wide = value.type.elements or 0, _bytes(rules.without_int8(nodes[0]))
    moved = Work(bytes_read=elements * wide, bytes_written=elements)
    plain = [query_of(node, node_work(node, ctx.analyses.operators), ctx.analyses.operators) for node in nodes]
    narrow = [_in(query, node, "i8", wide) for query, node in zip(plain, nodes)]
    other = [_in(query, node, rules.without_int8(node), wide) for query, node in zip(plain, nodes)]
    reformat = KernelQuery("reformat", "trt.reformat", "i8", (), (), moved)
    times = [cost.latency_ms for cost in ctx.estimate([reformat, *narrow, *other])]
    if any(time is None for time in times):
        return True
    known = [time for time in times if time is not None]
    return sum(known[: 1 + len(narrow)]) < sum(known[1 + len(narrow) :])


def _in(query: KernelQuery, node: Node, precision: str, written: int) -> KernelQuery:
    """A product in another precision; its result is written in as many bytes."""
    exported = _bytes(float_of(node) or "f32")
    work = replace(
        query.work,
        bytes_read=query.work.bytes_read // exported * _bytes(precision),
        bytes_written=query.work.bytes_written // exported * written,
    )
    return replace(query, precision=precision, work=work)


def _bytes(precision: str) -> int:
    return (BITS.get(precision) or 32) // 8
