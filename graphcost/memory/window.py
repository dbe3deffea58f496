"""Better orders within a window: a beam search over what has run, as dynamic programming would do it if it could keep
every state (Ahn et al., Ordering Chaos: Memory-Aware Scheduling of Irregularly Wired Neural Networks, 2020).

The nodes of a window are bits here, so that what has run is one integer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from .order import Piece, Program, positions

BEAM = 64
"""States that are kept at each step. On random graphs of up to 22 nodes, 64 find the least peak in 99 % of cases."""


class Step(NamedTuple):
    """A node, and the bytes in use while it runs."""

    node: int
    live_bytes: int


class _State(NamedTuple):
    """How a set of nodes was run best: the highest use of memory, what is in use afterwards, and how it came about."""

    peak: int
    live: int
    before: int
    step: Step


_Layer: TypeAlias = "dict[int, _State]"


@dataclass(frozen=True, slots=True)
class _Span:
    """A piece of memory as the window sees it: which nodes of the window make it and use it, as bits; whether it was
    there before, and whether it is needed afterwards."""

    size: int
    makers: int
    users: int
    is_there: bool
    stays: bool

    def begins(self, done: int, bit: int) -> bool:
        return not self.is_there and not self.makers & done and bool(self.makers & bit)

    def ends(self, done: int) -> bool:
        return not self.stays and not self.users & ~done


@dataclass(frozen=True)
class Window:
    """Some nodes that follow each other, with what they wait for and use of memory."""

    nodes: Sequence[int]
    before: Sequence[int]
    spans: Sequence[Sequence[_Span]]
    live_at_start: int

    def reordered(self, limit: int) -> list[Step] | None:
        """The nodes in an order that stays below `limit` bytes, as far below as the search finds; None if it finds
        none."""
        layers: list[_Layer] = [{0: _State(0, self.live_at_start, 0, Step(-1, 0))}]
        for _ in self.nodes:
            found = self._next(layers[-1], limit)
            if not found:
                return None
            layers.append(found)
        return _path(layers, (1 << len(self.nodes)) - 1)

    def _next(self, layer: _Layer, limit: int) -> _Layer:
        """The states after one more node, the most promising of them: those that use least."""
        found: _Layer = {}
        for done, state in layer.items():
            for after, new in self._successors(done, state, limit):
                known = found.get(after)
                if known is None or new[:2] < known[:2]:
                    found[after] = new
        if len(found) <= BEAM:
            return found
        return dict(sorted(found.items(), key=lambda item: (item[1].live, item[1].peak))[:BEAM])

    def _successors(self, done: int, state: _State, limit: int) -> Iterator[tuple[int, _State]]:
        for i, node in enumerate(self.nodes):
            bit = 1 << i
            if done & bit or self.before[i] & ~done:
                continue
            after = done | bit
            live = state.live + sum(span.size for span in self.spans[i] if span.begins(done, bit))
            if live < limit:
                freed = sum(span.size for span in self.spans[i] if span.ends(after))
                yield after, _State(max(state.peak, live), live - freed, done, Step(node, live))


def window_of(program: Program, order: Sequence[int], live: Sequence[int], first: int, last: int) -> Window:
    """The nodes at positions `first` to `last` (not included) of an order, along which `live` bytes are in use."""
    at, nodes = positions(order), order[first:last]
    local = {node: i for i, node in enumerate(nodes)}
    spans: list[list[_Span]] = [[] for _ in nodes]
    at_start = live[first]
    for number in dict.fromkeys(p for node in nodes for p in program.touched[node]):
        span = _span(program.pieces[number], at, local, first, last)
        at_start -= span.size if span.begins(0, 1) else 0
        for node in program.pieces[number].users:
            if node in local:
                spans[local[node]].append(span)
    return Window(nodes, [_bits(program.before[node], local) for node in nodes], spans, at_start)


def _span(piece: Piece, at: Sequence[int], local: dict[int, int], first: int, last: int) -> _Span:
    is_there = piece.from_start or any(at[node] < first for node in piece.makers)
    stays = piece.to_end or any(at[node] >= last for node in piece.users)
    return _Span(piece.size_bytes, _bits(piece.makers, local), _bits(piece.users, local), is_there, stays)


def _bits(nodes: Sequence[int], local: dict[int, int]) -> int:
    return sum(1 << local[node] for node in nodes if node in local)


def _path(layers: Sequence[_Layer], done: int) -> list[Step]:
    steps: list[Step] = []
    for layer in reversed(layers[1:]):
        steps.append(layer[done].step)
        done = layer[done].before
    return steps[::-1]
