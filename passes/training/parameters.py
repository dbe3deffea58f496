"""Which weights a training step learns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import islice

from graphcost.errors import UsageError
from graphcost.ir import Graph, Node, Value
from graphcost.types import FLOATS, TensorType

_STATISTICS = frozenset({("onnx.BatchNormalization", 3), ("onnx.BatchNormalization", 4)})
"""Operands that are carried along but not learnt: running mean and variance."""

_LEARNING = frozenset({
    *((name, True) for name in ("Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "LayerNormalization",
                                "InstanceNormalization", "GroupNormalization", "RMSNormalization", "PRelu")),
    ("Gather", False),
})  # fmt: skip
"""Operators whose weights are parameters whatever they are called: behind operand 0; a Gather's table is operand 0."""

_CONSTANT = re.compile(
    r"(^|/)Constant(_\d+)?(_output_\d+)?$|^/.*_output_\d+$|^val_\d+$|^onnx::(?!MatMul|Conv|Gemm)\w+_\d+$"
)
"""Names that exporters give to literals in the code of a network and to its results, which were folded."""


def parameters_of(graph: Graph, frozen: Sequence[str] = ()) -> list[Value]:
    """Weights that get a gradient: floating point, neither statistics, literals nor frozen by name; in the order in
    which the network first reads them. UsageError for a pattern of frozen names that no weight has."""
    order = {weight: None for node in graph for weight in node.inputs if weight.is_weight}
    held = {pattern: {w for w in order if fnmatchcase(w.name, pattern)} for pattern in frozen}
    for pattern, weights in held.items():
        if not weights:
            raise UsageError(f"--freeze '{pattern}' is the name of no parameter, as {_some(order)} are")
    kept = set[Value]().union(*held.values())
    return [weight for weight in order if is_learnt(weight) and weight not in kept]


def _some(weights: Iterable[Value]) -> str:
    """Two names, to show what they look like."""
    return " and ".join(repr(weight.name) for weight in islice(filter(is_learnt, weights), 2)) or "those of others"


def is_learnt(weight: Value) -> bool:
    """Whether a weight is a parameter, by its type, its name and its readers."""
    kind = weight.type
    if not isinstance(kind, TensorType) or kind.dtype not in FLOATS or not kind.dims:
        return False
    if any((use.node.op.rpartition(".")[2], use.slot > 0) in _LEARNING for use in weight.uses):
        return any((use.node.op, use.slot) not in _STATISTICS for use in weight.uses)
    return not _CONSTANT.search(weight.name)


def following(graph: Graph) -> set[Node]:
    """Nodes that give floating-point results of parameters, whatever else they read."""
    from .rules import CONSTANT  # all gradients, which an inference has no use for

    learnt, found = {weight for weight in graph.weights if is_learnt(weight)}, set[Node]()
    for node in graph:
        results = [value for value in node.results if _is_float(value)]
        if results and node.op not in CONSTANT and not learnt.isdisjoint(node.inputs):
            found.add(node)
            learnt.update(results)
    return found


def _is_float(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.dtype in FLOATS
