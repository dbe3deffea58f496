"""Other sizes for a graph whose constants hold the old ones.

An exporter that knows the sizes writes them down: `Reshape [1, -1]`, a class token for a batch of one. So the copy is
inferred node by node beside the original, which says what each dimension was: a stored size is derived again from how
the operand of its node has changed (`rederive`), and a stored tensor beside a larger batch is repeated (`repeat`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphcost.errors import ResizeError
from graphcost.ir import Graph, Node, Value
from graphcost.operators import Operators
from graphcost.types import UNKNOWN, TensorType, Type

from .changes import Changes, dims_of
from .engine import Engine, copy_with_inputs, infer
from .errors import ShapeMismatch
from .facts import Facts
from .factors import Factor
from .rederive import REDERIVE
from .repeat import repeat_companions, repeat_operands
from .track import track
from .unify import refine


def resize(
    graph: Graph, inputs: Mapping[str, Sequence[int]], operators: Operators, dims: Mapping[str, int] | None = None
) -> tuple[Graph, Facts]:
    """A copy of a graph for other dimensions of the named inputs, and what is known about it.

    `dims` gives numbers to dimensions that only the data decides, as for `infer`. Raises ResizeError, which names the
    node, when the graph holds something that fits the old sizes only: anchors of a detector, position embeddings.
    """
    old_facts = infer(graph, operators, dims)
    made = copy_with_inputs(graph, inputs)
    resizer = _Resizer(operators, dims or {}, graph, made, old_facts)
    try:
        resizer.run(made)
    except ShapeMismatch as error:
        raise ResizeError(error.node.name, f"({error.node.op}): {error.sentence}") from error
    return made, resizer.facts


class _Resizer(Engine):
    """Infers the copy in step with the original."""

    def __init__(
        self, operators: Operators, dims: Mapping[str, int], original: Graph, copy: Graph, old_facts: Facts
    ) -> None:
        super().__init__(operators, dims)
        self.changes = Changes(original, copy, old_facts, self.facts)

    def visit(self, node: Node) -> None:
        if node.op in REDERIVE:
            REDERIVE[node.op](self.changes, node)
        repeat_companions(self.changes, node, super().visit)
        try:
            super().visit(node)
        except ShapeMismatch:
            if not repeat_operands(self.changes, node, super().visit):
                raise
            super().visit(node)
        self.changes.note_stored(node)
        track(self.changes, node)

    def types(self, node: Node) -> Sequence[Type]:
        """What inference cannot tell is as it was where no operand has changed, or only the batch."""
        found, twin = super().types(node), self.changes.nodes.get(node)
        if twin is None:
            return found
        return [refine(type, self._expected(node, old.type)) for type, old in zip(found, twin.results)]

    def _expected(self, node: Node, old: Type) -> Type:
        changed = [operand for operand in node.operands if self.changes.any(operand)]
        if not changed:
            return old
        batches = {self._only_batch(operand) for operand in changed}
        batch = batches.pop() if len(batches) == 1 else None
        was = dims_of(old)
        if batch is None or not isinstance(old, TensorType) or not was or was[0] != batch.old:
            return UNKNOWN
        return old.with_dims((batch.new, *was[1:]))

    def _only_batch(self, value: Value | None) -> Factor | None:
        """The change of the leading dimension, where it is that of the batch and no other changes."""
        sizes = self.changes.of(value)
        if not sizes or sizes[0] not in self.changes.batches or any(size.changes for size in sizes[1:]):
            return None
        return sizes[0]
