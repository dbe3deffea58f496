"""Bodies: what an engine does for control flow, and how operands enter a body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from graphcost.ir import Graph, Node
from graphcost.types import Type

from .facts import Facts


class Runner(Protocol):
    """What control flow needs of the engine."""

    facts: Facts

    def run(self, graph: Graph) -> None: ...


Control: TypeAlias = Callable[[Runner, Node], Sequence[Type]]


def enter(runner: Runner, node: Node, body: Graph) -> None:
    """Give the inputs of a body the types and the data of the operands that they stand for."""
    for entry, slot in zip(body.inputs, body.binds):
        operand = None if slot is None else node.operand(slot)
        if operand is not None:
            entry.type = operand.type
            runner.facts.learn(entry, runner.facts.known(operand))
