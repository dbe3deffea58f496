"""Control flow: the types that leave a node follow from those that leave its bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphcost.ir import Graph, Node, Value
from graphcost.types import TensorType, Type

from .attention import flex_attention
from .bodies import Control, Runner, enter
from .errors import ShapeMismatch
from .loops import loop, scan, sequence_map
from .reading import dims, element_type, tensor
from .unify import unify


def branch(runner: Runner, node: Node) -> Sequence[Type]:
    """The branch that a known condition takes, else what both have in common. A branch that does not fit its operands
    is one that is never taken: exporters write such for ranks that do not occur."""
    taken = _taken(runner, node)
    node.set_attr("taken_branch", None if taken is None else taken.name)
    ran = [body for body in node.bodies if _runs(runner, node, body, must=body is taken)]
    if not ran:
        raise ShapeMismatch(node, "none of its branches fits its operands")
    leaves = [taken] if taken in ran else ran
    if len(leaves) == 1:
        for result, left in zip(node.results, leaves[0].outputs):
            _hand_over(runner, left, result)
        return [left.type for left in leaves[0].outputs]
    return [unify(a.type, b.type, f"{node.name}.{i}") for i, (a, b) in enumerate(zip(*(g.outputs for g in leaves)))]


def _taken(runner: Runner, node: Node) -> Graph | None:
    condition = runner.facts.known(node.operand(0))
    if condition is None or condition.dtype == object or condition.size != 1:
        return None
    wanted = "then_branch" if condition.reshape(-1)[0] else "else_branch"
    return next((body for body in node.bodies if body.name == wanted), None)


def _runs(runner: Runner, node: Node, body: Graph, must: bool) -> bool:
    enter(runner, node, body)
    try:
        runner.run(body)
    except ShapeMismatch:
        if must:
            raise
        return False
    return True


def _hand_over(runner: Runner, left: Value, result: Value) -> None:
    """Data first, since the type of the result is set from what this returns."""
    data = runner.facts.known(left)
    if data is not None:
        result.type = left.type
        runner.facts.learn(result, data)


def modified_attention(runner: Runner, node: Node) -> Sequence[Type]:
    """FlexAttention: its bodies see the scores [batch, heads, queries, keys] in the precision of the softmax."""
    results = flex_attention(node, runner.facts.known)
    query, key = dims(node, 0), dims(node, 1)
    wide = "f64" if tensor(node, 0).dtype == "f64" else "f32"
    shape = (*query[:3], key[2]) if query and key and len(query) == len(key) == 4 else None
    scores = TensorType(element_type(node, "softmax_precision", wide), shape)
    for body in node.bodies:
        enter(runner, node, body)
        for entry in body.inputs[:1]:
            entry.type = scores
        runner.run(body)
    return results


CONTROL: Mapping[str, Control] = {
    "onnx.If": branch,
    "onnx.Loop": loop,
    "onnx.Scan": scan,
    "onnx.SequenceMap": sequence_map,
    "ai.onnx.preview.FlexAttention": modified_attention,
}
