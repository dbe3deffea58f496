"""Why nodes compute in a wider type than was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from graphcost.ir import Node
from graphcost.target import Target
from graphcost.work.control import CONTROL

from .int8 import INT8_CONTRACTIONS, INT8_PASSING, quantized_precision
from .precisions import TF32_OPS, Rules, computed_types
from .retype import CALIBRATED_FROM

Floats: TypeAlias = "Mapping[Node, str | None]"
"""The floating type that each node handles most (`float_of`)."""


class Fall(NamedTuple):
    """The type in which a node was to compute, and why it computes in a wider one."""

    asked: str
    reason: str


@dataclass(frozen=True)
class Falls:
    """Why nodes compute in a wider type than the user, or Q/DQ in the network, ask for."""

    target: Target
    rules: Rules
    is_explicit: bool
    floats: Floats
    free: Set[Node]
    """The nodes whose types may change."""

    def __call__(self, node: Node, precision: str) -> Fall | None:
        """For a node that computes in `precision`; None where nothing narrower was asked for."""
        quantized = quantized_precision(node)
        if quantized is not None and precision != quantized:
            return None if quantized in computed_types(self.target) else self._lacking(quantized)
        decided = CALIBRATED_FROM if self.rules.calibrates else ("f32",)
        if precision not in _WIDE or self.floats[node] not in decided:
            return None
        lacking = next((kind for kind in self.target.lacking if node.op in _EXISTS_FOR.get(kind, {node.op})), None)
        if lacking is not None:
            return self._lacking(lacking)
        if node not in self.free:
            return self._fixed(node)
        return self._not_quantized(node)

    def _lacking(self, asked: str) -> Fall:
        device = self.target.device
        assert device is not None, "where no hardware is named, every type exists"
        return Fall(asked, f"{device.id} has no such arithmetic")

    def _fixed(self, node: Node) -> Fall | None:
        if not self.rules.narrows:
            return None
        fixed = "control flow" if node.op in CONTROL else "an operator that nobody described"
        asked = "i8" if self.rules.calibrates else "f16"
        return Fall(asked, f"the types of {fixed} are not the builder's to choose")

    def _not_quantized(self, node: Node) -> Fall | None:
        if self.rules.calibrates:
            return Fall("i8", _why_not_int8(node))
        asked = self.target.precision in ("int8", "best") and "i8" in self.target.allowed()
        if asked and self.is_explicit and node.op in INT8_CONTRACTIONS:
            return Fall("i8", "no Q/DQ stand before both of its operands")
        return None


_WIDE = ("f32", "tf32", "f16")
_EXISTS_FOR = {"tf32": TF32_OPS, "i8": INT8_CONTRACTIONS | INT8_PASSING}
"""The operators that a type exists for; all of them for what is not listed."""


def _why_not_int8(node: Node) -> str:
    if node.op in INT8_CONTRACTIONS:
        return "its weight is not constant"
    return "not all that it reads is INT8" if node.op in INT8_PASSING else f"{node.op} has no INT8 kernel"
