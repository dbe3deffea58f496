"""The kernels that TensorRT's autotuner would choose, together with the formats between them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

from graphcost.cost import KernelQuery, Tactic
from graphcost.device import DeviceProfile
from graphcost.ir import Graph, Node, Value
from graphcost.kernels import launches, precision_of, query_of
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import TensorType
from graphcost.work.node import Work, node_work

from .assign_formats import LAUNCH_BYTES, capabilities_of, handles_activations, mark_all, table_candidates
from .formats.border import border_kernels
from .formats.capabilities import Formats, around
from .formats.choice import Candidate, Step, choose
from .formats.ports import REFORMAT


@dataclass(frozen=True)
class SelectKernels(Pass):
    """Choose a tactic for each kernel (attribute `tactic`) and the formats in which all of them read and write, so that
    kernels and the reformats between them take the least time together. Kernels of which no cost model knows tactics
    keep to the table of `assign-formats`; without such a cost model nothing changes.

    The choice is exact where few branches run side by side, and linear in nodes. The runner-up is kept in the journal.

    Evidence: build logs time every tactic of a layer in every format, then reformats, and then say `Adding reformat
    layer`; that the path with the least sum of both is taken is inferred from the engines.
    """

    name: ClassVar[str] = "select-kernels"

    def run(self, graph: Graph, ctx: Context) -> Change:
        device = ctx.target.device
        if ctx.tactics is None or device is None:
            return UNCHANGED
        found = _candidate_tactics(graph, ctx)
        candidates = _candidates(graph, found, ctx, device)
        chosen = choose(graph, candidates, lambda steps: _reformat_ms(steps, ctx, device))
        count = mark_all(self.name, chosen, ctx)
        for node, ways in found.items():
            if ways:
                ctx.journal.did(self.name, node, _verdict(chosen[node], ways))
        return Change(count) if count else UNCHANGED


class Way(NamedTuple):
    """A tactic, and the precision in which it computes."""

    tactic: Tactic
    precision: str


_STANDS_IN = {"tf32": ("tf32", "f32")}
"""Kernels in FP32 compete where TF32 may stand in: Winograd in [LIN:FP32] beside TF32 in [HWCx:FP32] in
trex_tf-resnet_RTX3090_fp32."""


def _precisions(node: Node) -> tuple[str, ...]:
    decided = precision_of(node)
    return _STANDS_IN.get(decided, (decided,))


def _candidate_tactics(graph: Graph, ctx: Context) -> dict[Node, list[Way]]:
    """What could run each node, in one question; nodes that are alike are asked about once."""
    assert ctx.tactics is not None
    operators = ctx.analyses.operators
    nodes = {node: _likeness(node) for node in graph if handles_activations(node) and launches(node, operators)}
    first = {key: node for node, key in reversed(nodes.items())}
    plain = {key: query_of(node, node_work(node, operators), operators) for key, node in first.items()}
    asked = [(key, precision) for key, node in first.items() for precision in _precisions(node)]
    answers = ctx.tactics([replace(plain[key], precision=precision) for key, precision in asked])
    found: dict[Hashable, list[Way]] = {key: [] for key in first}
    for (key, precision), tactics in zip(asked, answers):
        found[key] += [Way(tactic, precision) for tactic in tactics]
    return {node: found[key] for node, key in nodes.items()}


def _likeness(node: Node) -> Hashable:
    """Equal for nodes without bodies that differ in names only: networks copy tensors of few sizes again and again. A
    kernel with a body is like no other."""
    if node.bodies:
        return node
    places: dict[Value | None, int] = {}
    operands = tuple((places.setdefault(value, len(places)), _kind(value)) for value in node.operands)
    return node.op, tuple(node.attrs.items()), operands, tuple(result.type for result in node.results)


def _kind(value: Value | None) -> Hashable:
    return None if value is None else (value.type, value.constant, value.is_weight)


def _candidates(
    graph: Graph, found: Mapping[Node, Sequence[Way]], ctx: Context, device: DeviceProfile
) -> dict[Node, list[Candidate]]:
    formats = capabilities_of(ctx.target).formats_by_node(filter(handles_activations, graph))
    ms_per_byte, border = _ms_per_byte(device), border_kernels(graph)
    return {
        node: _fastest(found.get(node, ()), pairs) or table_candidates(node, pairs, node in border, ms_per_byte)
        for node, pairs in formats.items()
    }


def _fastest(ways: Sequence[Way], pairs: Sequence[Formats]) -> list[Candidate]:
    """The fastest tactic of each pair of formats."""
    best: dict[Formats, Candidate] = {}
    for tactic, precision in sorted(ways, key=lambda way: way.tactic.latency_ms):
        told = tactic.result_format is not None
        formats = (tactic.format, tactic.writes) if told else around(pairs, tactic.format)
        best.setdefault(formats, Candidate(*formats, tactic.latency_ms, tactic.name, precision))
    return list(best.values())


def _ms_per_byte(device: DeviceProfile) -> float:
    """The least that memory takes; 0 where its bandwidth is not known: then bytes decide nothing."""
    bytes_per_s = device.dram_sustained_bytes_per_s or device.dram_peak_bytes_per_s
    return 1e3 / bytes_per_s if bytes_per_s else 0.0


def _reformat_ms(steps: Sequence[Step], ctx: Context, device: DeviceProfile) -> list[float]:
    """What the cost models say of reformats; where they do not know, bytes and a launch at the memory's rate."""
    queries = [_reformat(*step) for step in steps]
    least = [(query.work.bytes + LAUNCH_BYTES) * _ms_per_byte(device) for query in queries]
    costs = ctx.estimate(queries)
    return [least_ms if cost.latency_ms is None else cost.latency_ms for cost, least_ms in zip(costs, least)]


def _reformat(source: TensorType, target: TensorType) -> KernelQuery:
    work = Work(bytes_read=source.size_bytes or 0, bytes_written=target.size_bytes or 0)
    return KernelQuery("reformat", REFORMAT, target.dtype, (source,), (target,), work)


def _verdict(chosen: Candidate, ways: Sequence[Way]) -> str:
    """`hmma_64x128 9.8 us in hwc8; runner-up hmma_128x64 10.4 us in hwc8`, the fastest of those that lost."""
    losers = [way.tactic for way in ways if way.tactic.name != chosen.tactic]
    text = f"{chosen.tactic} {chosen.cost * 1e3:.1f} us in {chosen.reads}"
    if not losers:
        return f"{text}; nothing else could run it"
    second = min(losers, key=lambda tactic: tactic.latency_ms)
    return f"{text}; runner-up {second.name} {second.latency_ms * 1e3:.1f} us in {second.format}"
