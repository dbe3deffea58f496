"""Operators that an exporter wrote out and that the framework runs as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.groups import GROUPS, Group
from graphcost.groups.terms import is_scalar
from graphcost.ir import Graph, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass

from ..ledger import Ledger
from ..outline_groups import outline_group
from .parameters import is_learnt


@dataclass(frozen=True)
class FrameworkOperators(Pass):
    """Put groups of `kinds` into one node each, as `outline-groups` does, unless `written_out` says to count them as
    they stand in the file.

    What one operator keeps for its backward is less than what its steps would: SiLU its input, not the sigmoid too.
    """

    name: ClassVar[str] = "framework-operators"
    kinds: tuple[str, ...] = ()
    written_out: bool = False

    def run(self, graph: Graph, ctx: Context) -> Change:
        if self.written_out:
            return UNCHANGED
        on_cpu = ctx.target.device is None
        ledger = Ledger(self.name, graph, ctx)
        groups = [group for group in ctx.get(GROUPS) if group.kind in self.kinds]
        chosen = [group for group in groups if group.kind != "attention" or _is_one_operator(group, on_cpu)]
        count = sum(outline_group(graph, group, ledger) for group in chosen)
        ledger.close()
        return Change(count) if count else UNCHANGED


def _is_one_operator(group: Group, on_cpu: bool) -> bool:
    """Whether an attention was scaled_dot_product_attention and runs as such. Exporters write it with queries
    and keys each scaled by the root of the scale (torch.onnx, symbolic_opset14), which nobody does by hand. With a bias
    that is learnt PyTorch's CPU has no kernel that gives its gradient, and falls to the written-out form
    (ATen/native/transformers/sdp_utils_cpp.cpp)."""
    if len(group.nodes) > 1 and not _scales_both(group):
        return False
    masks = [value for role, value in group.inputs.items() if role.startswith("mask")]
    return not (on_cpu and any(_is_learnt(mask) for mask in masks))


def _scales_both(group: Group) -> bool:
    """Whether both factors of the scores are multiplied by a scalar before."""
    scores = next((node for node in group.nodes if node.op == "onnx.MatMul"), None)
    return scores is not None and all(_is_scaled(value) for value in scores.inputs[:2])


def _is_scaled(value: Value) -> bool:
    node = value.producer
    if node is not None and node.op == "onnx.Transpose":
        node = node.inputs[0].producer
    return node is not None and node.op in ("onnx.Mul", "onnx.Div") and any(map(is_scalar, node.inputs))


def _is_learnt(value: Value, steps: int = 8) -> bool:
    """Whether a parameter is among what a value is computed from."""
    node = value.producer
    if node is None:
        return value.is_weight and is_learnt(value)
    return steps > 0 and any(_is_learnt(operand, steps - 1) for operand in node.inputs)
