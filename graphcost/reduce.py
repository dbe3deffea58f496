"""The reducer: a graph of kernels, their work, their costs and the memory profile → a Report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .cost import Bound, Cost
from .engine.layer_types import layer_type
from .fallbacks import fallbacks
from .importer import Imported
from .ir import Graph, Node
from .journal import Journal
from .kernels import kind_of, phase_of, precision_of
from .memory import ArenaPlan, MemoryProfile, by_module
from .report import (
    Coverage,
    Eliminated,
    Holder,
    Kernel,
    Memory,
    ModelInfo,
    Parameters,
    Report,
    TargetInfo,
    Tensor,
    Totals,
    TrainingTotals,
    UnknownNode,
    UnsupportedNode,
)
from .support import Unsupported, sentences
from .target import Target
from .types import TensorType, Type
from .work.node import NodeWork

_HOLDERS = 10


@dataclass(frozen=True)
class Findings:
    """All that the report is made from."""

    imported: Imported
    target: Target
    graph: Graph
    work: Mapping[Node, NodeWork]
    costs: Mapping[Node, Cost]
    memory: MemoryProfile
    arena: ArenaPlan
    reorder_gain_bytes: int
    journal: Journal
    unsupported: tuple[Unsupported, ...] = ()
    interval_ms: tuple[float | None, float | None] = (None, None)
    """Of the whole latency: it is not the sum of the intervals of kernels."""


def reduce(found: Findings) -> Report:
    """Sum up. Every figure of the report derives from the findings here, and nowhere else."""
    latency = _sum([cost.latency_ms for cost in found.costs.values()])
    rows = tuple(_row(node, found, latency) for node in found.graph)
    memory = _memory(found)
    return Report(
        model=_model(found.imported),
        target=_target(found),
        totals=_totals(found, rows, latency),
        memory=memory,
        kernels=rows,
        eliminated=tuple(_eliminated(found)),
        unknown=tuple(UnknownNode(n.name, n.op, w.unknown) for n, w in found.work.items() if w.unknown),
        warnings=tuple(dict.fromkeys(_warnings(found))),
        unsupported=tuple(UnsupportedNode(u.node.name, u.node.op, u.verdict.sentence) for u in found.unsupported),
        fallbacks=tuple(fallbacks([node for node in found.graph if _is_launched(node, found)], found.journal)),
    )


# Rows


def _row(node: Node, found: Findings, total_ms: float | None) -> Kernel:
    part, cost = found.work[node], found.costs[node]
    share = cost.latency_ms / total_ms if cost.latency_ms is not None and total_ms else None
    kind, precision, region = kind_of(node), precision_of(node), _region(node)
    layer = _layer_type(node, found, kind, precision, region)
    return Kernel(
        name=node.name,
        op=node.op,
        kind=kind,
        phase=phase_of(node),
        tactic=cost.tactic,
        precision=precision,
        origin=tuple(origin.name for origin in node.origin),
        origin_share=tuple(origin.share for origin in node.origin),
        inputs=tuple(_tensor(v.name, v.type) for v in node.inputs),
        outputs=tuple(_tensor(v.name, v.type) for v in node.results),
        macs=part.work.macs if part.ops_known else None,
        flops=part.work.flops if part.ops_known else None,
        elementwise_ops=part.work.elementwise_ops if part.ops_known else None,
        bytes_read=part.work.bytes_read if part.bytes_known else None,
        bytes_written=part.work.bytes_written if part.bytes_known else None,
        latency_ms=cost.latency_ms,
        latency_low_ms=cost.low_ms,
        latency_high_ms=cost.high_ms,
        bound=cost.bound.value,
        trust=cost.trust.value,
        share=share,
        extrapolates=cost.extrapolates,
        region=region,
        layer_type=layer,
    )


def _region(node: Node) -> str | None:
    region = node.attrs.get("region")
    return region if isinstance(region, str) else None


def _layer_type(node: Node, found: Findings, kind: str, precision: str, region: str | None) -> str | None:
    launches, in_region = _is_launched(node, found), region is not None
    layer = layer_type(found.target.runtime, node.op, kind, precision, launches=launches, in_region=in_region)
    return layer.name if layer else None


def _is_launched(node: Node, found: Findings) -> bool:
    """False for a view."""
    return found.costs[node].bound is not Bound.NONE


def _tensor(name: str, kind: Type) -> Tensor:
    if not isinstance(kind, TensorType):
        return Tensor(name, str(kind), None)
    shape = None if kind.dims is None else tuple(d if isinstance(d, int) else str(d) for d in kind.dims)
    return Tensor(name, kind.dtype, shape, kind.format)


# Totals


def _totals(found: Findings, rows: Sequence[Kernel], latency_ms: float | None) -> Totals:
    costs = found.costs.values()
    device = found.target.device
    workspace = 0 if device is None else None
    context = 0 if device is None else device.context_bytes
    arena = None if found.memory.unknown else found.arena.size_bytes
    return Totals(
        macs=sum(row.macs or 0 for row in rows),
        flops=sum(row.flops or 0 for row in rows),
        elementwise_ops=sum(row.elementwise_ops or 0 for row in rows),
        bytes_read=sum(row.bytes_read or 0 for row in rows),
        bytes_written=sum(row.bytes_written or 0 for row in rows),
        latency_ms=latency_ms,
        latency_low_ms=found.interval_ms[0],
        latency_high_ms=found.interval_ms[1],
        latency_known_ms=sum(cost.latency_ms or 0.0 for cost in costs) if device else None,
        inferences_per_s=1e3 / latency_ms if latency_ms else None,
        peak_activation_bytes=None if found.memory.unknown else found.memory.peak_activation_bytes,
        arena_bytes=arena,
        weight_bytes=found.memory.weight_bytes,
        workspace_bytes=workspace,
        context_bytes=context,
        total_memory_bytes=None if arena is None else _least_bytes(found),
        kernels=sum(cost.bound is not Bound.NONE for cost in costs),
        coverage=_coverage(found),
        training=_training(found) if found.target.mode == "training" else None,
    )


def _training(found: Findings) -> TrainingTotals:
    """The figures of one training step."""
    from .training.totals import training_totals

    return training_totals(found.graph, found.memory, found.costs, found.target.device)


def _least_bytes(found: Findings) -> int:
    """Weights and arena, and the context where it is known: the least that the network takes."""
    context = found.target.device.context_bytes if found.target.device else None
    return found.memory.weight_bytes + found.arena.size_bytes + (context or 0)


def _sum(parts: Sequence[float | None]) -> float | None:
    """None as soon as one part is: an unknown is no zero."""
    return None if any(part is None for part in parts) else sum(part for part in parts if part is not None)


def _coverage(found: Findings) -> Coverage:
    nodes = len(found.work)
    known = [part for part in found.work.values() if part.unknown is None]
    moved = sum(part.work.bytes for part in found.work.values())
    known_moved = sum(part.work.bytes for part in known)
    return Coverage(len(known) / nodes if nodes else 1.0, known_moved / moved if moved else 1.0)


# Memory


def _memory(found: Findings) -> Memory:
    device, profile = found.target.device, found.memory
    usable = device.usable_ram_bytes if device else None
    fits, reason = _fits(found, usable)
    return Memory(
        peak_at=profile.peak_at.name if profile.peak_at else None,
        holders=tuple(Holder(h.name, h.size_bytes) for h in profile.holders[:_HOLDERS]),
        timeline=tuple(profile.timeline),
        arena_lower_bound_bytes=found.arena.lower_bound_bytes,
        usable_ram_bytes=usable,
        fits=fits,
        fits_reason=reason,
        peak_modules=tuple(Holder(module, size) for module, size in by_module(profile, found.imported.scopes).items()),
        arena_strategy=found.arena.strategy,
        reorder_gain_bytes=None if profile.unknown else found.reorder_gain_bytes,
    )


def _fits(found: Findings, usable: int | None) -> tuple[bool | None, str]:
    """Whether it fits in the device's memory; unknown where a part is unknown that could decide it."""
    device = found.target.device
    if device is None:
        return None, "no device"
    if usable is None:
        return None, f"what the system keeps of the memory of {device.id} is not known"
    if _least_bytes(found) > usable:
        return False, "the network alone needs more than there is"
    if found.memory.unknown:
        return None, f"the size of {found.memory.unknown[0].name} is not known"
    if device.context_bytes is None:
        return None, "the network leaves room, but what the CUDA context and workspaces take is not known"
    return None, "the network and the CUDA context leave room, but what workspaces take is not known"


