"""The kernels that TensorRT's autotuner would choose, together with the formats between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from graphcost.analyses import WORK
from graphcost.cost import KernelQuery, Tactic
from graphcost.device import DeviceProfile
from graphcost.ir import Graph, Node
from graphcost.kernels import launches, query_of
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import TensorType
from graphcost.work.node import Work

from .assign_formats import LAUNCH_BYTES, capabilities_of, handles_activations, mark, table_candidates
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
        found = _tactics(graph, ctx)
        if not any(found.values()):
            return UNCHANGED
        candidates = _candidates(graph, found, ctx, device)
        chosen = choose(graph, candidates, lambda steps: _reformat_ms(steps, ctx, device))
        count = sum(mark(node, way) for node, way in chosen.items())
        for node, tactics in found.items():
            if tactics:
                ctx.journal.did(self.name, node, _verdict(chosen[node], tactics))
        return Change(count) if count else UNCHANGED


def _tactics(graph: Graph, ctx: Context) -> dict[Node, Sequence[Tactic]]:
    """What could run each node, in one question."""
    assert ctx.tactics is not None
    work, operators = ctx.get(WORK), ctx.analyses.operators
    nodes = [node for node in graph if handles_activations(node) and launches(node, operators)]
    return dict(zip(nodes, ctx.tactics([query_of(node, work[node], operators) for node in nodes])))


def _candidates(
    graph: Graph, found: Mapping[Node, Sequence[Tactic]], ctx: Context, device: DeviceProfile
) -> dict[Node, list[Candidate]]:
    table, ms_per_byte = capabilities_of(ctx.target), _ms_per_byte(device)
    nodes = [node for node in graph if handles_activations(node)]
    return {node: _fastest(found.get(node, ())) or table_candidates(node, table, ms_per_byte) for node in nodes}


def _fastest(tactics: Sequence[Tactic]) -> list[Candidate]:
    """The fastest tactic of each pair of formats."""
    best: dict[tuple[str, str], Candidate] = {}
    for tactic in sorted(tactics, key=lambda tactic: tactic.latency_ms):
        formats = (tactic.format, tactic.writes)
        best.setdefault(formats, Candidate(*formats, tactic.latency_ms, tactic.name))
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


def _verdict(chosen: Candidate, tactics: Sequence[Tactic]) -> str:
    """`hmma_64x128 9.8 us in hwc8; runner-up hmma_128x64 10.4 us in hwc8`, the fastest of those that lost."""
    losers = [tactic for tactic in tactics if tactic.name != chosen.tactic]
    text = f"{chosen.tactic} {chosen.cost * 1e3:.1f} us in {chosen.reads}"
    if not losers:
        return f"{text}; nothing else could run it"
    second = min(losers, key=lambda tactic: tactic.latency_ms)
    return f"{text}; runner-up {second.name} {second.latency_ms * 1e3:.1f} us in {second.format}"
