"""Names that are unique in one scope: the values of a graph, the nodes of a model."""

from __future__ import annotations

from collections.abc import Iterable


class Names:
    """Gives each name once; a repeat gets the first of `_2`, `_3`, … that is free. O(1) a name, however many repeat."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._last = dict.fromkeys(taken, 1)

    def __contains__(self, name: str) -> bool:
        return name in self._last

    def unique(self, wanted: str) -> str:
        name = wanted
        while name in self._last:
            self._last[wanted] += 1
            name = f"{wanted}_{self._last[wanted]}"
        self._last[name] = 1
        return name
