"""Which stages of a pipeline look at sizes."""

from __future__ import annotations

from collections.abc import Sequence

from graphcost.pipeline import Stage

SIZED = "formats"
"""From this stage on decisions hang on sizes: formats, tactics. What comes before does not look at them."""


def divided(stages: Sequence[Stage]) -> tuple[tuple[Stage, ...], tuple[Stage, ...]]:
    """The stages before sizes matter, and those from there on."""
    at = next((i for i, stage in enumerate(stages) if stage.name == SIZED), len(stages))
    return tuple(stages[:at]), tuple(stages[at:])
