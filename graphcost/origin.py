"""Which ONNX nodes a node stands for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Origin(NamedTuple):
    """An ONNX node that a node stands for. The shares of one name over a whole program sum to one: a node that is
    cloned shares its origin with the clone."""

    name: str
    share: float = 1.0


def merge_origins(*groups: Iterable[Origin]) -> tuple[Origin, ...]:
    """One origin for each name, shares added, in the order in which names first appear."""
    shares: dict[str, float] = {}
    for group in groups:
        for name, share in group:
            shares[name] = shares.get(name, 0.0) + share
    return tuple(Origin(name, share) for name, share in shares.items())
