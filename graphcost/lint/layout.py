"""Data that is moved but not computed: transposes, reshapes that copy, padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import ClassVar

from graphcost.ir import Node

from .finding import Finding
from .rule import Rule, count_of, mebibytes, percent
from .subject import Subject, bytes_of, only_reader, producer_of, sizes_of

_ELEMENTWISE = frozenset(f"onnx.{op}" for op in (
    "Abs", "Cast", "Ceil", "Celu", "Clip", "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid",
    "HardSwish", "Identity", "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu",
    "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt", "Swish", "Tanh", "ThresholdedRelu",
))  # fmt: skip
"""Functions of one tensor that do not care where its elements lie."""


@dataclass(frozen=True)
class RedundantTranspose(Rule):
    """Two transposes of which one would do, or none: next to each other, or with only elementwise nodes between.

    Next to each other TensorRT merges them by itself, which makes it a note. Across other nodes nothing merges them,
    and both copy the tensor.
    """

    name = "redundant-transpose"
    help: ClassVar[str] = (
        "A transpose copies its tensor. Source: the TensorRT Developer Guide's list of fusions, in which two Shuffles "
        "become one where they are adjacent."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        found: dict[tuple[bool, bool], list[Node]] = {}
        for node in subject.nodes:
            if (first := _earlier_transpose(node)) is not None and (perms := _perms(first, node)) is not None:
                adjacent = producer_of(node.operand(0)) is first
                found.setdefault((_cancel(*perms), adjacent), []).extend((first, node))
        for (cancels, adjacent), nodes in found.items():
            yield self._finding(subject, nodes, cancels, adjacent)

    def _finding(self, subject: Subject, nodes: list[Node], cancels: bool, adjacent: bool) -> Finding:
        pairs = count_of(len(nodes) // 2, "pair")
        what = "cancel each other" if cancels else "could be one"
        between = "" if adjacent else " across elementwise nodes"
        moved = mebibytes(sum(2 * bytes_of(node.operand(0)) for node in nodes))
        hazard = f"{pairs} of transposes {what}{between}: as written they move {moved}"
        harmless = adjacent and subject.is_tensorrt
        mitigation = "remove them from the file" if cancels else "write them as one transpose"
        return self.finding(nodes, hazard, mitigation, "note" if harmless else None)


def _earlier_transpose(node: Node) -> Node | None:
    """The transpose whose result this transpose takes, through elementwise nodes that nobody else reads."""
    if node.op != "onnx.Transpose":
        return None
    above = producer_of(node.operand(0))
    while above is not None and only_reader(above.results[0]) is not None:
        if above.op == "onnx.Transpose":
            return above
        if above.op not in _ELEMENTWISE:
            return None
        above = producer_of(above.operand(0))
    return None


def _perms(*nodes: Node) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The permutations of two transposes; None where one has none that fits."""
    first, second = (_perm(node) for node in nodes)
    return (first, second) if first and second and len(first) == len(second) else None


def _perm(node: Node) -> tuple[int, ...] | None:
    """What a transpose does with its axes; by default it reverses them."""
    perm, sizes = node.attrs.get("perm"), sizes_of(node.operand(0))
    if isinstance(perm, tuple):
        axes = tuple(axis for axis in perm if isinstance(axis, int))
        return axes if sorted(axes) == list(range(len(axes))) else None
    return None if sizes is None else tuple(reversed(range(len(sizes))))


def _cancel(first: Sequence[int], second: Sequence[int]) -> bool:
    return [first[axis] for axis in second] == list(range(len(first)))


@dataclass(frozen=True)
class CopyingReshape(Rule):
    """A reshape after a transpose whose result is no view: axes are merged that do not lie next to each other.

    The transposed tensor then has to be written out: channel shuffles, window partitions, space-to-depth. The merge of
    heads that belongs to an attention is left out, since fused attention writes its result in that order. A warning
    where the copies are at least `share` of all bytes that the network moves.
    """

    name = "copying-reshape"
    help: ClassVar[str] = (
        "A reshape of contiguous data costs nothing (a NoOp in real engines), one of transposed data is a copy. "
        "Source: layer lists of TensorRT engines; when a view exists: the rule of torch.Tensor.view on strides."
    )
    share: float = 0.05  # below a twentieth of the traffic no rewriting pays; our choice

    def find(self, subject: Subject) -> Iterator[Finding]:
        fused = {node for group in subject.groups if group.kind == "attention" for node in group.nodes}
        found = [node for node in subject.nodes if node not in fused and _is_copied_transpose(node)]
        if not found:
            return
        moved = sum(2 * bytes_of(node.operand(0)) for node in found)
        part = moved / subject.total.bytes if subject.total.bytes else 0.0
        copies = f"{mebibytes(moved)}, {percent(part)} of the traffic"
        hazard = f"{count_of(len(found), 'reshape')} of transposed data, each a copy: {copies}"
        mitigation = "keep the order of axes that the next operator reads, or fuse the pattern (a plug-in, a kernel)"
        yield self.finding(found, hazard, mitigation, "warning" if part >= self.share else "note")


