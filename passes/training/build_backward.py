"""The pass that builds the backward graph: forward, loss, backward, optimizer in the order of execution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.kernels import phase_of
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import FLOATS, TensorType

from .extra_results import give_extra_results
from .loss import append_losses
from .optimizer import append_step
from .parameters import parameters_of
from .rules import CONSTANT, RULES
from .saved import saved_of
from .tape import Step, Tape


@dataclass(frozen=True)
class BuildBackward(Pass):
    """Append the loss, the gradient of every parameter and the optimizer's step to a forward graph.

    Nodes run in PyTorch's eager order: autograd takes the ready node that was made last, so the backward part is the
    forward part reversed (torch/csrc/autograd/engine.cpp). What an operator kept is an operand of its `grad.*` nodes
    and lives until they have run. Gradients, the prediction, the loss and the inputs stay to the end of the step.
    `freeze` are patterns of names of parameters that are not learnt; with `accumulate` above 1 gradients of earlier
    passes are there already when the step begins.
    """

    name: ClassVar[str] = "build-backward"
    optimizer: str = "sgd-momentum"
    loss: str = "cross-entropy"
    freeze: tuple[str, ...] = ()
    accumulate: int = 1

    def run(self, graph: Graph, ctx: Context) -> Change:
        if any(phase_of(node) != "forward" for node in graph):
            return UNCHANGED
        parameters = parameters_of(graph, self.freeze)
        inputs, outputs = graph.inputs, graph.outputs
        forward = [give_extra_results(graph, node) for node in list(graph)]
        losses = append_losses(graph, self.loss)
        if not losses:
            ctx.journal.warn("no output is of floating point: there is nothing to learn from")
            return UNCHANGED
        forward = list(graph)
        gradients = _backward(graph, forward, parameters, losses, ctx)
        append_step(graph, self.optimizer, gradients)
        targets = [value for value in graph.inputs if value not in inputs]
        graph.outputs = list(dict.fromkeys((*outputs, *losses, *gradients.values(), *inputs, *targets)))
        return Change(len(forward))


def _backward(
    graph: Graph, forward: list[Node], parameters: list[Value], losses: list[Value], ctx: Context
) -> dict[Value, Value]:
    """Append the backward part; the gradient of each parameter that has one."""
    needing = _needing(forward, parameters)
    saved = {node: saved_of(node, _needs(node, needing)) for node in forward}
    tape = Tape(graph)
    for loss in losses:
        (one,) = tape.emit("grad.ones", f"{loss.name}.grad", (), ((f"{loss.name}.grad", loss.type),), {"of": loss.name})
        tape.give(loss, one)
    tape.settle()
    for node in reversed(forward):
        if needing.isdisjoint(node.results):
            continue
        gradients = tuple(tape.take(result) for result in node.results)
        if any(gradient is not None for gradient in gradients):
            _step_back(Step(tape, node, gradients, saved[node], _needs(node, needing)), ctx)
    return {p: gradient for p in parameters if (gradient := tape.take(p)) is not None}


def _step_back(step: Step, ctx: Context) -> None:
    rule = RULES.get(step.node.op)
    if rule is None:
        ctx.journal.warn(f"{step.node.name}: no rule for the gradient of {step.node.op}; what lies before it gets none")
        return
    rule(step)
    step.tape.settle()


def _needing(forward: list[Node], parameters: list[Value]) -> set[Value]:
    """Values that a gradient must reach: parameters, and what is computed from them in floating point."""
    needing = set(parameters)
    for node in forward:
        if node.op not in CONSTANT and not needing.isdisjoint(node.inputs):
            needing.update(result for result in node.results if _is_float(result))
    return needing


def _needs(node: Node, needing: set[Value]) -> tuple[bool, ...]:
    return tuple(operand in needing for operand in node.operands)


def _is_float(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.dtype in FLOATS
