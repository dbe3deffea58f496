"""What is known about operators: how their results are typed, what they work, which storage they share.

Each fact is a pure function of one node (its operand and result types, attributes and small constants), kept in a
table by operator name. The built-in tables are rooms of their own (`shapes`, `work`, `storage`); plug-ins add theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from .ir import Node, Value
from .types import Type

if TYPE_CHECKING:
    import numpy

    Array: TypeAlias = numpy.ndarray[Any, Any]

Known: TypeAlias = "Callable[[Value | None], Array | None]"
"""The data of a value where the propagation of small constants knows them: integers and floats, or an object array
whose elements may be `Unknown` dimensions (the shape of something data-dependent)."""

InferTypes: TypeAlias = "Callable[[Node, Known], Sequence[Type]]"
"""Types of the results, one for each, from the types of the operands (already set when it is called)."""

Evaluate: TypeAlias = "Callable[[Node, Sequence[Array | None]], Sequence[Array | None]]"
"""Values of the results from those of the operands, for small tensors; None where it cannot tell."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What one execution of an operator takes, on any device.

    `macs` are the multiply-adds of contractions (no bias, no elementwise); `elementwise_ops` everything else that is
    computed. Bytes are those of the border of the node unless the operator touches fewer (Gather, Shape, views).
    """

    macs: int = 0
    elementwise_ops: int = 0
    bytes_read: int | None = None
    bytes_written: int | None = None


CountWork: TypeAlias = Callable[[Node], Effort]
"""The work of one node. Raises `UnknownWork` when a type or a constant that it needs is not known."""


class UnknownWork(Exception):
    """A formula cannot say: its sentence becomes the reason in the report's list of unknowns."""


class Relation(Enum):
    """How the storage of a result relates to that of an operand."""

    SAME = "same"
    """The result is the operand under another type (Reshape, Identity)."""
    INSIDE = "inside"
    """The result is a part of the operand (a slice that became a view)."""
    HOLDS = "holds"
    """The operand is a part of the result (the inputs of an eliminated Concat)."""
    IN_PLACE = "in-place"
    """The result is written over the operand, whose old value must not be read later."""


@dataclass(frozen=True, slots=True)
class Alias:
    """`results[result]` and `operands[operand]` share storage; `offset_bytes` and `strides` say where the part lies."""

    result: int
    operand: int
    relation: Relation
    offset_bytes: int = 0
    strides: tuple[int, ...] | None = None


ListAliases: TypeAlias = Callable[[Node], Sequence[Alias]]


@dataclass(frozen=True)
class Operators:
    """Every table, built-in and from plug-ins, as one object that is handed around; never changed after it is made."""

    shapes: Mapping[str, InferTypes] = field(default_factory=dict)
    evaluators: Mapping[str, Evaluate] = field(default_factory=dict)
    work: Mapping[str, CountWork] = field(default_factory=dict)
    aliases: Mapping[str, ListAliases] = field(default_factory=dict)
    infer_unlisted: InferTypes | None = None
    """Asked for the types of an operator that `shapes` does not list (onnx's own inference, one node at a time)."""

    def extended(self, other: Operators) -> Operators:
        """These tables and those of a plug-in, which may not redefine an operator."""
        return Operators(
            _merge(self.shapes, other.shapes, "shape function"),
            _merge(self.evaluators, other.evaluators, "evaluator"),
            _merge(self.work, other.work, "work formula"),
            _merge(self.aliases, other.aliases, "alias declaration"),
            other.infer_unlisted or self.infer_unlisted,
        )


def _merge(ours: Mapping[str, Any], theirs: Mapping[str, Any], what: str) -> dict[str, Any]:
    if both := sorted(set(ours) & set(theirs)):
        raise ValueError(f"two {what}s for operator {both[0]}; a plug-in may only add operators")
    return {**ours, **theirs}
