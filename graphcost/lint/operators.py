"""Operators that the runtime refuses, and nodes that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Node
from graphcost.support import Refused, Unsupported, unsupported_nodes
from graphcost.types import NoneType

from .finding import Finding
from .rule import Rule, count_of, listed
from .subject import Subject

_QUANTIZED_OPERATORS = frozenset({
    "onnx.QLinearConv", "onnx.QLinearMatMul", "onnx.ConvInteger", "onnx.MatMulInteger", "onnx.DynamicQuantizeLinear",
})  # fmt: skip


@dataclass(frozen=True)
class UnsupportedOperator(Rule):
    """The runtime's parser does not import an operator, or not with this element type; or no list speaks of it.

    Looked up by TensorRT release for the operators as they stand in the file. What constant folding removes is not
    counted: fold it (`polygraphy surgeon sanitize --fold-constants`) before the parser sees it. A refusal is an error;
    an operator that nobody lists is a warning, since a plug-in may take it.
    """

    name = "unsupported-operator"
    severity = "error"
    help: ClassVar[str] = (
        "The engine cannot be built; figures of such a network are a what-if. Source: the importers and the operator "
        "table of each release branch of onnx/onnx-tensorrt."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        by_sentence: dict[str, list[Unsupported]] = {}
        for item in unsupported_nodes(subject.imported.graph, subject.imported.facts, subject.target.runtime):
            by_sentence.setdefault(item.verdict.sentence, []).append(item)
        for sentence, items in by_sentence.items():
            severity = self.severity if isinstance(items[0].verdict, Refused) else "warning"
            yield self.finding((item.node for item in items), sentence, _way_out(items[0]), severity)


def _way_out(item: Unsupported) -> str:
    if not isinstance(item.verdict, Refused):
        return "register a plug-in of this name with TensorRT, or write the operator out with standard ones"
    if item.node.op in _QUANTIZED_OPERATORS:
        return "export the quantised network with QuantizeLinear/DequantizeLinear pairs around float operators"
    if item.node.op == "onnx.DequantizeLinear" and item.verdict.types:
        return f"quantise to a type that TensorRT takes ({', '.join(sorted(item.verdict.types))})"
    if item.verdict.types:
        return f"cast what it reads to a type that it takes ({', '.join(sorted(item.verdict.types))})"
    if item.verdict.since is None:
        return "write the operator out with supported ones, or give the runtime a plug-in"
    return f"build with TensorRT {item.verdict.since} or later, or export it written out (a lower opset often does)"


@dataclass(frozen=True)
class UnreadResult(Rule):
    """A Split with parts that nothing reads, or a node of which nothing reads any result.

    A runtime that eliminates dead layers loses nothing but build time; one that runs the file as it is copies what
    nobody wants. The parser still has to import such a node.
    """

    name = "unread-result"
    severity = "note"
    help: ClassVar[str] = (
        "TensorRT removes dead layers after parsing (its build log counts them: 'After dead-layer removal'), so they "
        "cost time only in other runtimes."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        dead = [node for node in subject.nodes if not any(result.use_count for result in node.results)]
        if dead:
            hazard = f"nothing reads the results of {count_of(len(dead), 'node')} ({listed(n.op for n in dead)})"
            yield self.finding(dead, hazard, "remove them from the file (onnx-simplifier and the like do)")
        splits = [node for node in subject.nodes if node.op == "onnx.Split" and _has_unread_part(node)]
        if splits:
            hazard = f"{count_of(len(splits), 'Split')} give{'s' if len(splits) == 1 else ''} parts that nothing reads"
            yield self.finding(splits, hazard, "take the parts that are needed with Slice")


def _has_unread_part(node: Node) -> bool:
    """Whether some parts are read, but not all."""
    read = [result.use_count > 0 for result in node.results if not isinstance(result.type, NoneType)]
    return any(read) and not all(read)
