"""How much a piece of work takes, counted and not timed: the same on every machine and at every moment."""

from __future__ import annotations

import sys
from collections.abc import Callable


def calls(work: Callable[[], object]) -> int:
    """Calls of functions, Python's and C's, that a piece of work makes. What is quadratic in nodes shows in it."""
    count = 0

    def watch(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    previous = sys.getprofile()
    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(previous)
    return count
