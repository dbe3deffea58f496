"""Text in columns, and how much of it a terminal shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

GAP = "  "
_LEAST_NAME = 24  # below this a name says nothing; other columns have to go instead
_GLUE = "\N{NO-BREAK SPACE}"
_BEFORE_UNIT = r"(?<=[\d)]) (?=%|(?:ms|µs|us|[KMGT]?i?B|[KMGT])\b)"  # a line does not break between figure and unit


@dataclass(frozen=True)
class Column:
    """A title over cells, at least so many characters wide. Columns of a higher `rank` are dropped first where a
    terminal is too narrow; 0 stays."""

    title: str
    cells: Sequence[str]
    align: Literal["<", ">"] = ">"
    rank: int = 0
    least: int = 0

    @property
    def width(self) -> int:
        return max(self.least, len(self.title), max(map(len, self.cells), default=0))


@dataclass(frozen=True)
class Screen:
    """Where the text goes. `width` is None for a file or a pipe: there nothing is cut, and nothing has a colour. What
    is drawn is drawn with letters that `encoding` has."""

    width: int | None = None
    colour: bool = False
    encoding: str | None = "utf-8"

    def paint(self, text: str, style: str) -> str:
        """The text in bold, dim, red, green or yellow."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.colour and text else text


PLAIN = Screen()

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def lay_out(columns: Sequence[Column], screen: Screen = PLAIN, last_bold: bool = False) -> list[str]:
    """A heading and a line for each row. The last column takes what is left of the line and is elided to fit."""
    shown = _fitting(columns, screen.width)
    widths = _widths(shown, screen.width)
    lines = [_line([c.title for c in shown], shown, widths)]
    lines += [_line(row, shown, widths) for row in zip(*(c.cells for c in shown))]
    lines[0] = screen.paint(lines[0], "dim")
    if last_bold:
        lines[-1] = screen.paint(lines[-1], "bold")
    return lines


def fold(text: str, screen: Screen, indent: int = 0) -> list[str]:
    """A line of prose, broken between words where the terminal is too narrow; what follows is indented."""
    if screen.width is None or len(text) <= screen.width:
        return [text]
    import re
    import textwrap

    glued = re.sub(_BEFORE_UNIT, _GLUE, text)
    lines = textwrap.wrap(glued, max(screen.width, 40), subsequent_indent=" " * indent, break_on_hyphens=False)
    return [line.replace(_GLUE, " ") for line in lines]


def elide(text: str, width: int) -> str:
    """The text, with its middle left out where it is longer than `width`."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return text[:head] + "…" + text[len(text) - (width - 1 - head) :] if width > 1 else text[:width]


def _fitting(columns: Sequence[Column], width: int | None) -> list[Column]:
    shown = list(columns)
    while width is not None and needed(shown) > width:
        rank = max(c.rank for c in shown)
        if rank == 0:
            break
        shown = [c for c in shown if c.rank != rank]
    return shown


def needed(columns: Sequence[Column]) -> int:
    """The least width at which the last column can still be read."""
    fixed = sum(c.width + len(GAP) for c in columns[:-1])
    return fixed + min(columns[-1].width, _LEAST_NAME)


def _widths(columns: Sequence[Column], width: int | None) -> list[int]:
    widths = [c.width for c in columns]
    if width is not None:
        left = width - sum(w + len(GAP) for w in widths[:-1])
        widths[-1] = max(min(widths[-1], left), 8)
    return widths


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = [f"{elide(cell, w):{c.align}{w}}" for cell, c, w in zip(cells, columns, widths)]
    return GAP.join(padded).rstrip()