def _is_copied_transpose(node: Node) -> bool:
    """Whether a node is a reshape that can be no view of the transpose before it."""
    transpose = producer_of(node.operand(0)) if node.op in ("onnx.Reshape", "onnx.Flatten") else None
    if transpose is None or transpose.op != "onnx.Transpose" or only_reader(transpose.results[0]) is None:
        return False
    sizes, wanted, perm = sizes_of(transpose.operand(0)), sizes_of(node.results[0]), _perm(transpose)
    if sizes is None or wanted is None or perm is None or len(perm) != len(sizes) or 0 in sizes:
        return False
    return not is_view(sizes, perm, wanted)


def is_view(sizes: Sequence[int], perm: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether a contiguous tensor of these sizes, its axes permuted, can be looked at as one of sizes `wanted`."""
    chunks = iter(_contiguous_chunks(sizes, perm))
    left = 1
    for size in (size for size in reversed(wanted) if size != 1):
        left = next(chunks, 1) if left == 1 else left
        if left % size:
            return False
        left //= size
    return left == 1


def _contiguous_chunks(sizes: Sequence[int], perm: Sequence[int]) -> list[int]:
    """Elements of each run of permuted axes that lie next to each other in memory, the last run first."""
    strides = [*accumulate(reversed(sizes[1:]), mul, initial=1)][::-1]
    chunks: list[int] = []
    expected = 0
    for axis in (axis for axis in reversed(perm) if sizes[axis] != 1):
        if chunks and strides[axis] == expected:
            chunks[-1] *= sizes[axis]
        else:
            chunks.append(sizes[axis])
        expected = strides[axis] * sizes[axis]
    return chunks


@dataclass(frozen=True)
class InputTranspose(Rule):
    """A transpose right behind a network input: the file was exported from a framework with the other layout.

    TensorRT keeps it as a Shuffle kernel; the application could hand over the data in the order that is wanted.
    """

    name = "input-transpose"
    help: ClassVar[str] = (
        "It copies the whole input. Source: the engine of a ResNet-50 exported from Keras (NHWC) in NVIDIA's trt- "
        "engine-explorer, RTX 3090, batch 32: the transpose of the input stays as a Shuffle of 0.087 ms."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        inputs = set(subject.imported.graph.inputs)
        found = [node for node in subject.nodes if node.op == "onnx.Transpose" and node.operand(0) in inputs]
        if found:
            moved = mebibytes(sum(2 * bytes_of(node.operand(0)) for node in found))
            hazard = f"{count_of(len(found), 'input')} transposed before use: {moved} moved at each run"
            yield self.finding(found, hazard, "export with channels first (tf2onnx: --inputs-as-nchw)")


@dataclass(frozen=True)
class PadBeforePool(Rule):
    """A Pad in front of a pooling node, as Keras exports it. TensorRT fuses padding into convolutions, not into
    pooling: it stays a kernel that copies the tensor."""

    name = "pad-before-pool"
    help: ClassVar[str] = (
        "Source: the engine of a ResNet-50 exported from Keras in NVIDIA's trt-engine-explorer, RTX 3090, batch 32: "
        "the Pad before MaxPool stays a Padding layer of 0.25 ms (FP32); the TensorRT Developer Guide's list of "
        "fusions has padding with convolutions only."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        found = [node for node in subject.nodes if node.op == "onnx.Pad" and _feeds_pool(node)]
        if found:
            moved = mebibytes(sum(bytes_of(node.operand(0)) + bytes_of(node.results[0]) for node in found))
            hazard = f"{count_of(len(found), 'Pad')} before pooling copy {moved}"
            mitigation = "use the `pads` of the pooling node: after a ReLU, padding with 0 gives the same maximum"
            yield self.finding(found, hazard, mitigation)


def _feeds_pool(node: Node) -> bool:
    reader = only_reader(node.results[0])
    return reader is not None and reader.op in ("onnx.MaxPool", "onnx.AveragePool")
