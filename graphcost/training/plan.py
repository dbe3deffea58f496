"""Which batch fits: the memory of a step as a function of the batch, for several ways to train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from glob import escape
from typing import TYPE_CHECKING, Any

from graphcost.device import DeviceProfile

from .batches import PROBES, batch_memory
from .options import TrainingOptions

if TYPE_CHECKING:
    from graphcost.api import Run, Source

MOST = 4096
"""No larger batch is looked for."""


@dataclass(frozen=True)
class PlanRow:
    """One way to train: the largest batch that fits, 0 where none does, and the figures at that batch."""

    name: str
    batch: int
    peak_allocated_bytes: int | None = None
    peak_reserved_bytes: int | None = None
    system_bytes: int | None = None
    step_ms: float | None = None
    saved_activation_bytes: int | None = None
    fits_probability: float | None = None


def train_plan(
    model: Source, device: str | DeviceProfile | None, memory_bytes: int, options: TrainingOptions, **given: Any
) -> list[PlanRow]:
    """The largest batch that fits into so many bytes: as the options say, and with checkpoints, AMP and a frozen first
    half of the parameters."""

    def analysed(chosen: TrainingOptions, batch: int) -> Run:
        from graphcost.api import run

        return run(model, device, training=chosen, batch=batch, **given)

    plain = analysed(options, PROBES[0])
    half = _first_half(plain)
    ways = {
        "plain": options,
        "checkpoints": replace(options, checkpoint=("sqrt",)),
        "AMP fp16": replace(options, amp="fp16"),
        "first half frozen": replace(options, freeze=half),
        "checkpoints, AMP": replace(options, checkpoint=("sqrt",), amp="fp16"),
        "checkpoints, AMP, first half frozen": TrainingOptions(
            **{**vars(options), "checkpoint": ("sqrt",), "amp": "fp16", "freeze": half}
        ),
    }
    return [_row(name, chosen, analysed, memory_bytes) for name, chosen in ways.items()]


def _row(
    name: str, options: TrainingOptions, analysed: Callable[[TrainingOptions, int], Run], memory_bytes: int
) -> PlanRow:
    memory = batch_memory([analysed(options, batch) for batch in PROBES])
    batch = largest(memory.needed_bytes, memory_bytes)
    if batch == 0:
        return PlanRow(name, 0)
    reserved = memory.reserved(batch)
    totals = analysed(options, batch).report.totals.training
    assert totals is not None
    return PlanRow(
        name, batch, reserved.peak_allocated_bytes, reserved.peak_reserved_bytes, totals.system_bytes, totals.step_ms,
        totals.saved_activation_bytes, totals.fits_probability,
    )  # fmt: skip


def largest(needed_bytes: Callable[[int], int], memory_bytes: int) -> int:
    """The largest batch up to MOST of which what is needed fits; 0 where not even one does."""
    low, high = 0, 1
    while high <= MOST and needed_bytes(high) <= memory_bytes:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if needed_bytes(middle) <= memory_bytes else (low, middle)
    return min(low, MOST)


def _first_half(run: Run) -> tuple[str, ...]:
    """Patterns for the names of the parameters that come first and are half of the tensors."""
    step = next((node for node in run.graph if node.op.startswith("optim.")), None)
    count = step.attrs.get("parameters") if step is not None else None
    if step is None or not isinstance(count, int):
        return ()
    return tuple(escape(value.name) for value in step.inputs[: count // 2])
