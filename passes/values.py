"""What several passes ask of values."""

from __future__ import annotations

from collections.abc import Iterator

from graphcost.ir import Graph, Value


def is_output(value: Value) -> bool:
    """Whether the graph in which the value stands gives it out."""
    return any(reader.graph is not None and reader is reader.graph.exit for reader in value.readers)


class Names:
    """Names for new values. The names of a graph are collected when the first one is asked for."""

    def __init__(self) -> None:
        self._taken: dict[Graph, set[str]] = {}

    def unique(self, graph: Graph, wanted: str) -> str:
        """The name, or with the first of `_2`, `_3`, … that is free."""
        if graph not in self._taken:
            self._taken[graph] = {value.name for value in graph.values()}
        taken = self._taken[graph]
        name = next(name for name in _variants(wanted) if name not in taken)
        taken.add(name)
        return name


def _variants(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1
