"""Pipelines as text: `canonical[fold-shapes,dce],fusion[fuse{max-ops=3}]` ⇄ stages of passes.

A pass is a name in kebab-case with options in braces; options are the fields of the pass, separated by commas or
spaces. A stage is a name with passes in brackets. Passes outside of a stage form a stage of their own, without a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

from .errors import UnknownName, UsageError
from .pipeline import Pass, Stage

Catalogue = Mapping[str, Callable[[], "type[Pass]"]]
"""Pass classes by name, each behind a loader: what is not used is not imported."""

_ITEM = re.compile(r"\s*([A-Za-z][\w-]*)\s*(?:\{([^}]*)\}|(\[))?\s*")
_OPTION = re.compile(r"\s*([\w-]+)\s*=\s*(\[[^\]]*\]|[^\s,]+)\s*,?")
_PLACE = re.compile(r"(.+)@(?:(before|after):([\w-]+)|(end))")


def parse_stages(text: str, catalogue: Catalogue) -> tuple[Stage, ...]:
    """The stages that a text describes. Raises UsageError with the place, UnknownName for a pass that is not there."""
    stages: list[Stage] = []
    at = 0
    while at < len(text.rstrip()):
        item = _item(text, at)
        at = item.end()
        if item[3]:
            end = _closing(text, at)
            stages.append(Stage(item[1], parse_passes(text[at:end], catalogue)))
            at = end + 1
        else:
            stages.append(Stage("", (make_pass(item[1], item[2] or "", catalogue),)))
        at = _comma(text, at)
    return tuple(stages)


def parse_passes(text: str, catalogue: Catalogue) -> tuple[Pass, ...]:
    """Passes without stages: `a,b{n=3}`."""
    found: list[Pass] = []
    at = 0
    while at < len(text.rstrip()):
        item = _item(text, at)
        if item[3]:
            raise UsageError(f"pipeline '{text}': '{item[1]}[' opens a stage where only passes can stand")
        found.append(make_pass(item[1], item[2] or "", catalogue))
        at = _comma(text, item.end())
    return tuple(found)


def make_pass(name: str, options: str, catalogue: Catalogue) -> Pass:
    """A pass from its name and the text of its options."""
    if name not in catalogue:
        raise UnknownName("pass", name, sorted(catalogue))
    kind = catalogue[name]()
    known = {f.name: f for f in fields(kind)}
    values = {}
    for key, text in _options(name, options):
        if key not in known:
            accepted = ", ".join(map(_kebab, known)) or "none"
            raise UsageError(f"pass '{name}' has no option '{_kebab(key)}'; its options: {accepted}")
        values[key] = _convert(name, known[key], text, kind)
    if missing := [key for key, option in known.items() if key not in values and _default(option) is MISSING]:
        raise UsageError(f"pass '{name}' needs option '{_kebab(missing[0])}'")
    try:
        return kind(**values)
    except ValueError as error:  # the pass itself says which values make sense
        raise UsageError(f"pass '{name}': {error}") from None


def print_pass(step: Pass) -> str:
    """`fuse{max-ops=3}`: the options that differ from their defaults."""
    given = [(f, getattr(step, f.name)) for f in fields(step)]
    texts = [f"{_kebab(f.name)}={_option_text(value)}" for f, value in given if value != _default(f)]
    return step.name + (f"{{{','.join(texts)}}}" if texts else "")


def print_stages(stages: Iterable[Stage]) -> str:
    """What `parse_stages` reads."""
    return ",".join(_print_stage(stage) for stage in stages)


@dataclass(frozen=True)
class Insertion:
    """A pass and where it goes: before or after a stage (or, failing that, a pass) of that name, or at the end."""

    step: Pass
    where: str
    anchor: str


def parse_insertion(text: str, catalogue: Catalogue) -> Insertion:
    """`my-pass{n=3}@after:fusion`, `@before:NAME`, `@end`."""
    match = _PLACE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"'{text}' does not say where: PASS@before:NAME, PASS@after:NAME or PASS@end")
    steps = parse_passes(match[1], catalogue)
    if len(steps) != 1:
        raise UsageError(f"'{text}' names {len(steps)} passes; insert one at a time")
    return Insertion(steps[0], match[2] or "end", match[3] or "")


def insert(stages: Sequence[Stage], insertion: Insertion) -> tuple[Stage, ...]:
    """The stages with one more pass."""
    if insertion.where == "end":
        return (*stages, Stage("", (insertion.step,)))
    for number, stage in enumerate(stages):
        if stage.name == insertion.anchor:
            return _replaced(stages, number, _at_edge(stage, insertion))
    for number, stage in enumerate(stages):
        if any(step.name == insertion.anchor for step in stage.passes):
            return _replaced(stages, number, _at_pass(stage, insertion))
    accepted = [s.name for s in stages if s.name] + [p.name for s in stages for p in s.passes]
    raise UnknownName("anchor", insertion.anchor, accepted)


def _at_edge(stage: Stage, insertion: Insertion) -> Stage:
    step = (insertion.step,)
    return Stage(stage.name, (*step, *stage.passes) if insertion.where == "before" else (*stage.passes, *step))


def _at_pass(stage: Stage, insertion: Insertion) -> Stage:
    at = next(i for i, step in enumerate(stage.passes) if step.name == insertion.anchor)
    at += insertion.where == "after"
    return Stage(stage.name, (*stage.passes[:at], insertion.step, *stage.passes[at:]))


def _replaced(stages: Sequence[Stage], number: int, stage: Stage) -> tuple[Stage, ...]:
    return (*stages[:number], stage, *stages[number + 1 :])


def _item(text: str, at: int) -> re.Match[str]:
    match = _ITEM.match(text, at)
    if match is None:
        raise UsageError(f"pipeline '{text}': expected the name of a pass at '{text[at : at + 20]}'")
    return match


def _closing(text: str, at: int) -> int:
    end = text.find("]", at)
    while end != -1 and text.count("{", at, end) > text.count("}", at, end):
        end = text.find("]", end + 1)
    if end == -1:
        raise UsageError(f"pipeline '{text}': a '[' is never closed")
    return end


def _comma(text: str, at: int) -> int:
    rest = text[at:].lstrip()
    if rest and not rest.startswith(","):
        raise UsageError(f"pipeline '{text}': expected ',' at '{rest[:20]}'")
    return len(text) - len(rest) + 1 if rest else len(text)


def _options(name: str, text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _OPTION.match(text, at)
        if match is None:
            raise UsageError(f"pass '{name}': cannot read option '{text[at:].strip()}'; write key=value")
        found.append((match[1].replace("-", "_"), match[2]))
        at = match.end()
    return found


def _convert(name: str, option: Field[Any], text: str, kind: type[Pass]) -> object:
    """A text as the type that the pass declares for the option."""
    from typing import get_type_hints

    wanted = get_type_hints(kind)[option.name]
    try:
        return _as(wanted, text)
    except (ValueError, KeyError):
        raise UsageError(
            f"pass '{name}': option '{_kebab(option.name)}' takes {_expected(wanted)}, not '{text}'"
        ) from None


def _expected(wanted: Any) -> str:
    """A type in words: `int`, `int | None`, `up or down`."""
    from typing import Literal, get_args, get_origin

    if get_origin(wanted) is Literal:
        return " or ".join(map(str, get_args(wanted)))
    return wanted.__name__ if isinstance(wanted, type) and not get_args(wanted) else str(wanted)


def _as(wanted: Any, text: str) -> object:
    from types import UnionType
    from typing import Literal, Union, get_args, get_origin

    if get_origin(wanted) in (Union, UnionType):
        return None if text.lower() == "none" else _as(get_args(wanted)[0], text)
    if get_origin(wanted) is Literal:
        return {str(choice): choice for choice in get_args(wanted)}[text]
    if get_origin(wanted) is tuple:
        items = [part.strip() for part in text.strip("[]").split(",") if part.strip()]
        return tuple(_as(get_args(wanted)[0], item) for item in items)
    if wanted is bool:
        return {"true": True, "false": False}[text.lower()]
    if wanted in (int, float):
        return wanted(text)
    return text


def _default(option: Field[Any]) -> object:
    return option.default_factory() if option.default_factory is not MISSING else option.default


def _option_text(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{','.join(map(_option_text, value))}]"
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _print_stage(stage: Stage) -> str:
    inside = ",".join(map(print_pass, stage.passes))
    return f"{stage.name}[{inside}]" if stage.name else inside


def _kebab(name: str) -> str:
    return name.replace("_", "-")
