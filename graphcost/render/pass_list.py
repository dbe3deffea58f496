"""A pipeline with its stages, what each pass does and which options it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any

from graphcost.pipeline import Pass, Stage
from graphcost.spec import print_pass

from .columns import PLAIN, Screen, fold

_WIDEST = 40  # characters of a pass and its options beside which there is room for what it does


def render_passes(
    stages: Sequence[Stage], catalogue: Mapping[str, Callable[[], type[Pass]]], screen: Screen = PLAIN
) -> str:
    """The stages in order, then the passes that are there but not in the pipeline; with a newline at the end."""
    used = {step.name for stage in stages for step in stage.passes}
    others = {name: load() for name, load in sorted(catalogue.items()) if name not in used}
    width = max((len(print_pass(step)) for stage in stages for step in stage.passes), default=0)
    width = min(max(width, *map(len, others), 0) if others else width, _WIDEST)
    blocks = [_stage(stage, width, screen) for stage in stages]
    blocks += [[screen.paint("not in this pipeline", "bold"), *_others(others, width, screen)]] if others else []
    return "\n".join(line for block in blocks for line in block) + "\n"


def _stage(stage: Stage, width: int, screen: Screen) -> list[str]:
    lines = [line for step in stage.passes for line in _pass(print_pass(step), type(step), width, screen)]
    return [screen.paint(stage.name or "(no stage)", "bold"), *(lines or [screen.paint("  (empty)", "dim")])]


def _others(others: Mapping[str, type[Pass]], width: int, screen: Screen) -> Iterable[str]:
    return [line for name, kind in others.items() for line in _pass(name, kind, width, screen)]


def _pass(text: str, kind: type[Pass], width: int, screen: Screen) -> list[str]:
    """What a pass does and which options it has, beside its name."""
    options = ", ".join(map(_option, fields(kind)))
    lines = fold(f"  {text:<{width}}  {_first_paragraph(kind)}".rstrip(), screen, width + 4)
    if len(text) > width:  # what it does begins in a line of its own
        lines = fold(f"  {text}", screen, 4) + fold(f"  {'':<{width}}  {_first_paragraph(kind)}", screen, width + 4)
    return [*lines, *fold(f"  {'':<{width}}  options: {options}", screen, width + 4)] if options else lines


def _option(field: Field[Any]) -> str:
    """`max-ops: int = 3`."""
    kind = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
    default = "" if field.default is MISSING else f" = {field.default}"
    return f"{field.name.replace('_', '-')}: {kind}{default}"


def _first_paragraph(kind: type[Pass]) -> str:
    """The first paragraph of the docstring on one line; a dataclass without one has only its signature."""
    text = (kind.__doc__ or "").strip()
    if text.startswith(f"{kind.__name__}("):
        return ""
    return " ".join(text.split("\n\n")[0].split())
