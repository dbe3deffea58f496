"""Pipelines as text: both ways, options as the fields of passes, errors in one sentence, where a pass is inserted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from graphcost.errors import UsageError
from graphcost.ir import Graph
from graphcost.pipeline import UNCHANGED, Change, Context, Pass, Stage
from graphcost.plugin import load_registry
from graphcost.spec import (
    insert,
    make_pass,
    parse_insertion,
    parse_passes,
    parse_stages,
    print_pass,
    print_stages,
)


@dataclass(frozen=True)
class Fuse(Pass):
    """Takes every kind of option."""

    name: ClassVar[str] = "fuse"
    max_ops: int = 8
    ratio: float = 0.5
    greedy: bool = True
    rule: str = "all"
    kinds: tuple[str, ...] = ()
    sizes: tuple[int, ...] = (1, 2)
    limit: int | None = None
    order: Literal["up", "down"] = "up"

    def run(self, graph: Graph, ctx: Context) -> Change:
        return UNCHANGED


@dataclass(frozen=True)
class Dce(Pass):
    """Takes none."""

    name: ClassVar[str] = "dce"

    def run(self, graph: Graph, ctx: Context) -> Change:
        return UNCHANGED


@dataclass(frozen=True)
class Tile(Pass):
    """Has an option without default, and says itself which values make sense."""

    name: ClassVar[str] = "tile"
    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size is {self.size}, but must be positive")

    def run(self, graph: Graph, ctx: Context) -> Change:
        return UNCHANGED


def _never() -> type[Pass]:
    raise AssertionError("an unused pass was loaded")


CATALOGUE = {"fuse": lambda: Fuse, "dce": lambda: Dce, "tile": lambda: Tile, "unused": _never}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dce",
        "dce,fuse",
        "fuse{max-ops=3}",
        "fuse{max-ops=3,ratio=0.25,greedy=false,rule=conv,kinds=[a,b],sizes=[],limit=4,order=down}",
        "tile{size=2}",
        "import[],canonical[dce,fuse{sizes=[3]}],fusion[fuse{max-ops=-1}]",
        "canonical[dce],dce,dce",
    ],
)
def test_what_is_printed_parses_back(text: str) -> None:
    stages = parse_stages(text, CATALOGUE)
    assert print_stages(stages) == text
    assert parse_stages(print_stages(stages), CATALOGUE) == stages


def test_options_are_the_fields_of_a_pass() -> None:
    given = make_pass("fuse", "max-ops=3 ratio=1e-3 greedy=FALSE kinds=[conv, gemm] sizes=[4,5]", CATALOGUE)
    assert given == Fuse(3, 0.001, False, "all", ("conv", "gemm"), (4, 5))
    assert make_pass("fuse", "max_ops=3", CATALOGUE) == Fuse(3)


def test_spaces_do_not_matter() -> None:
    assert parse_stages(" canonical [ dce , fuse { max-ops=3 } ] , dce ", CATALOGUE) == (
        Stage("canonical", (Dce(), Fuse(3))),
        Stage("", (Dce(),)),
    )


def test_only_options_that_differ_from_their_default_are_printed() -> None:
    assert print_pass(Fuse(max_ops=8, ratio=0.5)) == "fuse"


ERRORS = {
    "fuse{max-ops=many}": "pass 'fuse': option 'max-ops' takes int, not 'many'",
    "fuse{ratio=x}": "pass 'fuse': option 'ratio' takes float, not 'x'",
    "fuse{greedy=maybe}": "pass 'fuse': option 'greedy' takes bool, not 'maybe'",
    "fuse{sizes=[a]}": "pass 'fuse': option 'sizes' takes tuple[int, ...], not '[a]'",
    "fuse{opps=3}": "pass 'fuse' has no option 'opps'; its options: max-ops, ratio, greedy, rule, kinds, sizes, limit",
    "fuse{limit=x}": "pass 'fuse': option 'limit' takes int | None, not 'x'",
    "fuse{order=sideways}": "pass 'fuse': option 'order' takes up or down, not 'sideways'",
    "tile": "pass 'tile' needs option 'size'",
    "tile{size=0}": "pass 'tile': size is 0, but must be positive",
    "dce{n=1}": "pass 'dce' has no option 'n'; its options: none",
    "fuse{max-ops}": "pass 'fuse': cannot read option 'max-ops'; write key=value",
    "dce,,fuse": "pipeline 'dce,,fuse': expected the name of a pass at ',fuse'",
    "dce fuse": "pipeline 'dce fuse': expected ',' at 'fuse'",
    "fusion[dce": "pipeline 'fusion[dce': a '[' is never closed",
    "fusion[inner[dce]]": "'inner[' opens a stage where only passes can stand",
    "fuze": "unknown pass 'fuze'; did you mean fuse?",
    "3d": "pipeline '3d': expected the name of a pass at '3d'",
}


@pytest.mark.parametrize(("text", "sentence"), ERRORS.items())
def test_errors_are_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_stages(text, CATALOGUE)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


PLACES = {
    "dce@before:fusion": "canonical[dce,fuse],fusion[dce,fuse]",
    "dce@after:fusion": "canonical[dce,fuse],fusion[fuse,dce]",
    "dce@after:canonical": "canonical[dce,fuse,dce],fusion[fuse]",
    "fuse{max-ops=3}@before:dce": "canonical[fuse{max-ops=3},dce,fuse],fusion[fuse]",
    "dce@after:fuse": "canonical[dce,fuse,dce],fusion[fuse]",
    "dce@end": "canonical[dce,fuse],fusion[fuse],dce",
}


@pytest.mark.parametrize(("insertion", "wanted"), PLACES.items())
def test_a_pass_is_inserted_at_a_stage_or_else_at_a_pass(insertion: str, wanted: str) -> None:
    stages = parse_stages("canonical[dce,fuse],fusion[fuse]", CATALOGUE)
    assert print_stages(insert(stages, parse_insertion(insertion, CATALOGUE))) == wanted


@pytest.mark.parametrize(
    ("insertion", "sentence"),
    [
        ("dce", "'dce' does not say where: PASS@before:NAME, PASS@after:NAME or PASS@end"),
        ("dce@behind:fusion", "does not say where"),
        ("dce,fuse@end", "names 2 passes; insert one at a time"),
        ("dce@after:fusoin", "unknown anchor 'fusoin'; did you mean fusion"),
    ],
)
def test_a_place_that_is_not_there_is_refused(insertion: str, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        insert(parse_stages("canonical[dce],fusion[fuse]", CATALOGUE), parse_insertion(insertion, CATALOGUE))
    assert sentence in str(error.value)


def test_passes_without_stages() -> None:
    assert parse_passes("dce, fuse{max-ops=3}", CATALOGUE) == (Dce(), Fuse(3))


PLUGIN = '''
from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar
from graphcost.pipeline import UNCHANGED, Change, Pass
from graphcost.plugin import Plugin

@dataclass(frozen=True)
class Mine(Pass):
    """A user's own."""

    name: ClassVar[str] = "mine"
    size: int = 1

    def run(self, graph, ctx) -> Change:
        return UNCHANGED

PLUGIN = Plugin(passes={"mine": lambda: Mine})
'''


def test_options_of_a_pass_from_a_plug_in_file_are_converted_too(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    (step,) = parse_passes("mine{size=3}", load_registry([tmp_path / "mine.py"]).passes)
    assert step == type(step)(size=3)  # type: ignore[call-arg]
