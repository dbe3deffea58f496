"""Scaled dot-product attention, run as one operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..tape import Step


def attention(step: Step) -> None:
    """Queries, keys, values and a learnt bias in one call."""
    step.all_at_once(step.needed())


ATTENTION: Mapping[str, Callable[[Step], None]] = {"group.attention": attention}
