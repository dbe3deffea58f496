"""Dimensions that nobody knows before the network runs, or that the file leaves open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Node, Value
from graphcost.types import TensorType, Unknown, bound

from .finding import Finding
from .rule import Rule, count_of, listed
from .subject import Subject


@dataclass(frozen=True)
class DataDependentSize(Rule):
    """A node whose data decide how large its result is: NonZero, NonMaxSuppression, Compress, a Resize by a computed
    scale. Reported is where the size is lost, not everything behind it. A note where something bounds the size.
    """

    name = "data-dependent-size"
    help: ClassVar[str] = (
        "The runtime has to wait for the data before it can launch what follows and cannot plan memory for it; a CUDA "
        "graph cannot be captured. Source: 'Working with Dynamic Shapes' in the TensorRT Developer Guide."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        lost = [node for node in subject.nodes if _unknown(node.results) and not _unknown(node.inputs)]
        endless = [node for node in lost if _is_endless(node)]
        bounded = [node for node in lost if not _is_endless(node)]
        if endless:
            hazard = f"the data decide the size of the results of {count_of(len(endless), 'node')} ({_ops(endless)})"
            yield self.finding(endless, f"{hazard}: memory cannot be planned", _FIX)
        if bounded:
            hazard = f"the data decide the size of the results of {count_of(len(bounded), 'node')} ({_ops(bounded)})"
            yield self.finding(bounded, f"{hazard}: planned is the most it can be", _FIX, "note")


_FIX = "give a fixed number of results (TopK with a constant k, an NMS plug-in with padded outputs)"


def _ops(nodes: Iterable[Node]) -> str:
    return listed(node.op for node in nodes)


def _is_endless(node: Node) -> bool:
    return any(bound(dim) is None for dim in _unknown(node.results))


def _unknown(values: Iterable[Value]) -> list[Unknown]:
    """The dimensions that only the data decide."""
    types = [value.type for value in values if isinstance(value.type, TensorType)]
    return [dim for kind in types for dim in kind.dims or () if isinstance(dim, Unknown)]


@dataclass(frozen=True)
class UntypedResult(Rule):
    """A node whose result has a shape or an element type that nobody can tell, most often a custom operator. What
    follows it cannot be planned or priced either."""

    name = "untyped-result"
    help: ClassVar[str] = (
        "A runtime asks the plug-in for the shapes of its outputs; graphcost asks a plug-in of its own. Source: "
        "'Extending TensorRT with Custom Layers' in the TensorRT Developer Guide."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        found = [node for node in subject.nodes if _is_untyped(node.results) and not _is_untyped(node.inputs)]
        if found:
            hazard = f"nobody can tell the shapes of the results of {count_of(len(found), 'node')} ({_ops(found)})"
            mitigation = "give a plug-in with a shape function for the operator (--plugin)"
            yield self.finding(found, hazard, mitigation)


def _is_untyped(values: Iterable[Value]) -> bool:
    types = [value.type for value in values if isinstance(value.type, TensorType)]
    return any(kind.dims is None or kind.dtype == "?" for kind in types)


@dataclass(frozen=True)
class OpenDimension(Rule):
    """Dimensions of inputs that the file leaves open by a symbol. All figures hold for the values that were taken."""

    name = "open-dimension"
    severity = "note"
    help: ClassVar[str] = (
        "TensorRT needs an optimisation profile (--minShapes, --optShapes, --maxShapes), picks tactics for its optimum "
        "and plans memory for its maximum. Source: 'Optimization Profiles' in the TensorRT Developer Guide."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        if symbols := subject.imported.symbols:
            taken = ", ".join(f"{name} = {size}" for name, size in symbols.items())
            mitigation = "ask for the sizes that matter (--dim NAME=N), or fix them in the file"
            yield self.finding((), f"the inputs leave {count_of(len(symbols), 'dimension')} open: {taken}", mitigation)
