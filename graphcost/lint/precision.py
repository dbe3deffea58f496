"""Element types: float islands between half-precision nodes, and 64-bit numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from graphcost.ir import Node
from graphcost.types import FLOATS

from .finding import Finding
from .rule import Rule, count_of, listed, mebibytes
from .subject import Subject, bytes_of, dtype_of, is_exit

_HALF = frozenset({"f16", "bf16"})

_SENSITIVE = frozenset(f"onnx.{op}" for op in (
    "ReduceMean", "ReduceSum", "ReduceL2", "ReduceSumSquare", "Softmax", "LogSoftmax", "LayerNormalization",
    "RMSNormalization", "SimplifiedLayerNormalization", "InstanceNormalization", "GroupNormalization", "Exp", "Pow",
    "CumSum",
))  # fmt: skip
"""Sums and powers, which are kept in f32 on purpose: torch.autocast lists them as operations that run in float32."""


@dataclass
class _Island:
    """Nodes that compute in f32, the casts by which their operands came from half precision, and those back."""

    nodes: list[Node] = field(default_factory=list)
    entries: list[Node] = field(default_factory=list)
    exits: list[Node] = field(default_factory=list)

    @property
    def is_closed(self) -> bool:
        return bool(self.nodes and self.entries and self.exits)


@dataclass(frozen=True)
class Fp32Island(Rule):
    """Nodes that compute in f32 between half-precision ones, with casts on both shores.

    Each cast reads and writes a whole tensor, and the nodes in between move twice the bytes. Around sums and powers
    (normalisation, softmax) it is there for accuracy: then it is a note.
    """

    name = "fp32-island"
    help: ClassVar[str] = (
        "Casts become reformat kernels or keep their neighbours from fusing. Source: lint.py of NVIDIA's trt-engine- "
        "explorer, which warns of conversions between float types; which operations want f32: the list of "
        "torch.autocast."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        alike: dict[tuple[str, ...], list[_Island]] = {}
        for island in _islands(subject.nodes):
            alike.setdefault(tuple(sorted({node.op for node in island.nodes})), []).append(island)
        for ops, islands in alike.items():
            yield self._finding(ops, islands)

    def _finding(self, ops: tuple[str, ...], islands: list[_Island]) -> Finding:
        nodes = [node for island in islands for node in island.nodes]
        casts = [cast for island in islands for cast in (*island.entries, *island.exits)]
        moved = sum(bytes_of(cast.operand(0)) + bytes_of(cast.results[0]) for cast in casts)
        where = count_of(len(islands), "island")
        hazard = f"{where} of f32 ({listed(ops)}) between half-precision nodes: its casts move {mebibytes(moved)}"
        if _SENSITIVE.intersection(ops):
            return self.finding(nodes, hazard, "nothing, if the sums need f32; else export them in f16", "note")
        return self.finding(nodes, hazard, "export these nodes in f16 too, so that the casts go")


def _islands(nodes: Iterable[Node]) -> list[_Island]:
    """Connected nodes that compute in f32, where half precision flows in and out."""
    inside = {node: None for node in nodes if _computes_in_f32(node)}
    found: list[_Island] = []
    while inside:
        island = _Island()
        shore = [next(iter(inside))]
        while shore:
            node = shore.pop()
            if node in inside:
                del inside[node]
                island.nodes.append(node)
                shore += _neighbours(node, island)
        if island.is_closed:
            found.append(island)
    return found


def _computes_in_f32(node: Node) -> bool:
    floats = [dtype_of(v) for v in (*node.inputs, *node.results) if dtype_of(v) in FLOATS]
    return bool(floats) and set(floats) == {"f32"} and node.op not in ("onnx.Cast", "onnx.DequantizeLinear")


def _neighbours(node: Node, island: _Island) -> Iterator[Node]:
    """The nodes around; casts from and to half precision are noted as the shore."""
    for producer in (value.producer for value in node.inputs):
        if producer is not None and _is_cast(producer, _HALF, {"f32"}):
            island.entries.append(producer)
        elif producer is not None:
            yield producer
    for reader in (reader for result in node.results for reader in result.readers):
        if _is_cast(reader, {"f32"}, _HALF):
            island.exits.append(reader)
        elif not is_exit(reader):
            yield reader


def _is_cast(node: Node, source: frozenset[str] | set[str], target: frozenset[str] | set[str]) -> bool:
    return node.op == "onnx.Cast" and dtype_of(node.operand(0)) in source and dtype_of(node.results[0]) in target


@dataclass(frozen=True)
class WideTypes(Rule):
    """Tensors of 64-bit numbers that are there when the network runs (those of shape computations are folded away).

    Before TensorRT 9.3 the parser casts INT64 down to INT32, so that larger numbers are clamped; later releases
    compute in INT64 with twice the bytes. Doubles are always cast down to FP32.
    """

    name = "wide-types"
    severity = "note"
    help: ClassVar[str] = (
        "Source: docs/operators.md of onnx/onnx-tensorrt: INT64 is cast down to INT32 (until INT64 became a type of "
        "its own) and DOUBLE to FLOAT, clamping what does not fit."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        for dtype, told, mitigation in (
            ("i64", "64-bit integers", "export indices and inputs as int32 if they fit"),
            ("f64", "doubles", "export in f32"),
        ):
            nodes = [node for node in subject.nodes if _holds(node, dtype, subject)]
            if nodes:
                hazard = f"{count_of(len(nodes), 'node')} ({listed(n.op for n in nodes)}) work with {told}"
                yield self.finding(nodes, hazard, mitigation)


def _holds(node: Node, dtype: str, subject: Subject) -> bool:
    """Whether tensors of this type go in or come out, beside single numbers and what is known beforehand."""
    values = [v for v in (*node.inputs, *node.results) if not v.is_weight and dtype_of(v) == dtype]
    return any((v.type.elements or 2) > 1 and subject.imported.facts.known(v) is None for v in values)
