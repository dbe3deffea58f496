"""Scaled dot-product attention, run as one operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..tape import Step


def attention(step: Step) -> None:
    """Queries, keys and values in one call; a mask gets none."""
    step.all_at_once([slot for slot in step.needed() if slot < 3])


ATTENTION: Mapping[str, Callable[[Step], None]] = {"group.attention": attention}
