"""A cursor over tokens: what every form of the grammar is read with."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from .lexer import TextError, Token, located, tokenize

T = TypeVar("T")


class Cursor:
    """Reads a text token by token; what is not as wanted becomes a located error."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._at = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    @property
    def after_next(self) -> Token:
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def take(self) -> Token:
        token = self.next
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def accept(self, text: str) -> bool:
        """Take the next token if it is this mark or word."""
        found = self.next.text == text and self.next.kind in ("mark", "word")
        if found:
            self.take()
        return found

    def expect(self, *wanted: str) -> Token:
        """The next token, which must be one of these marks, words or kinds."""
        if self.next.kind not in wanted and self.next.text not in wanted:
            raise self.error(f"expected {' or '.join(wanted)}, found {self.next.text}")
        return self.take()

    def error(self, reason: str, token: Token | None = None) -> TextError:
        token = token or self.next
        return located(self._text, token.line, token.column, reason)

    def several(self, item: Callable[[], T], opening: str, closing: str) -> list[T]:
        """`( item, item )`, or nothing between the brackets."""
        self.expect(opening)
        found: list[T] = []
        while not self.accept(closing):
            if found:
                self.expect(",", closing)
            found.append(item())
        return found

    def name(self) -> str:
        """A plain or quoted name."""
        token = self.expect("word", "string", "number")
        return str(json.loads(token.text)) if token.kind == "string" else token.text

    def integer(self) -> int:
        token = self.expect("number")
        try:
            return int(token.text)
        except ValueError:
            raise self.error(f"expected an integer, found {token.text}", token) from None
