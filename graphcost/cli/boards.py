"""`graphcost analyze MODEL --device nano,tx2,orin-nano`: one model on several boards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphcost.errors import UsageError

from .output import emit, screen_for

if TYPE_CHECKING:
    from graphcost.render import Format

    from .request import Request


def several_devices(request: Request) -> list[str]:
    """The devices of the request where it names more than one, else none."""
    if not request.device or "," not in request.device:
        return []
    from graphcost.boards import split_devices

    named = split_devices(request.device)
    return named if len(named) > 1 else []


def refuse_with_boards(given: Mapping[str, object], by_kernel: bool, top: int | None) -> None:
    """UsageError for an option that speaks of one board, and for rows to choose from where there is one a board."""
    if top is not None and not by_kernel:
        raise UsageError("--top chooses kernels: give --by-kernel too, or name one --device")
    if others := [option for option, value in given.items() if value]:
        raise UsageError(f"{others[0]} is for one board: leave it out, or name one --device")


def print_boards(
    request: Request,
    devices: Sequence[str],
    model: str,
    by_kernel: bool,
    top: int | None,
    format: Format,
    output: Path | None,
) -> None:
    """Analyse for each board, and write the table."""
    from graphcost.boards import compare_boards
    from graphcost.render.boards import render_boards

    options = {name: value for name, value in request.given().items() if name != "device"}
    boards = compare_boards(model, devices, **options)
    emit(render_boards(boards, format, by_kernel, screen_for(output), top), output)
