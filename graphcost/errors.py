"""What the user gave and we could not use: one sentence each, and the exit code that goes with it.

What *we* broke is not here: a failing pass writes a reproducer, and that belongs to the pipeline.
"""

from __future__ import annotations

from collections.abc import Iterable

_FEW = 12  # so many names can be listed without drowning the sentence
_PART = 3  # so many letters are enough to be a part of a name


class UserError(Exception):
    """Something the user gave cannot be used; the message is one sentence: what, where, what would be accepted."""

    exit_code: int = 2


class UsageError(UserError):
    """An option, a name or a small file of settings is wrong."""


class ModelError(UserError):
    """A model file cannot be read: missing, truncated, or not what it says it is."""

    exit_code = 3


class DataError(UserError):
    """A file of measurements cannot be read, or a line of it says what nobody can use."""

    exit_code = 3


class ResizeError(UserError):
    """A model cannot take the asked input shapes; `node` names the operator that fixes them."""

    def __init__(self, node: str, reason: str) -> None:
        super().__init__(f"the model cannot be re-sized: node {node!r} {reason}")
        self.node = node
        self.reason = reason


class UnknownName(UsageError):
    """A name that is in no list; the message writes itself and offers the names most like it."""

    def __init__(self, kind: str, given: str, accepted: Iterable[str], see: str | None = None) -> None:
        self.kind = kind
        self.given = given
        self.accepted = tuple(accepted)
        where = f" (see: {see})" if see else ""
        super().__init__(f"unknown {kind} {given!r}{_offer(given, self.accepted, see)}{where}")


def _offer(given: str, accepted: tuple[str, ...], see: str | None) -> str:
    """The middle of the sentence: near names if there are any, else the first few."""
    near = near_names(given, accepted)
    if near:
        return f"; did you mean {', '.join(near)}?"
    if not accepted or (len(accepted) > _FEW and see):
        return ""
    more = f" and {len(accepted) - _FEW} more" if len(accepted) > _FEW else ""
    return f"; accepted: {', '.join(accepted[:_FEW])}{more}"


def near_names(given: str, accepted: Iterable[str], limit: int = 4) -> list[str]:
    """Names that begin with `given`, then hold it, then look like it; shorter ones first, case does not count."""
    import difflib

    word = given.lower()
    by_lower = {name.lower(): name for name in accepted}
    hold = sorted((name for name in by_lower if len(word) >= _PART and word in name), key=len)
    begin = [name for name in hold if name.startswith(word)]
    alike = difflib.get_close_matches(word, by_lower, n=limit, cutoff=0.6)
    return [by_lower[name] for name in dict.fromkeys([*begin, *hold, *alike])][:limit]
