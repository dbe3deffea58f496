"""Bytes over time as a bar chart of text: a column for each node, or for several of which the highest counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .columns import PLAIN, Screen
from .units import size

_ROWS = 8
_WIDTH = 80  # of what is no terminal
_WIDEST_BAR = 4


@dataclass(frozen=True)
class Letters:
    """What the chart is drawn with: the parts of a cell from empty to full, the axes and the mark of the peak."""

    levels: str
    axis: str
    corner: str
    floor: str
    mark: str


BLOCKS = Letters(" ▁▂▃▄▅▆▇█", "┤", "└", "─", "▲")
ASCII = Letters(" .:#", "|", "+", "-", "^")


def letters_for(encoding: str | None) -> Letters:
    """Block letters where the encoding of the terminal has them."""
    try:
        "".join((BLOCKS.levels, BLOCKS.axis, BLOCKS.corner, BLOCKS.floor, BLOCKS.mark)).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


def draw_timeline(timeline: Sequence[int], screen: Screen = PLAIN) -> list[str]:
    """The chart, as wide as the terminal, with the first moment of the peak marked below. Nothing without nodes."""
    if not timeline or not max(timeline):
        return []
    letters = letters_for(screen.encoding)
    peak = max(timeline)
    label = max(len(size(peak)), len(size(peak // 2)))
    room = max((screen.width or _WIDTH) - label - 2, 8)
    bars, marked = _bars(timeline, room)
    names = {0: size(peak), _ROWS // 2: size(peak // 2)}
    lines = []
    for row in range(_ROWS):
        cells = "".join(_cell(bar, peak, row, letters) for bar in bars)
        lines.append(f"{names.get(row, ''):>{label}} {letters.axis}{_highlighted(cells, marked, screen)}")
    lines.append(f"{'0':>{label}} {letters.corner}{letters.floor * len(bars)}")
    lines.append(f"{'':{label}}  {_peak(marked.start, room, screen.paint(letters.mark, 'red'))}")
    return lines


def _peak(start: int, room: int, mark: str) -> str:
    """The mark below the peak and its word, which stands before the mark where the line ends."""
    return f"{'peak ':>{start}}{mark}" if start + len("^ peak") > room else f"{'':{start}}{mark} peak"


def _bars(timeline: Sequence[int], width: int) -> tuple[list[int], slice]:
    """The heights of the columns, and which of them are the peak."""
    count, at = len(timeline), timeline.index(max(timeline))
    if count <= width:
        wide = min(width // count, _WIDEST_BAR)
        return [live for live in timeline for _ in range(wide)], slice(at * wide, (at + 1) * wide)
    edges = [column * count // width for column in range(width + 1)]
    bars = [max(timeline[start:end]) for start, end in zip(edges, edges[1:])]
    column = bars.index(timeline[at])
    return bars, slice(column, column + 1)


def _cell(bar: int, peak: int, row: int, letters: Letters) -> str:
    """The letter in a row, counted from the top. What is not nothing shows at least the least."""
    full = len(letters.levels) - 1
    height = -(-bar * _ROWS * full // peak)
    return letters.levels[min(max(height - (_ROWS - 1 - row) * full, 0), full)]


def _highlighted(cells: str, marked: slice, screen: Screen) -> str:
    before, there, after = cells[: marked.start], cells[marked], cells[marked.stop :].rstrip()
    return f"{before}{screen.paint(there, 'red')}{after}".rstrip()
