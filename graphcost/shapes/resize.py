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
from .factors import Factor
from .facts import Facts
from .rederive import REDERIVE
from .repeat import repeat_companions, repeat_operands
from .track import track
from .unify import refine


def resize(
    graph: Graph,
    inputs: Mapping[str, Sequence[int]],
    operators: Operators,
    dims: Mapping[str, int] | None = None,
    known: Facts | None = None,
) -> tuple[Graph, Facts]:
    """A copy of a graph for other dimensions of the named inputs, and what is known about it.

    `dims` gives numbers to dimensions that only the data decides, as for `infer`. `known` is what `infer` found out
    about the graph, where it has been asked already. Raises ResizeError, which names the
    node, when the graph holds something that fits the old sizes only: anchors of a detector, position embeddings.
    """
    old_facts = infer(graph, operators, dims) if known is None else known
    made = copy_with_inputs(graph, inputs)
    resizer = Resizer(operators, dims or {}, graph, made, old_facts)
    try:
        resizer.start(made)
    except ShapeMismatch as error:
        raise ResizeError(error.node.name, f"({error.node.op}): {error.sentence}") from error
    return made, resizer.facts


class Resizer(Engine):
    """Infers the copy in step with the original."""

    def __init__(
        self, operators: Operators, dims: Mapping[str, int], original: Graph, copy: Graph, old_facts: Facts
    ) -> None:
        super().__init__(operators, dims)
        self.changes = Changes(original, copy, old_facts, self.facts)
        self.opaque: dict[Value | None, Factor | None] = {}
        """Values of unknown type that may differ from what they were, with the change of the batch if it is that."""

    def visit(self, node: Node) -> None:
        self._rederive(node)
        try:
            super().visit(node)
        except ShapeMismatch:
            if not self._mend(node):
                raise
            super().visit(node)
        self.changes.note_stored(node)
        track(self.changes, node)
        self._note_opaque(node)

    def _rederive(self, node: Node) -> None:
        if node.op in REDERIVE:
            REDERIVE[node.op](self.changes, node)
        repeat_companions(self.changes, node, super().visit)

    def _mend(self, node: Node) -> bool:
        """Change more of a node whose operands do not fit; whether there was anything to change."""
        if repeat_operands(self.changes, node, super().visit):
            return True
        if node.op not in REDERIVE or node in self.changes.forced:
            return False
        self.changes.forced.add(node)
        self._rederive(node)
        return True

    def types(self, node: Node) -> Sequence[Type]:
        """What inference cannot tell is as it was where no operand has changed, or only the batch."""
        found, twin = super().types(node), self.changes.nodes.get(node)
        if twin is None:
            return found
        return [refine(type, self._expected(node, old.type)) for type, old in zip(found, twin.results)]

    def _expected(self, node: Node, old: Type) -> Type:
        if not any(map(self._may_differ, node.operands)):
            return old
        batch, was = self._common_batch(node), dims_of(old)
        if batch is None or not isinstance(old, TensorType) or not was or was[0] != batch.old:
            return UNKNOWN
        return old.with_dims((batch.new, *was[1:]))

    def _may_differ(self, value: Value | None) -> bool:
        return self.changes.any(value) or value in self.opaque

    def _common_batch(self, node: Node) -> Factor | None:
        """The change of the batch where nothing else changes in the operands of a node."""
        batches = {self._only_batch(value) for value in node.operands if self._may_differ(value)}
        return batches.pop() if len(batches) == 1 else None

    def _only_batch(self, value: Value | None) -> Factor | None:
        if value in self.opaque:
            return self.opaque[value]
        sizes = self.changes.of(value)
        if not sizes or sizes[0] not in self.changes.batches or any(size.changes for size in sizes[1:]):
            return None
        return sizes[0]

    def _note_opaque(self, node: Node) -> None:
        """A result of unknown type follows the batch if the operands do."""
        if any(map(self._may_differ, node.operands)):
            batch = self._common_batch(node)
            self.opaque.update((result, batch) for result in node.results if dims_of(result.type) is None)
