"""Shapes: what type each value has, and the data of the small tensors that decide it.

engine, control     the walk over the graph and its bodies
resize              other input sizes for a graph whose constants hold the old ones
width               other channels of its contractions
evaluate*           data of small tensors, by operator
the other files     shape functions, one file for each family of operators
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from graphcost.operators import Evaluate, InferTypes

from . import (
    attention,
    contraction,
    contrib,
    contrib_attention,
    contrib_blocks,
    convolution,
    elementwise,
    evaluate,
    evaluate_layout,
    filling,
    generators,
    imaging,
    indexing,
    joining,
    layout,
    ml,
    nchwc,
    normalization,
    plugins,
    pooling,
    quantization,
    recurrent,
    reduction,
    sampling,
    selection,
    sequences,
    spectral,
    strings,
    training,
)
from .engine import infer, known_values, retyped
from .errors import ShapeMismatch
from .facts import Facts
from .resize import resize
from .width import widen

__all__ = ["EVALUATORS", "SHAPES", "Facts", "ShapeMismatch", "infer", "known_values", "resize", "retyped", "widen"]

T = TypeVar("T")


def _joined(tables: Iterable[Mapping[str, T]]) -> dict[str, T]:
    """All tables as one; an operator that two of them list is a mistake."""
    joined: dict[str, T] = {}
    for table in tables:
        if both := joined.keys() & table.keys():
            raise ValueError(f"two entries for operator {min(both)}")
        joined.update(table)
    return joined


_FAMILIES = (
    attention, contraction, contrib, contrib_attention, contrib_blocks, convolution, elementwise, filling, generators,
    imaging, indexing, joining, layout, ml, nchwc, normalization, plugins, pooling, quantization, recurrent, reduction,
    sampling, selection, sequences, spectral, strings, training,
)  # fmt: skip

SHAPES: Mapping[str, InferTypes] = _joined(family.SHAPES for family in _FAMILIES)
"""Shape functions by operator."""

EVALUATORS: Mapping[str, Evaluate] = _joined((evaluate.EVALUATORS, evaluate_layout.EVALUATORS))
"""What computes the data of small tensors, by operator."""
