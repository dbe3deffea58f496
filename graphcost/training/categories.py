"""Storages of the joint graph by what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from graphcost.ir import Graph, Node, Value
from graphcost.kernels import phase_of
from graphcost.memory import Storage, Storages

_STATISTICS = frozenset({("onnx.BatchNormalization", 3), ("onnx.BatchNormalization", 4)})


class Category(Enum):
    """What a piece of memory holds in a training step."""

    PARAMETER = "parameters"
    BUFFER = "buffers"
    OPTIMIZER = "optimizer state"
    GRADIENT = "gradients"
    INPUT = "inputs"
    SAVED = "saved activations"
    WORKSPACE = "workspace"
    TEMPORARY = "temporaries"


STATIC = (Category.PARAMETER, Category.BUFFER, Category.OPTIMIZER)
"""What is there all the time."""


def categories(graph: Graph, plan: Storages) -> dict[Storage, Category]:
    """The category of every storage. Saved are those that the forward part makes and the backward part reads."""
    step = next((node for node in graph if node.op.startswith("optim.")), None)
    gradients, states = _slots(step)
    made, read = _forward_results(plan.nodes), _backward_operands(plan.nodes)
    found: dict[Storage, Category] = {}
    for piece in plan.pieces:
        if piece.kind == "weight":
            found[piece] = _weight(piece, states)
        elif not gradients.isdisjoint(piece.values):
            found[piece] = Category.GRADIENT
        elif any(value in graph.inputs for value in piece.values):
            found[piece] = Category.INPUT
        elif not made.isdisjoint(piece.values) and not read.isdisjoint(piece.values):
            found[piece] = Category.SAVED
        else:
            found[piece] = Category.WORKSPACE if piece.name.endswith(WORKSPACE) else Category.TEMPORARY
    return found


WORKSPACE = ".workspace"
"""With this a result is named that only one kernel uses for itself."""


def sizes(pieces: Iterable[Storage], category: Mapping[Storage, Category]) -> dict[Category, int]:
    """Bytes by category."""
    total = dict.fromkeys(Category, 0)
    for piece in pieces:
        total[category[piece]] += piece.size_bytes
    return total


def _slots(step: Node | None) -> tuple[set[Value], set[Value]]:
    """The gradients and the states that the optimizer's step reads, behind the parameters."""
    count = step.attrs.get("parameters", 0) if step is not None else 0
    if step is None or not isinstance(count, int):
        return set(), set()
    operands = [value for value in step.operands if value is not None]
    return set(operands[count : 2 * count]), set(operands[2 * count :])


def _weight(piece: Storage, states: set[Value]) -> Category:
    if not states.isdisjoint(piece.values):
        return Category.OPTIMIZER
    uses = [use for value in piece.values for use in value.uses]
    if all((use.node.op, use.slot) in _STATISTICS for use in uses):
        return Category.BUFFER
    return Category.PARAMETER


def _forward_results(nodes: Iterable[Node]) -> set[Value]:
    return {result for node in nodes if phase_of(node) == "forward" for result in node.results}


def _backward_operands(nodes: Iterable[Node]) -> set[Value]:
    return {value for node in nodes if phase_of(node) == "backward" for value in node.inputs}
