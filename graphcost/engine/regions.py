"""The time of a region that the engine runs under one name, shared out over what the region holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphcost.ir import Node
from graphcost.kernels import query_of
from graphcost.operators import Operators
from graphcost.pipeline import Estimate
from graphcost.report import Kernel
from graphcost.work.node import node_work

from .comparison import Match, Member
from .layer import EngineLayer
from .names import Role, parse_name


def share_out(
    matches: Iterable[Match], nodes: Mapping[str, Node], estimate: Estimate, operators: Operators
) -> dict[str, tuple[Member, ...]]:
    """The members of each region of several, by the name of its match: the kernels that are predicted for it, or the
    nodes inside where one kernel is, each priced as if it ran by itself. Where one has no price there are none."""
    found = {}
    for match in matches:
        if not any(map(_is_region, match.measured)):
            continue
        parts = _parts(match.predicted, nodes, estimate, operators)
        times = [time for _, time in parts if time is not None]
        if len(parts) > 1 and len(times) == len(parts) and sum(times) > 0:
            share = None if match.measured_ms is None else match.measured_ms / sum(times)
            found[match.name] = tuple(
                Member(name, time, None if share is None else share * time)
                for (name, _), time in zip(parts, times)
            )  # fmt: skip
    return found


def _is_region(layer: EngineLayer) -> bool:
    return parse_name(layer.name).role is Role.REGION or layer.layer_type == "Myelin" or "_myl" in layer.name


def _parts(
    kernels: Sequence[Kernel], nodes: Mapping[str, Node], estimate: Estimate, operators: Operators
) -> list[tuple[str, float | None]]:
    if len(kernels) != 1 or kernels[0].name not in nodes:
        return [(kernel.name, kernel.latency_ms) for kernel in kernels]
    inner = [node for body in nodes[kernels[0].name].bodies for node in body]
    costs = estimate([query_of(node, node_work(node, operators), operators) for node in inner])
    return [(node.name, cost.latency_ms) for node, cost in zip(inner, costs)]
