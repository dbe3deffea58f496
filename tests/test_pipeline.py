"""The pipeline: promises are checked, analyses fall with what they used, a failure leaves a reproducer."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from harness import make_context, registry

from graphcost.analyses import MEMORY, VALUES, WORK
from graphcost.instruments import DumpEach, PrintChanged, Timing
from graphcost.ir import Graph, InvalidIR
from graphcost.pipeline import (
    UNCHANGED,
    Analyses,
    Analysis,
    Change,
    Context,
    Instrument,
    Pass,
    PassFailed,
    Pipeline,
    Stage,
)
from graphcost.spec import parse_stages
from graphcost.text import parse_graph, print_graph

STEM = """\
graph stem(%x: f32[1,3,8,8]) {
  weight %w: f32[4,3,3,3]
  %c: f32[1,4,6,6] = onnx.Conv(%x, %w)
  %y: f32[1,4,6,6] = onnx.Relu(%c)
  return %y
}
"""

Step = Callable[[Graph, Context], Change]


def step(run: Step, called: str = "step") -> Pass:
    """A pass from a function."""

    @dataclass(frozen=True)
    class Made(Pass):
        """Made for a test."""

        name: ClassVar[str] = called

        def run(self, graph: Graph, ctx: Context) -> Change:
            return run(graph, ctx)

    return Made()


def run(*steps: Pass, paranoid: bool = True, instruments: tuple[Instrument, ...] = (), text: str = STEM) -> Graph:
    graph = parse_graph(text)
    pipeline = Pipeline((Stage("", steps),), instruments, paranoid)
    pipeline.run(graph, make_context(graph), remake=lambda: parse_graph(text))
    return graph


def mark(graph: Graph, value: int = 1) -> None:
    next(iter(graph)).set_attr("mark", value)


def marking(promise: Change) -> Step:
    def change(graph: Graph, ctx: Context) -> Change:
        mark(graph)
        return promise

    return change


def idle(graph: Graph, ctx: Context) -> Change:
    return UNCHANGED


# Promises


def test_a_pass_that_says_unchanged_and_changes_is_caught() -> None:
    with pytest.raises(PassFailed, match="pass 'liar' failed: says that it changed nothing, but made 1 changes"):
        run(step(marking(UNCHANGED), "liar"))


def test_a_pass_that_leaves_an_invalid_graph_is_caught() -> None:
    def swap(graph: Graph, ctx: Context) -> Change:
        conv, relu = graph
        graph.move_before(conv, relu)
        return Change(1)

    with pytest.raises(PassFailed, match="y: operand %c is not defined before use"):
        run(step(swap))


def test_a_false_promise_to_preserve_is_caught_when_paranoid() -> None:
    def cut(graph: Graph, ctx: Context) -> Change:
        ctx.get(WORK)
        conv, relu = graph
        relu.results[0].replace_by(conv.results[0])
        graph.remove(relu)
        return Change(1, frozenset({WORK}))

    with pytest.raises(PassFailed, match="claims to preserve work, which changed"):
        run(step(cut))
    run(step(cut), paranoid=False)


def test_a_true_promise_is_believed() -> None:
    def ask_and_mark(graph: Graph, ctx: Context) -> Change:
        for analysis in (WORK, VALUES, MEMORY):
            ctx.get(analysis)
        mark(graph)
        return Change(1, frozenset({WORK, VALUES, MEMORY}))

    run(step(ask_and_mark))


# Analyses

COUNT: Analysis[int] = Analysis("count", lambda graph, analyses: len(graph))
DOUBLE: Analysis[int] = Analysis("double", lambda graph, analyses: 2 * analyses.get(COUNT))


def test_an_analysis_is_computed_once_until_something_changes() -> None:
    asked: list[Graph] = []
    counting: Analysis[None] = Analysis("counting", lambda graph, analyses: asked.append(graph))

    def ask(graph: Graph, ctx: Context) -> Change:
        ctx.get(counting)
        return UNCHANGED

    run(step(ask), step(ask), step(marking(Change(1))), step(ask), paranoid=False)
    assert len(asked) == 2


def test_an_analysis_falls_with_what_it_used() -> None:
    analyses = Analyses(parse_graph(STEM))
    assert analyses.get(DOUBLE) == 4
    analyses.keep(frozenset({DOUBLE}))
    analyses.put(COUNT, 5)
    assert analyses.get(DOUBLE) == 10


def test_what_is_preserved_is_kept_and_a_seed_is_believed() -> None:
    analyses = Analyses(parse_graph(STEM))
    analyses.put(COUNT, 40)
    assert analyses.get(DOUBLE) == 80
    analyses.keep(frozenset({COUNT, DOUBLE}))
    assert analyses.get(DOUBLE) == 80
    assert analyses.stale() == ["count", "double"]


def test_values_are_told_without_touching_types() -> None:
    graph = parse_graph("""
