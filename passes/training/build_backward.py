"""The pass that builds the backward graph: forward, loss, backward, optimizer in the order of execution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.kernels import phase_of
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.types import FLOATS, Attr, TensorType

from .checkpoint import Segment, recompute, segments_of
from .extra_results import give_extra_results
from .loss import append_losses
from .optimizer import append_step
from .parameters import parameters_of
from .rules import CONSTANT, RULES
from .saved import SAVED, saved_of
from .tape import Step, Tape


@dataclass(frozen=True)
class BuildBackward(Pass):
    """Append the loss, the gradient of every parameter and the optimizer's step to a forward graph.

    Nodes run in PyTorch's eager order: autograd takes the ready node that was made last, so the backward part is the
    forward part reversed (torch/csrc/autograd/engine.cpp). What an operator kept is an operand of its `grad.*` nodes
    and lives until they have run. Gradients, the prediction, the loss and the inputs stay to the end of the step.
    `freeze` are patterns of names of parameters that are not learnt; with `accumulate` above 1 gradients of earlier
    passes are there already when the step begins. Segments between `checkpoint`s are run again before their gradients.
    """

    name: ClassVar[str] = "build-backward"
    optimizer: str = "sgd-momentum"
    loss: str = "cross-entropy"
    freeze: tuple[str, ...] = ()
    accumulate: int = 1
    checkpoint: tuple[str, ...] = ()

    def run(self, graph: Graph, ctx: Context) -> Change:
        if any(phase_of(node) != "forward" for node in graph):
            return UNCHANGED
        inputs, outputs = graph.inputs, graph.outputs
        parameters = parameters_of(graph, self.freeze)
        body = [give_extra_results(graph, node) for node in list(graph)]
        segments = segments_of(body, self.checkpoint)
        losses = append_losses(graph, self.loss)
        if not losses:
            ctx.journal.warn("no output is of floating point: there is nothing to learn from")
            return UNCHANGED
        backward = _Backward(graph, list(graph), parameters, segments, _runtime(ctx), self.accumulate > 1, ctx)
        gradients = backward.build(losses)
        append_step(graph, self.optimizer, gradients)
        targets = [value for value in graph.inputs if value not in inputs]
        graph.outputs = list(dict.fromkeys((*outputs, *losses, *gradients.values(), *inputs, *targets)))
        return Change(len(backward.forward))


def _runtime(ctx: Context) -> str:
    """The table of saved tensors that holds for the target's runtime."""
    runtime = ctx.target.runtime
    major = f"{runtime.family}-{runtime.version[0]}" if runtime.version else runtime.family
    return next((name for name in (major, runtime.family) if name in SAVED), "pytorch")


@dataclass
class _Backward:
    """The backward part while it is built."""

    graph: Graph
    forward: list[Node]
    parameters: list[Value]
    segments: Mapping[Node, Segment]
    runtime: str
    accumulates: bool
    ctx: Context
    again: dict[Segment, dict[Value, Value]] = field(default_factory=dict)

    def build(self, losses: Sequence[Value]) -> dict[Value, Value]:
        """Append it; the gradient of each parameter that has one."""
        needing = _needing(self.forward, self.parameters)
        saved = {node: saved_of(node, _needs(node, needing), self.runtime) for node in self.forward}
        tape, firsts = Tape(self.graph), self._first_readers()
        gradients: dict[Value, Value] = {}
        _seed(tape, losses)
        for node in reversed(self.forward):
            if needing.isdisjoint(node.results):
                continue
            arrived = tuple(tape.take(result) for result in node.results)
            if any(gradient is not None for gradient in arrived):
                kept = self._kept(node, saved)
                _step_back(Step(tape, node, arrived, kept, _needs(node, needing)), self.ctx)
            for parameter in firsts.get(node, ()):
                if (gradient := tape.take(parameter)) is not None:
                    gradients[parameter] = self._into_grad(tape, parameter, gradient)
        return {parameter: gradients[parameter] for parameter in self.parameters if parameter in gradients}

    def _first_readers(self) -> dict[Node, list[Value]]:
        """By node the parameters of which it is the first reader: after its step back their gradients are complete."""
        learnt, found = set(self.parameters), dict[Node, list[Value]]()
        for node in self.forward:
            for value in node.inputs:
                if value in learnt:
                    learnt.discard(value)
                    found.setdefault(node, []).append(value)
        return found

    def _into_grad(self, tape: Tape, parameter: Value, gradient: Value) -> Value:
        """The first backward pass hands the gradient over; a later one adds it to what is there."""
        if not self.accumulates:
            return gradient
        there = self.graph.add_input(Value(f"{parameter.name}.accumulated", parameter.type))
        attrs: dict[str, Attr] = {"of": parameter.name, "in_place": 1}
        results = ((f"{parameter.name}.grad.sum", parameter.type),)
        return tape.emit("grad.accumulate", f"{parameter.name}.accumulate", (there, gradient), results, attrs)[0]

    def _kept(self, node: Node, saved: Mapping[Node, tuple[Value, ...]]) -> tuple[Value, ...]:
        """What the node kept; in a segment that is run again, what the second run makes of it."""
        segment = self.segments.get(node)
        if segment is None or not saved[node]:
            return saved[node]
        if segment not in self.again:
            needed = [value for inner in segment.nodes for value in saved[inner]]
            self.again[segment] = recompute(self.graph, segment, needed)
        return tuple(self.again[segment].get(value, value) for value in saved[node])


def _seed(tape: Tape, losses: Sequence[Value]) -> None:
    """The gradient of each loss is one."""
    for loss in losses:
        name, attrs = f"{loss.name}.grad", {"of": loss.name}
        (one,) = tape.emit("grad.ones", f"{loss.name}.seed", (), ((name, loss.type),), attrs)
        tape.give(loss, one)
    tape.settle()


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
