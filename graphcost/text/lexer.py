"""Text → tokens, each with the place where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple


class Token(NamedTuple):
    """`kind` is one of: value, string, number, word, mark, end."""

    kind: str
    text: str
    line: int
    column: int


@dataclass
class TextError(Exception):
    """A text that is not IR: where, and what was expected. Prints the line with a caret under the place."""

    line: int
    column: int
    reason: str
    source: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}\n    {self.source}\n    {' ' * self.column}^"


_STRING = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(
    rf"""(?P<space>[ \t\r]+|;.*)
    |(?P<value>%(?:[A-Za-z0-9_.]+|{_STRING}))
    |(?P<string>{_STRING})
    |(?P<number>-?(?:\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+|\d+|inf\b|nan\b)(?![A-Za-z0-9_.]))
    |(?P<word>[A-Za-z0-9_.]+)
    |(?P<mark><=|[-\[\](){{}}=,:?*^@])
    |(?P<newline>\n)""",
    re.VERBOSE,
)


def tokenize(text: str) -> list[Token]:
    """All tokens, an `end` token last. Raises TextError at a character that begins none."""
    tokens, line, start, at = [], 1, 0, 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise located(text, line, at - start, f"unexpected character {text[at]!r}")
        at = match.end()
        if match.lastgroup == "newline":
            line, start = line + 1, at
        elif match.lastgroup != "space" and match.lastgroup is not None:
            tokens.append(Token(match.lastgroup, match[0], line, match.start() - start))
    tokens.append(Token("end", "end of text", line, at - start))
    return tokens


def located(text: str, line: int, column: int, reason: str) -> TextError:
    """An error that carries its line of the text."""
    lines = text.splitlines()
    return TextError(line, column, reason, lines[line - 1] if line <= len(lines) else "")