graph g(%x: f32[2,3]) {
  %s: i64[2] = onnx.Shape(%x)
  %y: f32[*] = onnx.Reshape(%x, %s)
  return %y
}""")
    before, epoch = print_graph(graph), graph.epoch
    facts = make_context(graph).get(VALUES)
    assert [facts.known(value) is None for value in graph.values()] == [True, False, True]
    assert (print_graph(graph), graph.epoch) == (before, epoch)


# Failures


def test_a_failure_says_which_pass_after_which() -> None:
    def fail(graph: Graph, ctx: Context) -> Change:
        raise ValueError("no idea")

    with pytest.raises(PassFailed) as failure:
        run(step(marking(Change(1)), "first"), step(fail, "second"))
    assert str(failure.value) == "pass 'second' failed (after first): no idea"
    assert isinstance(failure.value.__cause__, ValueError)


def test_a_reproducer_is_the_graph_just_before_the_failing_pass() -> None:
    def fail(graph: Graph, ctx: Context) -> Change:
        mark(graph, 2)
        raise ValueError

    with pytest.raises(PassFailed, match="ValueError") as failure:
        run(step(marking(Change(1)), "first"), step(fail, "second"))
    run_line, target_line, *rest = failure.value.reproducer.splitlines()
    assert run_line == "; run: second"
    assert target_line == "; target: - onnx as-exported inference"
    assert "mark=1" in rest[2]
    assert print_graph(parse_graph(failure.value.reproducer)) == STEM.replace("(%x, %w)", "(%x, %w) mark=1")


def test_a_reproducer_reproduces() -> None:
    class Broken(Pass):
        """Removes what is read."""

        name: ClassVar[str] = "broken"

        def run(self, graph: Graph, ctx: Context) -> Change:
            graph.remove(next(node for node in graph if node.op == "onnx.Conv"))
            return Change(1)

    with pytest.raises(PassFailed) as first:
        run(step(marking(Change(1))), Broken())
    again = parse_graph(first.value.reproducer)
    stages = parse_stages(first.value.reproducer.splitlines()[0].removeprefix("; run: "), {"broken": lambda: Broken})
    with pytest.raises(PassFailed) as second:
        Pipeline(stages).run(again, make_context(again), remake=lambda: parse_graph(first.value.reproducer))
    assert second.value.reproducer == first.value.reproducer
    assert "%c cannot be removed: y still reads it" in str(second.value)


def test_without_a_way_back_the_reproducer_is_the_graph_as_it_was_left() -> None:
    def fail(graph: Graph, ctx: Context) -> Change:
        mark(graph)
        raise InvalidIR("half done")

    graph = parse_graph(STEM)
    with pytest.raises(PassFailed, match="half done") as failure:
        Pipeline((Stage("", (step(fail),)),)).run(graph, make_context(graph))
    assert "mark=1" in failure.value.reproducer


def test_a_run_without_failure_never_makes_the_graph_again() -> None:
    graph = parse_graph(STEM)

    def remake() -> Graph:
        raise AssertionError("not needed")

    Pipeline((Stage("", (step(marking(Change(1))),)),)).run(graph, make_context(graph), remake)


# Instruments


def test_instruments_nest_like_a_stack() -> None:
    told: list[str] = []

    class Teller(Instrument):
        def __init__(self, name: str) -> None:
            self.name = name

        def before(self, step: Pass, graph: Graph) -> None:
            told.append(f"{self.name} before {step.name}")

        def after(self, step: Pass, graph: Graph, change: Change) -> None:
            told.append(f"{self.name} after {step.name}: {change.count}")

    run(step(marking(Change(3)), "a"), instruments=(Teller("outer"), Teller("inner"), Instrument()))
    assert told == ["outer before a", "inner before a", "inner after a: 3", "outer after a: 3"]


def test_timing_lists_every_pass_in_order() -> None:
    timing = Timing()
    run(step(idle, "a"), step(idle, "b"), instruments=(timing,))
    assert [name for name, _ in timing.seconds] == ["a", "b"]
    assert all(seconds > 0 for _, seconds in timing.seconds)
    assert [line.split()[-1] for line in timing.lines()] == ["a", "b", "total"]


def test_each_pass_leaves_a_numbered_file_that_parses(tmp_path: Path) -> None:
    folder = tmp_path / "dumps"
    run(step(idle, "a"), step(marking(Change(1)), "b"), instruments=(DumpEach(folder, "- onnx as-exported inference"),))
    assert sorted(path.name for path in folder.iterdir()) == ["001-a.gcir", "002-b.gcir"]
    assert print_graph(parse_graph((folder / "001-a.gcir").read_text())) == STEM


def test_only_passes_that_changed_something_are_printed() -> None:
    stream = io.StringIO()
    run(step(idle, "idle"), step(marking(Change(1)), "busy"), instruments=(PrintChanged(stream),))
    assert "idle" not in stream.getvalue()
    assert stream.getvalue().startswith("; ---- after busy: 1 changes\ngraph stem")


# The real thing


def test_a_stage_is_a_place_for_passes() -> None:
    stages = parse_stages("canonical[fold-shapes,dce],tail[dce]", registry().passes)
    assert [(stage.name, [p.name for p in stage.passes]) for stage in stages] == [
        ("canonical", ["fold-shapes", "dce"]),
        ("tail", ["dce"]),
    ]
    assert [p.name for p in Pipeline(stages).passes] == ["fold-shapes", "dce", "dce"]
