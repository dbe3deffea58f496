"""The commands. Each parses, calls one function and renders; what it needs it imports when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from .accuracy import accuracy
from .advise import advise
from .analyze import analyze, explain, opt
from .compare import compare
from .diff import diff
from .fit import fit
from .lint import lint
from .listing import devices, operators, passes, schema
from .memory import memory
from .train_plan import train_plan

app = typer.Typer(
    name="graphcost",
    help="What a network will cost on an embedded NVIDIA GPU, told from its ONNX file.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (
    analyze, diff, compare, accuracy, fit, advise, lint, memory, train_plan, explain, opt, devices, passes, operators,
    schema,
)  # fmt: skip
for command in _COMMANDS:
    app.command()(command)


def _version(asked: bool) -> None:
    if asked:
        from graphcost import __version__

        typer.echo(f"graphcost {__version__}")
        raise typer.Exit


@app.callback()
def graphcost(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """What a network will cost on an embedded NVIDIA GPU, told from its ONNX file."""
