"""Rewriting: look for a shape (pattern or anchor), say why not (Reject), put nodes into a kernel (outline).

    rule = FusionRule(
        name="conv-relu", kernel="trt.conv_act", priority=10, evidence="layers.tsv: Conv_0 + Relu_1",
        pattern=lambda op, x, w, b: op.Relu(op.Conv(x, w, optional(b))),
    )
    apply_rules(graph, [rule], journal)
"""

from .anchor import Anchor
from .driver import Applied, apply_rules
from .match import Match, Reject, in_order, leaving
from .outline import bypass, merge_horizontal, outline
from .pattern import Operators, Pattern, Result, anything, const, either, operators_of, optional, scalar_of, trace
from .rule import FusionRule, Versions, rules_for
from .search import find

__all__ = [
    "Anchor",
    "Applied",
    "FusionRule",
    "Match",
    "Operators",
    "Pattern",
    "Reject",
    "Result",
    "Versions",
    "anything",
    "apply_rules",
    "bypass",
    "const",
    "either",
    "find",
    "in_order",
    "leaving",
    "merge_horizontal",
    "operators_of",
    "optional",
    "outline",
    "rules_for",
    "scalar_of",
    "trace",
]
