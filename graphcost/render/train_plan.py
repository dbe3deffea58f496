"""`graphcost train-plan` as text: a row for each way to train."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from .columns import PLAIN, Column, Screen, fold, lay_out
from .units import milliseconds, size

if TYPE_CHECKING:
    from graphcost.training.plan import PlanRow

SCHEMA = "graphcost.train-plan/1"
_NONE = "does not fit"


def render_plan(rows: Sequence[PlanRow], head: str, screen: Screen = PLAIN) -> str:
    """The table under its headline, with a newline at its end."""
    columns = [
        Column("way", [row.name for row in rows], "<"),
        Column("batch", [str(row.batch) if row.batch else _NONE for row in rows]),
        Column("allocated", [_size(row.peak_allocated_bytes) for row in rows], rank=1),
        Column("reserved", [_size(row.peak_reserved_bytes) for row in rows], rank=2),
        Column("system", [_size(row.system_bytes) for row in rows]),
        Column("kept", [_size(row.saved_activation_bytes) for row in rows], rank=3),
        Column("step", ["" if row.step_ms is None else f"{milliseconds(row.step_ms)}" for row in rows]),
    ]
    title = [screen.paint(line, "bold") for line in fold(head, screen, 2)]
    return "\n".join([*title, "", *lay_out(columns, screen)]) + "\n"


def render_plan_json(rows: Sequence[PlanRow]) -> str:
    """The same as data; what is not known is null."""
    return json.dumps({"schema": SCHEMA, "rows": [asdict(row) for row in rows]}, indent=2) + "\n"


def _size(number: int | None) -> str:
    return "" if number is None else size(number)
