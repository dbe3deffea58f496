"""What would make a network cheaper, and by how much: each piece of advice is priced by the cost models themselves.

rechannel    a kernel with other output channels, as a query
staircase    where a layer stands on its steps
headroom     how far a kernel is from its roof
what_if      other precisions, larger batches
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphcost.api import Run, Source, run
from graphcost.errors import UsageError

from .headroom import Headroom, headroom_of
from .staircase import stairs_of
from .suggestion import Suggestion
from .what_if import batches, launches, precisions

__all__ = ["Advice", "Headroom", "Suggestion", "advise"]


@dataclass(frozen=True)
class Advice:
    """Suggestions with the largest saving first, and how far each kernel is from its roof, the farthest first."""

    run: Run
    suggestions: tuple[Suggestion, ...]
    headroom: tuple[Headroom, ...]


def advise(model: Source, device: Any, **options: Any) -> Advice:
    """Advice for a model on a device; the options are those of `graphcost.api.run`. UsageError without a device."""
    if device is None:
        raise UsageError("advice is about time: say on which device (--device nano)")
    found = run(model, device, **options)
    suggestions = [
        *stairs_of(found),
        *precisions(found, model, device, options),
        *batches(found, model, device, options),
        *launches(found),
    ]
    suggestions.sort(key=lambda suggestion: -(suggestion.saving or 0.0))
    return Advice(found, tuple(suggestions), tuple(headroom_of(found)))
