"""Rules: from the gradients of a node's results to those of its operands. A file for each family of operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from ..tape import Step
from .attention import ATTENTION
from .contraction import CONTRACTION
from .elementwise import ELEMENTWISE
from .indexing import INDEXING
from .loss import LOSS
from .movement import MOVEMENT
from .normalization import NORMALIZATION
from .pooling import POOLING
from .reduction import REDUCTION

Rule: TypeAlias = Callable[[Step], None]

RULES: Mapping[str, Rule] = {
    **ATTENTION,
    **CONTRACTION,
    **ELEMENTWISE,
    **INDEXING,
    **LOSS,
    **MOVEMENT,
    **NORMALIZATION,
    **POOLING,
    **REDUCTION,
}
"""By the name of the forward operator."""

_CONSTANT = (
    "Shape Size Equal Greater GreaterOrEqual Less LessOrEqual And Or Not Xor IsNaN IsInf ArgMax ArgMin NonZero Floor "
    "Ceil Round Sign RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli Multinomial OneHot "
    "ConstantOfShape Range EyeLike NonMaxSuppression"
)
CONSTANT = frozenset(f"onnx.{name}" for name in _CONSTANT.split())
"""Operators through which no gradient flows."""
