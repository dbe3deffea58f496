"""Where text goes: standard output, as the terminal can show it, or a file that is written whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphcost.errors import UnknownName, UsageError
from graphcost.files import write_atomic

if TYPE_CHECKING:
    from graphcost.render.columns import Screen

_BY_SUFFIX = {".json": "json", ".csv": "csv", ".md": "markdown"}


def choose_format(asked: str | None, output: Path | None, accepted: Sequence[str]) -> str:
    """The format that was asked for, else the one that the name of the file speaks of, else a table."""
    if asked is None:
        by_suffix = _BY_SUFFIX.get(output.suffix.lower(), "table") if output else "table"
        return by_suffix if by_suffix in accepted else "table"
    if asked not in accepted:
        raise UnknownName("format", asked, accepted)
    return asked


def emit(text: str, output: Path | None) -> None:
    """Write to the file, or to standard output. A reader that has seen enough (`| head`) ends nothing but the output:
    the exit code still says what it would have said."""
    if output is not None and str(output) != "-":
        write_atomic(output, text)
        return
    if sys.stdout is None:  # closed by who started us: `>&-`
        return
    _never_fail_on_a_letter()
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _write_to_nowhere()
    except OSError as error:
        _write_to_nowhere()
        raise UsageError(f"cannot write to standard output: {error.strerror or error}") from None


def _write_to_nowhere() -> None:
    """So that nothing fails when Python flushes what is left at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def screen_for(output: Path | None) -> Screen:
    """The width, the colours and the letters of the terminal; the letters alone of a pipe, and nothing of a file."""
    from graphcost.render.columns import PLAIN, Screen

    if sys.stdout is None or (output is not None and str(output) != "-"):
        return PLAIN
    if not sys.stdout.isatty():
        return Screen(encoding=sys.stdout.encoding)
    colour = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return Screen(shutil.get_terminal_size().columns, colour, sys.stdout.encoding)


def _never_fail_on_a_letter() -> None:
    """A terminal that lacks a letter gets its number: names in a model can hold anything."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
