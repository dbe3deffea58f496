"""`graphcost train-plan`: the largest batch that fits, for several ways to train."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Output, Quiet
from .output import emit, screen_for
from .request import Request, with_request


@with_request("training", "written_out", "pipeline", "insert", "reorder", "cost_model", "batch")
def train_plan(
    request: Request,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file; its weights are not read.")],
    memory: Annotated[str, typer.Option(metavar="SIZE", help="What there is: 4GiB, 6000MiB.")] = "",
    format: Annotated[str, typer.Option(metavar="NAME", help="table or json.")] = "table",
    output: Output = None,
    quiet: Quiet = False,
) -> None:
    """Tell the largest batch that can be trained in so much memory. Plainly, with checkpoints, AMP, frozen layers."""
    from graphcost.render import one_of
    from graphcost.render.train_plan import render_plan, render_plan_json
    from graphcost.training import TrainingOptions
    from graphcost.training.plan import train_plan as plan

    from .progress import watched

    chosen = one_of("format", format, ("table", "json"))
    given = request.given()
    options, device = given.pop("training", None) or TrainingOptions(), given.pop("device", None)
    bytes_ = memory_bytes(memory, device)
    with watched(quiet):
        rows = plan(model, device, bytes_, options, **given)
    if chosen == "json":
        return emit(render_plan_json(rows), output)
    where = "no device" if device is None else device
    head = f"{model} · {where} · {options.optimizer} · what fits in {memory or 'the memory of the device'}"
    return emit(render_plan(rows, head, screen_for(output)), output)


def memory_bytes(text: str, device: str | None) -> int:
    """A size with its unit; by default what can be used of the device's memory. UsageError where neither is known."""
    from graphcost.device import load_device
    from graphcost.errors import UsageError
    from graphcost.gate import parse_gate
    from graphcost.training.system import room_bytes

    if text:
        try:
            if not text.strip()[-1:].isalpha():
                raise UsageError("no unit")
            return int(parse_gate(f"peak_memory>{text}").limit)
        except UsageError:
            raise UsageError(f"--memory '{text}' is no size with its unit, such as 4GiB or 6000MiB") from None
    room = room_bytes(load_device(device)) if device else None
    if room is None:
        raise UsageError("give --memory SIZE: what can be used of the device's memory is not known")
    return room
