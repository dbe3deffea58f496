"""The time of a region that the engine runs under one name, shared out over what the region holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphcost.ir import Node
from graphcost.kernels import query_of
from graphcost.operators import Operators
from graphcost.pipeline import Estimate
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
        if not any(map(_is_of_myelin, match.measured)):
            continue
        parts = [(kernel.name, kernel.latency_ms) for kernel in match.predicted]
        if match.is_region and len(parts) == 1:
            parts = _inside(nodes[match.predicted[0].name], estimate, operators)
        times = [time for _, time in parts if time is not None]
        if sum(time > 0 for time in times) > 1 and len(times) == len(parts) and sum(times) > 0:
            share = None if match.measured_ms is None else match.measured_ms / sum(times)
            found[match.name] = tuple(
                Member(name, time, None if share is None else share * time)
                for (name, _), time in zip(parts, times)
            )  # fmt: skip
    return found


def _is_of_myelin(layer: EngineLayer) -> bool:
    return parse_name(layer.name).role is Role.REGION or layer.layer_type == "Myelin" or "_myl" in layer.name


def _inside(kernel: Node, estimate: Estimate, operators: Operators) -> list[tuple[str, float | None]]:
    nodes = [node for body in kernel.bodies for node in body]
    costs = estimate([query_of(node, node_work(node, operators), operators) for node in nodes])
    return [(node.name, cost.latency_ms) for node, cost in zip(nodes, costs)]
