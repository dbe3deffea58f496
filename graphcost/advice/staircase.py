"""Where a layer stands on its staircase: kernels work in whole tiles, so that latency grows in steps of channels.

Each kernel is priced again with channels below and above its own, in one call of the cost models: where the next step
begins is theirs to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphcost.api import Run
from graphcost.cost import KernelQuery
from graphcost.ir import Node
from graphcost.kernels import queries_of
from graphcost.work.node import work_table

from .rechannel import channels_of, with_channels
from .suggestion import Suggestion

LEAST_SHARE = 0.005
"""Kernels with less of the latency are not looked at."""

FEWER = 0.875
"""So much of its channels a layer may be asked to keep: below, it is another layer."""

MORE = 128
"""So many more channels are tried: no tile is wider than 256, and none of them is empty by half."""

SAME = 0.005
"""Latencies that differ by less are one step."""

STEEP = 2.0
"""A step is worth telling where it saves so many times what a straight line would."""

WORTH = 0.03
"""The least part of a kernel's latency that is worth telling."""


@dataclass(frozen=True)
class _Stair:
    """A kernel's latency in ms by its output channels."""

    name: str
    query: KernelQuery
    channels: int
    latency_ms: Mapping[int, float]


@dataclass(frozen=True)
class _Step:
    """From so many channels to so many, and what that does to the kernel."""

    channels: int
    to: int
    flat_to: int
    before_ms: float
    after_ms: float

    @property
    def part(self) -> float:
        return 1 - self.after_ms / self.before_ms


def stairs_of(run: Run) -> list[Suggestion]:
    """Layers that are a few channels past an edge, or a few short of it; equal ones together."""
    total_ms = run.report.totals.latency_ms
    if not total_ms:
        return []
    grouped: dict[tuple[object, ...], list[tuple[str, _Step]]] = {}
    for stair in _stairs(run, total_ms):
        step = _best_step(stair)
        if step is not None:
            key = (step.channels, step.to, stair.query.contractions, round(step.before_ms, 6))
            grouped.setdefault(key, []).append((stair.name, step))
    return [_suggestion([name for name, _ in same], same[0][1], total_ms) for same in grouped.values()]


def _stairs(run: Run, total_ms: float) -> Iterator[_Stair]:
    """One for each kernel of weight, all priced in one call."""
    asked: list[tuple[str, KernelQuery, int, dict[int, KernelQuery]]] = []
    for node, query in _queries(run):
        own, latency_ms = channels_of(query), run.costs[node].latency_ms
        if own is not None and latency_ms is not None and latency_ms >= LEAST_SHARE * total_ms:
            asked.append((node.name, query, own, _neighbours(query, own)))
    costs = iter(run.setup.estimate([query for _, _, _, others in asked for query in others.values()]))
    for name, query, own, others in asked:
        found = {channels: next(costs).latency_ms for channels in others}
        latency = {channels: ms for channels, ms in found.items() if ms is not None}
        if own in latency:
            yield _Stair(name, query, own, latency)


def _queries(run: Run) -> Iterator[tuple[Node, KernelQuery]]:
    operators = run.setup.registry.operators
    yield from zip(run.graph, queries_of(run.graph, work_table(run.graph, operators), operators))


def _neighbours(query: KernelQuery, own: int) -> dict[int, KernelQuery]:
    """The kernel with its own channels, those just below and those above."""
    wanted = range(max(1, round(own * FEWER), own - MORE), own + MORE + 1)
    found = {channels: with_channels(query, channels) for channels in wanted}
    return {channels: query for channels, query in found.items() if query is not None}


def _best_step(stair: _Stair) -> _Step | None:
    """The step that saves the most beyond what fewer channels save anyway; none where nothing is steep."""
    own, own_ms = stair.channels, stair.latency_ms[stair.channels]
    flat_to = _flat_to(stair, own_ms)
    steps = [_Step(own, to, flat_to, own_ms, ms) for to, ms in stair.latency_ms.items() if to != own]
    worth = [step for step in steps if step.part >= max(WORTH, STEEP * _straight(step))]
    return max(worth, key=lambda step: step.part - max(_straight(step), 0.0), default=None)


def _straight(step: _Step) -> float:
    """The part that would be saved if latency were proportional to channels; negative for more channels."""
    return 1 - step.to / step.channels


def _flat_to(stair: _Stair, own_ms: float) -> int:
    """The most channels that cost the same."""
    more = sorted(channels for channels in stair.latency_ms if channels > stair.channels)
    last = stair.channels
    for channels in more:
        if stair.latency_ms[channels] > own_ms * (1 + SAME):
            break
        last = channels
    return last


def _suggestion(names: Sequence[str], step: _Step, total_ms: float) -> Suggestion:
    saved_ms = (step.before_ms - step.after_ms) * len(names)
    same = f" cost as much as {step.flat_to};" if step.flat_to > step.channels else ":"
    they = "of this kernel" if len(names) == 1 else f"of each of {len(names)} kernels"
    sentence = f"{step.channels} channels{same} {step.to} would save {100 * step.part:.0f} % {they}"
    return Suggestion(
        topic="channels",
        sentence=sentence,
        saving=saved_ms / total_ms,
        kernels=tuple(names),
        evidence={
            "channels": step.channels,
            "as_much_as": step.flat_to,
            "better": step.to,
            "kernel_ms": step.before_ms,
            "better_kernel_ms": step.after_ms,
        },
    )
