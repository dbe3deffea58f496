"""A model that is read once and typed for any variant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from graphcost.api import Setup, collector_paused
from graphcost.errors import UsageError
from graphcost.importer import Sizes, Template
from graphcost.ir import Graph
from graphcost.pipeline import Context, Pipeline
from graphcost.shapes import Facts
from graphcost.sweep.stages import divided
from graphcost.types import TensorType

from .variant import Variant, divisible

Numbers: TypeAlias = "Mapping[str, int]"
"""What a variant comes down to: `batch`, `rows`, `columns`, and for the channels of the file (`64 channels`) those of
the variant."""


class Network:
    """The graphs of kernels of a model, by what its variants come down to."""

    def __init__(self, template: Template, setup: Setup, fixed: Sizes, divisor: int) -> None:
        self.template = template
        self.setup = setup
        self.fixed = fixed
        self.divisor = divisor
        self._early, self._late = divided(setup.stages)
        graph, _, _ = template.typed(fixed)
        self._image = next((v.name for v in graph.inputs if isinstance(v.type, TensorType) and v.type.rank == 4), None)
        first = graph.inputs[0].type if graph.inputs else None
        self._own = _own_numbers(first)
        self._channels = self._found_channels()

    def numbers(self, variant: Variant) -> dict[str, int]:
        """UsageError where a resolution is asked of a network without an image."""
        found = dict(self._own)
        if variant.resolution is not None:
            if self._image is None:
                raise UsageError("a resolution needs an input of rank 4 (batch, channels, rows, columns): none is")
            found["rows"], found["columns"] = variant.resolution
        found["batch"] = variant.batch or found.get("batch", 1)
        found.update({_key(c): divisible(c, variant.width, self.divisor) for c in self._channels})
        return found

    def early(self, numbers: Numbers) -> Graph:
        """The graph before the first stage that looks at sizes. UserError where the network cannot take the numbers."""
        graph, facts = self._typed(numbers)
        Pipeline(self._early).run(graph, self.setup.context(graph, facts))
        return graph

    def verify(self, early: Graph) -> None:
        """Run the stages that look at sizes over a copy, with every promise of their passes held against it."""
        graph = early.clone()
        Pipeline(self._late).run(graph, self.setup.context(graph, Facts()))

    @property
    def has_late_stages(self) -> bool:
        return any(stage.passes for stage in self._late)

    @collector_paused()
    def finished(self, early: Graph) -> tuple[Graph, Context]:
        """The graph of kernels; `early` itself where no stage looks at sizes, else a copy of it. Nothing is verified
        here: `verify` is for that."""
        graph = early.clone() if self.has_late_stages else early
        return graph, self.finish(graph)

    def finish(self, graph: Graph) -> Context:
        """Run the stages that look at sizes over a graph itself."""
        ctx = self.setup.context(graph, Facts())
        for step in Pipeline(self._late).passes:
            ctx.analyses.keep(step.run(graph, ctx).preserves)
        return ctx

    def _typed(self, numbers: Numbers) -> tuple[Graph, Facts]:
        sizes = self._sizes(numbers)
        if all(numbers[_key(c)] == c for c in self._channels):
            return self.template.typed(sizes)[:2]
        return self.template.widened(sizes, lambda c: numbers.get(_key(c), c))[:2]

    def _sizes(self, numbers: Numbers) -> Sizes:
        shapes = dict(self.fixed.shapes)
        if self._image is not None and (numbers["rows"], numbers["columns"]) != self._resolution:
            shapes[self._image] = (numbers["batch"], self._own["planes"], numbers["rows"], numbers["columns"])
        batch = None if numbers["batch"] == self._own.get("batch") else numbers["batch"]
        return replace(self.fixed, shapes=shapes, batch=batch)

    @property
    def _resolution(self) -> tuple[int, int]:
        return self._own["rows"], self._own["columns"]

    def _found_channels(self) -> tuple[int, ...]:
        """The channels of contractions that a width scales; none where the network cannot be scaled at all."""
        found: dict[int, None] = {}
        self.template.widened(self.fixed, _noting(found))
        return tuple(found)


def _noting(found: dict[int, None]) -> Callable[[int], int]:
    def note(channels: int) -> int:
        found[channels] = None
        return channels

    return note


def _own_numbers(first: object) -> dict[str, int]:
    """Batch and resolution of the file's own first input."""
    dims = first.dims if isinstance(first, TensorType) and first.dims is not None else ()
    names = ("batch", "planes", "rows", "columns") if len(dims) == 4 else ("batch",)
    return {name: dim for name, dim in zip(names, dims) if isinstance(dim, int)}


def _key(channels: int) -> str:
    return f"{channels} channels"
