"""`graphcost memory`: one model, over time and by module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .options import Output, Quiet
from .output import emit, screen_for
from .progress import watched
from .request import Request, with_request

if TYPE_CHECKING:
    from graphcost.api import Run


@with_request()
def memory(
    request: Request,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file; its weights are not read.")],
    timeline: Annotated[bool, typer.Option("--timeline", help="Draw what is in memory over the execution.")] = False,
    by_module: Annotated[bool, typer.Option("--by-module", help="List the peak by module of the network.")] = False,
    depth: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Parts of a module's path that count: 2 for layer1/0.")
    ] = None,
    output: Output = None,
    quiet: Quiet = False,
) -> None:
    """Tell what is in memory when. The peak and who holds it, the arena, another order; drawn, or by module."""
    from graphcost.render.memory_view import View, render_memory

    with watched(quiet) as progress:
        run = request.run(model, [progress])
    everything = not timeline and not by_module and depth is None
    view = View(timeline or everything, by_module or depth is not None or everything, depth)
    arenas = _shared_blocks(run, request)
    emit(render_memory(run.report, view, arenas, screen_for(output)), output)


def _shared_blocks(run: Run, request: Request) -> dict[str, int]:
    """The arena that a runtime needs that shares blocks, beside the best one."""
    from graphcost.memory import plan_shared_blocks, storages
    from graphcost.plugin import load_registry

    plan = storages(run.graph, load_registry(request.plugins).operators)
    return {"shared-blocks": plan_shared_blocks(plan).size_bytes}
