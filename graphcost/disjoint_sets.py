"""Things that belong together, found by uniting them."""

from __future__ import annotations

from collections.abc import Sequence


class DisjointSets:
    """Numbers from 0, each at first alone."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def find(self, number: int) -> int:
        """The one that stands for all that are united with `number`. Paths become shorter on the way."""
        parent = self._parent
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def unite(self, members: Sequence[int]) -> None:
        for member in members[1:]:
            self._parent[self.find(member)] = self.find(members[0])
