"""Passes, the pipeline that runs them, and the analyses that they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar, cast

from .errors import UserError
from .ir import Graph, InvalidIR
from .journal import Journal
from .operators import Operators

if TYPE_CHECKING:
    from .cost import Cost, KernelQuery, Tactic
    from .target import Target

T = TypeVar("T")

Estimate: TypeAlias = "Callable[[Sequence[KernelQuery]], Sequence[Cost]]"
Tactics: TypeAlias = "Callable[[Sequence[KernelQuery]], Sequence[Sequence[Tactic]]]"


@dataclass(frozen=True, eq=False)
class Analysis(Generic[T]):
    """A named pure function of a graph, computed on demand and kept until a pass breaks it.

    `agrees` says of two results, of which the first was kept, whether they say the same of the graph.
    """

    name: str
    compute: Callable[[Graph, Analyses], T]
    agrees: Callable[[Graph, T, T], bool] = lambda graph, kept, fresh: kept == fresh


@dataclass
class Analyses:
    """What is known about one graph. An analysis that asked for another falls together with it."""

    graph: Graph
    operators: Operators = field(default_factory=Operators)
    _results: dict[Analysis[Any], Any] = field(default_factory=dict)
    _users: dict[Analysis[Any], set[Analysis[Any]]] = field(default_factory=dict)
    _asking: list[Analysis[Any]] = field(default_factory=list)

    def get(self, analysis: Analysis[T]) -> T:
        if self._asking:
            self._users.setdefault(analysis, set()).add(self._asking[-1])
        if analysis not in self._results:
            self._asking.append(analysis)
            try:
                self._results[analysis] = analysis.compute(self.graph, self)
            finally:
                self._asking.pop()
        return cast(T, self._results[analysis])

    def put(self, analysis: Analysis[T], result: T) -> None:
        """Seed a result that somebody has at hand already."""
        self._results[analysis] = result

    def keep(self, kept: frozenset[Analysis[Any]]) -> None:
        """Forget everything but `kept`, and of those what used something forgotten."""
        for analysis in [a for a in self._results if a not in kept]:
            self._forget(analysis)

    def _forget(self, analysis: Analysis[Any]) -> None:
        self._results.pop(analysis, None)
        for user in self._users.pop(analysis, ()):
            self._forget(user)

    def stale(self) -> list[str]:
        """Names of kept results that a fresh computation contradicts."""
        fresh = Analyses(self.graph, self.operators)
        return [a.name for a, kept in self._results.items() if not a.agrees(self.graph, kept, fresh.get(a))]


@dataclass(frozen=True)
class Change:
    """What a pass did: how many places it changed, and which analyses still hold. By default none does."""

    count: int
    preserves: frozenset[Analysis[Any]] = frozenset()


UNCHANGED = Change(0)


@dataclass(frozen=True)
class Context:
    """All that a pass may know and use beside the graph."""

    target: Target
    analyses: Analyses
    journal: Journal
    estimate: Estimate
    tactics: Tactics | None = None
    """The kernels that could run each query; None where no cost model knows of any."""

    def get(self, analysis: Analysis[T]) -> T:
        return self.analyses.get(analysis)


@dataclass(frozen=True)
class Pass(ABC):
    """One step over the graph. The graph is valid before and after it, not necessarily between.

    A subclass is a frozen dataclass: `name` in kebab-case, its fields are its options, its docstring is its
    documentation. It keeps no state from one run to the next.
    """

    name: ClassVar[str]

    @abstractmethod
    def run(self, graph: Graph, ctx: Context) -> Change: ...


@dataclass(frozen=True)
class Stage:
    """A named part of a pipeline. `--insert p@after:fusion` means: behind the last pass of stage `fusion`."""

    name: str
    passes: tuple[Pass, ...] = ()


class Instrument:
    """Watches a pipeline. Every hook does nothing until overridden; several nest like a stack."""

    def before(self, step: Pass, graph: Graph) -> None: ...
    def after(self, step: Pass, graph: Graph, change: Change) -> None: ...


class PassFailed(Exception):
    """A pass raised, left the graph invalid, or said something untrue about what it did: a bug in that pass.

    `reproducer` is a golden-test file that shows it: the pass to run and the graph just before it, or the graph as
    the pass left it where the pipeline could not be run again.
    """

    def __init__(self, step: Pass, done: Sequence[Pass], reason: str, reproducer: str) -> None:
        before = f" (after {', '.join(p.name for p in done)})" if done else ""
        super().__init__(f"pass '{step.name}' failed{before}: {reason}")
        self.step = step
        self.reproducer = reproducer


@dataclass(frozen=True)
class Pipeline:
    """Stages run in order. Between passes the graph is verified and every promise is checked.

    With `paranoid`, each analysis that a pass claims to preserve is computed again and compared.
    """

    stages: tuple[Stage, ...]
    instruments: tuple[Instrument, ...] = ()
    paranoid: bool = False

    @property
    def passes(self) -> tuple[Pass, ...]:
        return tuple(step for stage in self.stages for step in stage.passes)

    def run(self, graph: Graph, ctx: Context, remake: Callable[[], Graph] | None = None) -> None:
        """Run every pass. `remake` gives the same graph as it was at the start: it is called only after a failure, to
        come to the state just before the failing pass, so that a run without failure pays nothing for it."""
        done: list[Pass] = []
        for step in self.passes:
            try:
                self._run_step(step, graph, ctx)
            except UserError:
                raise  # an option of the pass that does not fit the model
            except Exception as error:
                reproducer = self._reproduce(step, done, graph, ctx, remake)
                raise PassFailed(step, done, _sentence(error), reproducer) from error
            done.append(step)

    def _run_step(self, step: Pass, graph: Graph, ctx: Context) -> None:
        for instrument in self.instruments:
            instrument.before(step, graph)
        epoch = graph.epoch
        change = step.run(graph, ctx)
        if graph.epoch != epoch:
            graph.verify()
            ctx.analyses.keep(change.preserves)
        _hold_to_its_word(change, graph.epoch - epoch)
        if self.paranoid and (lies := ctx.analyses.stale()):
            raise InvalidIR(f"claims to preserve {', '.join(lies)}, which changed")
        for instrument in reversed(self.instruments):
            instrument.after(step, graph, change)

    def _reproduce(
        self, step: Pass, done: Sequence[Pass], graph: Graph, ctx: Context, remake: Callable[[], Graph] | None
    ) -> str:
        from .spec import print_pass
        from .text import print_graph

        if remake is not None:
            graph = remake()
            fresh = Context(ctx.target, Analyses(graph, ctx.analyses.operators), Journal(), ctx.estimate, ctx.tactics)
            for earlier in done:
                earlier.run(graph, fresh)
        return f"; run: {print_pass(step)}\n{print_graph(graph, target=ctx.target.header())}"


def _hold_to_its_word(change: Change, mutations: int) -> None:
    if change.count == 0 and mutations:
        raise InvalidIR(f"says that it changed nothing, but made {mutations} changes")


def _sentence(error: Exception) -> str:
    return str(error) or type(error).__name__