# What is said beside the figures


def _model(imported: Imported) -> ModelInfo:
    count = imported.parameters
    return ModelInfo(
        name=imported.name,
        path=imported.path,
        opset={domain or "ai.onnx": version for domain, version in imported.opset.items()},
        inputs=tuple(_tensor(name, kind) for name, kind in imported.inputs),
        outputs=tuple(_tensor(name, kind) for name, kind in imported.outputs),
        parameters=Parameters(count.stored, count.distinct, count.bytes),
    )


def _target(found: Findings) -> TargetInfo:
    target, inputs = found.target, found.graph.inputs
    first = inputs[0].type if inputs else None
    batch = first.dims[0] if isinstance(first, TensorType) and first.dims else None
    return TargetInfo(
        device=target.device.id if target.device else None,
        power_mode=target.device.mode if target.device else None,
        runtime=target.runtime.name,
        precision=target.precision,
        mode=target.mode,
        batch=batch if isinstance(batch, int) else None,
    )


def _eliminated(found: Findings) -> Iterable[Eliminated]:
    """What the journal says was removed, unless a kernel still stands for it; each name once, with its last reason."""
    standing = {origin.name for node in found.graph for origin in node.origin}
    reasons = dict(found.imported.dissolved)
    for entry in found.journal.removed_:
        reasons.update((origin.name, entry.reason) for origin in entry.origins)
    return [Eliminated(name, reason) for name, reason in reasons.items() if name not in standing]


def _warnings(found: Findings) -> Iterable[str]:
    yield from found.imported.warnings
    yield from found.target.warnings
    yield from sentences(found.unsupported)
    yield from found.journal.warnings
    for node, part in found.work.items():
        yield from (f"{node.name}: {note}" for note in part.notes)
