"""The exact totals of a model at any sizes: typed anew, through the same passes, work formulas and liveness as one
analysis of its own; the file is read once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from graphcost.analyses import MEMORY, WORK
from graphcost.api import Setup, collector_paused
from graphcost.cost import Cost
from graphcost.errors import UnknownName, UsageError, UserError
from graphcost.importer import Sizes, Template
from graphcost.ir import Graph, Node
from graphcost.memory import MemoryProfile
from graphcost.pipeline import Context, Instrument, Pipeline
from graphcost.shapes import Facts
from graphcost.support import sentences, unsupported_nodes
from graphcost.work.node import NodeWork

from .stages import divided

BATCH = "batch"
"""The name of the batch, in files that give it another name or a number too."""


class CellError(UserError):
    """The model does not work at these sizes; the exit code is that of an analysis at them."""

    def __init__(self, sizes: Mapping[str, int], error: UserError) -> None:
        spelled = ", ".join(f"{name}={size}" for name, size in sizes.items())
        super().__init__(f"at {spelled}: {error}" if spelled else str(error))
        self.exit_code = error.exit_code


@dataclass(frozen=True)
class Cell:
    """What a model costs at some sizes; as in the totals of a report, None is unknown."""

    sizes: Mapping[str, int]
    macs: int
    elementwise_ops: int
    bytes_read: int
    bytes_written: int
    peak_activation_bytes: int | None
    weight_bytes: int
    latency_ms: float | None
    timeline: tuple[int, ...]
    """Bytes of activations while each kernel runs."""
    warnings: tuple[str, ...]

    @property
    def flops(self) -> int:
        return 2 * self.macs + self.elementwise_ops

    @property
    def bytes(self) -> int:
        return self.bytes_read + self.bytes_written


@dataclass(frozen=True)
class Kernels:
    """A model at some sizes, after all passes or after the first of them."""

    graph: Graph
    ctx: Context
    warnings: tuple[str, ...]


class Sampler:
    """Gives the cell for any sizes of a model, whose other sizes are fixed. What it has given once it keeps."""

    def __init__(self, template: Template, setup: Setup, fixed: Sizes, instruments: Sequence[Instrument] = ()) -> None:
        self.template = template
        self.setup = setup
        self.fixed = fixed
        self.instruments = tuple(instruments)
        self._early, self._late = (setup.stages, ()) if setup.tactics is None else divided(setup.stages)
        self._cells: dict[tuple[tuple[str, int], ...], Cell | CellError] = {}

    @property
    def count(self) -> int:
        """How many cells it has worked out."""
        return sum(isinstance(cell, Cell) for cell in self._cells.values())

    def refuse_unknown(self, names: Iterable[str]) -> None:
        """Raise UnknownName for a dimension that the model does not have, UsageError for one that is fixed already."""
        for name in names:
            if name in self.fixed.dims or (name == BATCH and self.fixed.batch is not None):
                raise UsageError(f"'{name}' is fixed and swept at once: leave one of them out")
            accepted = dict.fromkeys((*self.template.symbols, BATCH))
            if name not in accepted and not any(map(self.template.has_node, (name, name.rpartition(".")[0]))):
                raise UnknownName("dimension to sweep", name, accepted)

    def at(self, sizes: Mapping[str, int]) -> Cell:
        """The cell at these sizes. CellError where an analysis at these sizes raises a UserError."""
        key = tuple(sizes.items())
        if key not in self._cells:
            self._cells[key] = self._worked_out(sizes)
        found = self._cells[key]
        if isinstance(found, CellError):
            raise found
        return found

    def _worked_out(self, sizes: Mapping[str, int]) -> Cell | CellError:
        try:
            return self.totals(sizes, self.kernels(sizes))
        except CellError as error:
            return error

    @collector_paused()
    def early(self, sizes: Mapping[str, int]) -> Kernels:
        """The graph at these sizes before the first stage that looks at sizes; after all of them where no kernels are
        chosen by their time. Raises as `at` does."""
        wanted = self._wanted(sizes)
        try:
            graph, facts, assumed = self.template.typed(wanted)
        except UserError as error:
            raise CellError(sizes, error) from error
        ctx = self.setup.context(graph, facts)
        target = self.setup.target
        refused = sentences(unsupported_nodes(graph, facts, target.runtime))
        pipeline = Pipeline(self._early, self.instruments)
        pipeline.run(graph, ctx, remake=lambda: self.template.typed(wanted)[0])
        return Kernels(graph, ctx, (*assumed, *target.warnings, *refused, *ctx.journal.warnings))

    @collector_paused()
    def finished(self, early: Kernels) -> Kernels:
        """The graph of kernels: what looks at sizes is run over a copy; where nothing does, it is the graph itself."""
        graph = early.graph.clone() if any(stage.passes for stage in self._late) else early.graph
        ctx = self.setup.context(graph, Facts())
        Pipeline(self._late, self.instruments).run(graph, ctx, remake=early.graph.clone)
        return Kernels(graph, ctx, (*early.warnings, *ctx.journal.warnings))

    def kernels(self, sizes: Mapping[str, int]) -> Kernels:
        """The graph of kernels at these sizes. Raises as `at` does."""
        return self.finished(self.early(sizes))

    @collector_paused()
    def totals(self, sizes: Mapping[str, int], kernels: Kernels) -> Cell:
        """The sums over the kernels."""
        work, memory = kernels.ctx.get(WORK), kernels.ctx.get(MEMORY)
        costs = self.setup.costs(kernels.graph, kernels.ctx) if self.setup.target.device else None
        latency_ms = None if costs is None else _latency_ms(costs)
        return _totals(sizes, work, memory, latency_ms, (*kernels.warnings, *_unknown(work)))

    def _wanted(self, sizes: Mapping[str, int]) -> Sizes:
        symbols = self.template.symbols
        dims = {name: size for name, size in sizes.items() if name != BATCH or name in symbols}
        batch = sizes.get(BATCH) if BATCH not in symbols else None
        return replace(self.fixed, dims={**self.fixed.dims, **dims}, batch=batch or self.fixed.batch)


def _totals(
    sizes: Mapping[str, int],
    work: Mapping[Node, NodeWork],
    memory: MemoryProfile,
    latency_ms: float | None,
    warnings: tuple[str, ...],
) -> Cell:
    computed = [part.work for part in work.values() if part.ops_known]
    moved = [part.work for part in work.values() if part.bytes_known]
    return Cell(
        sizes=dict(sizes),
        macs=sum(part.macs for part in computed),
        elementwise_ops=sum(part.elementwise_ops for part in computed),
        bytes_read=sum(part.bytes_read for part in moved),
        bytes_written=sum(part.bytes_written for part in moved),
        peak_activation_bytes=None if memory.unknown else memory.peak_activation_bytes,
        weight_bytes=memory.weight_bytes,
        latency_ms=latency_ms,
        timeline=tuple(memory.timeline),
        warnings=warnings,
    )


def _latency_ms(costs: Mapping[Node, Cost]) -> float | None:
    """None as soon as the time of one kernel is unknown."""
    parts = [cost.latency_ms for cost in costs.values()]
    return None if any(part is None for part in parts) else sum(part for part in parts if part is not None)


def _unknown(work: Mapping[Node, NodeWork]) -> Iterable[str]:
    for node, part in work.items():
        yield from (f"{node.name}: {note}" for note in part.notes)
        if part.unknown:
            yield f"{node.name}: {part.unknown}, so the figures are the least that they can be"
