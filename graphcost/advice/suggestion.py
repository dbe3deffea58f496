"""A piece of advice, with the figures that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Topic = Literal["channels", "precision", "batch", "launch"]


@dataclass(frozen=True)
class Suggestion:
    """`saving` is the part of the network's latency that it saves, from 0 to 1, of a batch that of one inference; None
    where it cannot be told. `kernels` are the rows of the report that it speaks of, none for the network as a whole."""

    topic: Topic
    sentence: str
    saving: float | None
    kernels: tuple[str, ...] = ()
    evidence: Mapping[str, float | int | str] = field(default_factory=dict)
