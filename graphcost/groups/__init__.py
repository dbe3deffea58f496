"""Recognised groups: what exporters write out with simple operators, found and left where it is.

A runtime's pipeline turns a group into a kernel only where that runtime fuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from graphcost.ir import Graph
from graphcost.pipeline import Analyses, Analysis

from .activation import ACTIVATIONS
from .attention import ATTENTIONS
from .group import Group, Operator, Spelling, find_groups
from .normalization import NORMALIZATIONS
from .quantized import QUANTIZERS

__all__ = ["GROUPS", "KINDS", "OPERATORS", "SPELLINGS", "Group", "Operator", "Spelling", "find_groups"]

SPELLINGS: tuple[Spelling, ...] = (*ATTENTIONS, *NORMALIZATIONS, *ACTIVATIONS)


@cache
def quantized_spellings() -> tuple[Spelling, ...]:
    """The same for graphs with Q/DQ, which may stand between any two nodes of a group; they then belong to it."""
    return tuple(spelling.quantized() for spelling in SPELLINGS)


_NORM = ("x", "scale", "bias")
_SKIP_NORM = ("x", "skip", "scale", "bias")
_ATTENTION = ("q", "k", "v", "mask")
_CONTRIB_ATTENTION = ("q", "k", "v", "bias")

OPERATORS: Mapping[str, Operator] = {
    "onnx.LayerNormalization": Operator("layer_norm", _NORM),
    "onnx.RMSNormalization": Operator("rms_norm", _NORM[:2]),
    "onnx.SimplifiedLayerNormalization": Operator("rms_norm", _NORM[:2]),
    "com.microsoft.SimplifiedLayerNormalization": Operator("rms_norm", _NORM[:2]),
    "com.microsoft.SkipLayerNormalization": Operator("layer_norm", _SKIP_NORM),
    "com.microsoft.SkipSimplifiedLayerNormalization": Operator("rms_norm", _SKIP_NORM[:3]),
    "onnx.Gelu": Operator("gelu", ("x",)),
    "com.microsoft.Gelu": Operator("gelu", ("x",)),
    "com.microsoft.FastGelu": Operator("gelu", ("x", "bias")),
    "com.microsoft.BiasGelu": Operator("gelu", ("x", "bias")),
    "com.microsoft.QuickGelu": Operator("swish", ("x",)),
    "onnx.Swish": Operator("swish", ("x",)),
    "onnx.Mish": Operator("mish", ("x",)),
    "onnx.HardSwish": Operator("hard_swish", ("x",)),
    "onnx.HardSigmoid": Operator("hard_sigmoid", ("x",)),
    "onnx.Softmax": Operator("softmax", ("x",)),
    "onnx.Attention": Operator("attention", _ATTENTION),
    "com.microsoft.MultiHeadAttention": Operator("attention", _CONTRIB_ATTENTION),
    "com.microsoft.GroupQueryAttention": Operator("attention", _CONTRIB_ATTENTION[:3]),
    "com.microsoft.Attention": Operator("attention", ("x", "weights", "bias")),
    "onnx.RotaryEmbedding": Operator("rotary_embedding", ("x", "cos", "sin")),
    "com.microsoft.RotaryEmbedding": Operator("rotary_embedding", ("x", "positions", "cos", "sin")),
}

KINDS = frozenset({*(spelling.kind for spelling in SPELLINGS), *(operator.kind for operator in OPERATORS.values())})
"""What a group can be."""


def _compute(graph: Graph, analyses: Analyses) -> tuple[Group, ...]:
    is_quantized = any(node.op in QUANTIZERS for node in graph)
    return find_groups(graph, quantized_spellings() if is_quantized else SPELLINGS, OPERATORS)


GROUPS: Analysis[tuple[Group, ...]] = Analysis("groups", _compute)
"""The groups of a graph, in the order in which they end; those inside the bodies of nodes are not looked for."""
