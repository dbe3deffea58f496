"""Other widths of a network: the output channels of its contractions scaled, and everything behind them in step.

A weight is only a type, so that a narrower network needs no new file. The copy is inferred node by node, as for other
input sizes (`resize`); before a node is typed its weights are given the channels that its operand has by now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from math import prod

from graphcost.errors import ResizeError
from graphcost.ir import Graph, Node, Value
from graphcost.operators import Operators
from graphcost.types import INTEGERS, Constant, TensorType

from .changes import dims_of
from .engine import copy_with_inputs
from .errors import ShapeMismatch
from .facts import Facts
from .resize import Resizer

_NORMS = frozenset({"onnx.BatchNormalization", "onnx.InstanceNormalization"})
_CONTRACTIONS = frozenset({"onnx.Conv", "onnx.ConvTranspose", "onnx.Gemm", "onnx.MatMul"})

Scale = Callable[[int], int]
"""From the output channels of a contraction to those that it is to have."""


def widen(
    graph: Graph,
    inputs: Mapping[str, Sequence[int]],
    operators: Operators,
    scale: Scale,
    dims: Mapping[str, int],
    known: Facts,
) -> tuple[Graph, Facts]:
    """A copy of a graph at other input sizes and other widths, and what is known about it.

    What the network gives keeps its channels: a contraction behind which no other comes is not scaled. `known` is what
    `infer` found out about the graph. Raises ResizeError, which names the node, where the graph cannot follow: channels
    that a constant holds, groups that do not divide them, weights that are computed (quantised ones).
    """
    made = copy_with_inputs(graph, inputs)
    widener = _Widener(operators, dims, graph, made, known, scale)
    try:
        widener.start(made)
    except ShapeMismatch as error:
        raise ResizeError(error.node.name, f"({error.node.op}): {error.sentence}") from error
    return made, widener.facts


class _Widener(Resizer):
    """Gives weights their channels on the way."""

    def __init__(
        self,
        operators: Operators,
        dims: Mapping[str, int],
        original: Graph,
        copy: Graph,
        old_facts: Facts,
        scale: Scale,
    ) -> None:
        super().__init__(operators, dims, original, copy, old_facts)
        self.scale = scale
        self.given: dict[Value, tuple[int, ...]] = {}
        self.heads = _heads(copy)

    def visit(self, node: Node) -> None:
        data = node.operand(0)
        sizes = self.changes.of(data) if data is not None else None
        if sizes is not None:
            self._fit(node, [size.old for size in sizes], [size.new for size in sizes])
        super().visit(node)

    def _fit(self, node: Node, old: Sequence[int], new: Sequence[int]) -> None:
        if node.op in ("onnx.Conv", "onnx.ConvTranspose") and len(old) > 2:
            self._convolution(node, old[1], new[1])
        elif node.op in ("onnx.Gemm", "onnx.MatMul"):
            self._product(node, new[-1])
        elif node.op in _NORMS and len(old) > 1:
            for slot in range(1, len(node.operands)):
                self._give(node, slot, [new[1]])
        elif not node.bodies and old != new:
            self._follow(node, old, new)

    def _convolution(self, node: Node, old: int, new: int) -> None:
        """Conv: [out, in / group, window]; ConvTranspose: [in, out / group, window]. A depthwise one follows."""
        weight, group = self._shape(node, 1), node.attrs.get("group", 1)
        if weight is None or not isinstance(group, int):
            return
        if group == old and group > 1:
            group = new
            node.set_attr("group", new)
        if new % group:
            raise ShapeMismatch(node, f"{new} channels do not divide into its {group} groups")
        if node.op == "onnx.Conv":
            made = weight[0] // old * new if node.attrs.get("group", 1) == new != 1 else self._scaled(node, weight[0])
            self._give(node, 1, [made, new // group, *weight[2:]])
        else:
            made = self._scaled(node, weight[1] * group)
            self._give(node, 1, [new, made // group, *weight[2:]])
        self._give(node, 2, [made])

    def _product(self, node: Node, rows: int) -> None:
        shape = self._shape(node, 1)
        if shape is None or len(shape) != 2:
            return
        turned = bool(node.attrs.get("transB", 0))
        old = shape[0] if turned else shape[1]
        columns = self._scaled(node, old)
        self._give(node, 1, [columns, rows] if turned else [rows, columns])
        if self._shape(node, 2) == (old,):
            self._give(node, 2, [columns])

    def _scaled(self, node: Node, channels: int) -> int:
        return channels if node in self.heads else self.scale(channels)

    def _follow(self, node: Node, old: Sequence[int], new: Sequence[int]) -> None:
        """Weights beside a tensor that broadcast along it: their dimensions that were its own stay its own."""
        for slot in range(1, len(node.operands)):
            shape, weight = self._shape(node, slot), node.operand(slot)
            if shape is None or len(shape) > len(old) or weight is None or _counts(weight):
                continue
            behind = list(zip(old, new))[len(old) - len(shape) :]
            self._give(node, slot, [n if size == o else size for size, (o, n) in zip(shape, behind)])

    def _shape(self, node: Node, slot: int) -> tuple[int, ...] | None:
        """The dimensions that a weight had in the original; None for what is no weight."""
        weight = _weight_of(node.operand(slot))
        return None if weight is None else dims_of(self.changes.old_type(weight))

    def _give(self, node: Node, slot: int, dims: Sequence[int]) -> None:
        """Other dimensions for a weight. One that the exporter merged with others through Identity is read directly."""
        weight, wanted = _weight_of(node.operand(slot)), tuple(dims)
        if weight is None or not isinstance(weight.type, TensorType):
            return
        if self.given.setdefault(weight, wanted) != wanted:
            raise ShapeMismatch(node, f"%{weight.name} would need the dimensions of another node that shares it")
        if weight.type.dims != wanted:
            weight.type = weight.type.with_dims(wanted)
            weight.constant = None if weight.constant is None else refilled(weight.constant, wanted)
        node.set_operand(slot, weight)


def _heads(graph: Graph) -> frozenset[Node]:
    """The contractions behind which no other comes: they make what the network gives."""
    seen: set[Node] = set()
    heads: set[Node] = set()
    pending = [value.producer for value in graph.outputs if value.producer is not None]
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op in _CONTRACTIONS:
            heads.add(node)
        else:
            pending += [v.producer for v in node.inputs if v.producer is not None]
    return frozenset(heads)


def refilled(constant: Constant, dims: tuple[int, ...]) -> Constant:
    """The numbers of a constant again and again, for other dimensions: those of a network that nobody has trained."""
    values = tuple(islice(cycle(constant.values), prod(dims))) if constant.values else ()
    return replace(constant, dims=dims, values=values)


def _counts(weight: Value) -> bool:
    """Whether a weight holds sizes or positions: those are derived again by the rules of their operators."""
    return weight.constant is not None and weight.constant.dtype in INTEGERS


def _weight_of(value: Value | None) -> Value | None:
    while value is not None and value.producer is not None and value.producer.op == "onnx.Identity":
        value = value.producer.operand(0)
    return value if value is not None and value.is_weight else None
