"""The commands. Each parses, calls one function and renders; what it needs it imports when it runs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

_FILES = {
    "analyze": "analyze",
    "diff": "diff",
    "compare": "compare",
    "accuracy": "accuracy",
    "fit": "fit",
    "advise": "advise",
    "lint": "lint",
    "memory": "memory",
    "train-plan": "train_plan",
    "explain": "analyze",
    "opt": "analyze",
    "devices": "listing",
    "passes": "listing",
    "operators": "listing",
    "schema": "listing",
}
"""Commands in the order of the help, each with the file that has it as a function."""


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """The command line for these arguments: with the one command that they begin with, else with all of them. To read
    the options of all commands takes longer than many a command."""
    first = next(iter(arguments), "")
    return _app([first] if first in _FILES else list(_FILES))


def _app(commands: Sequence[str]) -> typer.Typer:
    app = typer.Typer(
        name="graphcost",
        help="What a network will cost on an embedded NVIDIA GPU, told from its ONNX file.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in commands:
        file = import_module(f"graphcost.cli.{_FILES[command]}")
        app.command(command)(getattr(file, command.replace("-", "_")))
    app.callback()(graphcost)
    return app


def _version(asked: bool) -> None:
    if asked:
        from graphcost import __version__

        typer.echo(f"graphcost {__version__}")
        raise typer.Exit


def graphcost(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """What a network will cost on an embedded NVIDIA GPU, told from its ONNX file."""
