"""`graphcost devices`, `passes`, `operators` and `schema`: what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Output
from .output import choose_format, emit, screen_for
from .request import PIPELINE, SIZES, Request, with_request

_FORMATS = ("table", "json")


def devices(
    name: Annotated[
        str, typer.Argument(metavar="NAME[@MODE]", help="One device, or a TOML file; all without it.")
    ] = "",
    format: Annotated[str | None, typer.Option(metavar="NAME", help="table or json.")] = None,
    output: Output = None,
) -> None:
    """List the devices, or tell what is known of one, each figure with its source."""
    from graphcost.device import list_devices
    from graphcost.render.device_list import render_devices, render_devices_json

    chosen = choose_format(format, output, _FORMATS)
    if name:
        return _one_device(name, chosen, output)
    if chosen == "json":
        return emit(render_devices_json(list_devices()), output)
    return emit(render_devices(list_devices(), screen_for(output)), output)


def _one_device(name: str, format: str, output: Path | None) -> None:
    from graphcost.device import load_device, modes_of
    from graphcost.render.device_view import render_device, render_device_json

    profile = load_device(name)
    if format == "json":
        return emit(render_device_json(profile), output)
    return emit(render_device(profile, modes_of(name), screen_for(output)), output)


@with_request(*SIZES, *PIPELINE, "cost_model")
def passes(request: Request, output: Output = None) -> None:
    """Print the pipeline for a target. Its stages, where passes can be inserted, and what each pass does."""
    from graphcost.api import pipeline_of
    from graphcost.plugin import load_registry
    from graphcost.render.pass_list import render_passes

    stages = pipeline_of(**request.given())
    others = load_registry(request.plugins).passes
    emit(render_passes(stages, others, screen_for(output)), output)


def operators(
    name: Annotated[str, typer.Argument(help="A part of their names; all without it.")] = "",
    format: Annotated[str | None, typer.Option(metavar="NAME", help="table or markdown.")] = None,
    output: Output = None,
) -> None:
    """List the operators that can be counted, and how. Markdown gives the page of the documentation."""
    from graphcost.operator_docs import markdown, table

    chosen = choose_format(format, output, ("table", "markdown"))
    emit(markdown() if chosen == "markdown" else table(name, screen_for(output)), output)


def schema(output: Output = None) -> None:
    """Print the JSON Schema of reports."""
    path = Path(__file__).parent.parent / "schema" / "report-1.json"
    emit(path.read_text(encoding="utf-8"), output)
