"""QuantizeLinear and DequantizeLinear: pairs that do not fuse, that lack a partner, or that TensorRT refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Node, Value

from .contraction import CONTRACTIONS, is_dequantized, is_quantized, is_transparent
from .finding import Finding
from .rule import Rule, count_of, listed, mebibytes, percent
from .subject import Subject, bytes_of, dtype_of, is_exit, producer_of, sizes_of

_Q, _DQ = "onnx.QuantizeLinear", "onnx.DequantizeLinear"

_FLOAT_ONLY = frozenset(f"onnx.{op}" for op in (
    "Softmax", "LogSoftmax", "LayerNormalization", "InstanceNormalization", "GroupNormalization", "RMSNormalization",
    "Sigmoid", "Tanh", "Exp", "Erf", "Gelu", "Log", "Pow", "Sqrt", "TopK", "NonMaxSuppression", "ArgMax", "CumSum",
))  # fmt: skip
"""Operators without a form on integers in ONNX: what follows them may be quantised again, they themselves are not."""


@dataclass(frozen=True)
class AsymmetricQuantization(Rule):
    """A zero point that is not zero. TensorRT's quantisation is symmetric: real = scale x integer."""

    name = "asymmetric-quantization"
    severity = "error"
    help: ClassVar[str] = (
        "The parser refuses other zero points. Source: 'Quantization Schemes' in the TensorRT Developer Guide."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        found = [node for node in subject.nodes if node.op in (_Q, _DQ) and _is_shifted(subject, node.operand(2))]
        if found and subject.is_tensorrt:
            hazard = f"{count_of(len(found), 'Q/DQ node')} with a zero point that is not zero"
            yield self.finding(found, hazard, "quantise symmetrically, to int8 (in onnxruntime: ActivationSymmetric)")


def _is_shifted(subject: Subject, zero_point: Value | None) -> bool:
    known = subject.imported.facts.known(zero_point)
    return known is not None and any(item != 0 for item in known.flat)


@dataclass(frozen=True)
class MissingInt8(Rule):
    """A quantised network for a device that does not compute in INT8 (Nano, TX1, TX2). Needs a device."""

    name = "missing-int8"
    help: ClassVar[str] = (
        "Q and DQ ask for INT8 kernels, of which this hardware has none. Source: 'Hardware and Precision' in "
        "TensorRT's support matrix; the rates in the device profiles."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        device = subject.target.device
        found = [node for node in subject.nodes if node.op in CONTRACTIONS and is_quantized(node)]
        if found and device is not None and not device.supports("i8"):
            hazard = f"{device.id} ({device.sm}) has no INT8, in which {count_of(len(found), 'node')} would compute"
            yield self.finding(found, hazard, "take the network as it was before quantisation, in FP16")


@dataclass(frozen=True)
class DanglingQuantize(Rule):
    """A QuantizeLinear that something other than DequantizeLinear reads. A quantised tensor means something to the
    optimiser only between Q and DQ."""

    name = "dangling-quantize"
    help: ClassVar[str] = (
        "It stays a kernel of its own and its readers get floats or fail to build. Source: lint.py of NVIDIA's trt- "
        "engine-explorer; 'Explicit Quantization' in the TensorRT Developer Guide."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        found = [node for node in subject.nodes if node.op == _Q and not _ends_in_dequantize(node)]
        if found:
            hazard = f"{count_of(len(found), 'QuantizeLinear')} without a DequantizeLinear behind"
            yield self.finding(found, hazard, "put a DequantizeLinear with the same scale in front of each reader")


def _ends_in_dequantize(node: Node) -> bool:
    readers = _readers(node)
    return bool(readers) and all(reader.op == _DQ or is_exit(reader) for reader in readers)


def _readers(node: Node) -> list[Node]:
    """Who reads the results of a node, past operators that quantisation does not concern."""
    found: list[Node] = []
    shore = [reader for result in node.results for reader in result.readers]
    seen = set(shore)
    while shore:
        reader = shore.pop()
        if is_exit(reader) or not is_transparent(reader):
            found.append(reader)
            continue
        further = [r for result in reader.results for r in result.readers if r not in seen]
        seen.update(further)
        shore += further
    return found


@dataclass(frozen=True)
class UnfusedDequantize(Rule):
    """A DequantizeLinear of activations whose readers all compute in float: Q and DQ stay kernels of their own."""

    name = "unfused-dequantize"
    help: ClassVar[str] = (
        "A Q/DQ pair pays where a quantised kernel takes it in; elsewhere it is a pass over the tensor and a loss of "
        "accuracy. Source: lint.py of NVIDIA's trt-engine-explorer; 'Q/DQ Layer-Placement Recommendations' in the "
        "TensorRT Developer Guide."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        found = [node for node in subject.nodes if node.op == _DQ and _feeds_floats_only(node)]
        if found:
            readers = listed(reader.op for node in found for reader in _readers(node))
            hazard = f"{count_of(len(found), 'DequantizeLinear')} feed only nodes that compute in float ({readers})"
            yield self.finding(found, hazard, "leave these tensors unquantised")


def _feeds_floats_only(node: Node) -> bool:
    readers = _readers(node)
    return producer_of(node.operand(0)) is not None and bool(readers) and all(r.op in _FLOAT_ONLY for r in readers)


@dataclass(frozen=True)
class HalfQuantized(Rule):
    """A convolution or matrix multiplication of which only the activations or only the weights are quantised: it runs
    in float all the same, and what is quantised is turned back first.

    Left out: weights alone in 4 bits, or in every such node of the network, which is quantisation of weights only.
    """

    name = "half-quantized"
    help: ClassVar[str] = (
        "The kernel computes in float, and dequantising is a kernel beside it. Source: 'Q/DQ Layer-Placement "
        "Recommendations' in the TensorRT Developer Guide: quantise all inputs of weighted operations."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        contractions = [node for node in subject.nodes if node.op in CONTRACTIONS]
        halves = [node for node in contractions if is_dequantized(node.operand(0)) != is_dequantized(node.operand(1))]
        if not any(is_dequantized(node.operand(0)) for node in contractions):
            return
        found = [node for node in halves if not _weight_only_by_intent(node)]
        if found:
            hazard = f"{count_of(len(found), 'node')} ({listed(n.op for n in found)}) with only one operand quantised"
            yield self.finding(found, hazard, "quantise activations and weights of it, or neither")


def _weight_only_by_intent(node: Node) -> bool:
    dequantize = producer_of(node.operand(1))
    return dequantize is not None and dequantize.op == _DQ and dtype_of(dequantize.operand(0)) in ("i4", "u4")


@dataclass(frozen=True)
class UnquantizedContraction(Rule):
    """A convolution or matrix multiplication in float, in a network that has quantised ones.

    First and last layers are often left out on purpose. A warning where such nodes have at least `share` of the MACs.
    """

    name = "unquantized-contraction"
    help: ClassVar[str] = (
        "It runs at the float rate, and its neighbours need Q and DQ kernels to pass data on. Source: 'Q/DQ Layer- "
        "Placement Recommendations' in the TensorRT Developer Guide."
    )
    share: float = 0.05  # our choice

    def find(self, subject: Subject) -> Iterator[Finding]:
        contractions = [node for node in subject.nodes if node.op in CONTRACTIONS]
        if not any(is_quantized(node) for node in contractions):
            return
        found = [n for n in contractions if not is_dequantized(n.operand(0)) and not is_dequantized(n.operand(1))]
        if found:
            macs = sum(subject.works[node].macs for node in found)
            part = macs / subject.total.macs if subject.total.macs else 0.0
            hazard = f"{count_of(len(found), 'node')} in float among quantised ones, with {percent(part)} of the MACs"
            severity = self.severity if part >= self.share else "note"
            yield self.finding(found, hazard, "quantise them too, unless accuracy forbids it", severity)


@dataclass(frozen=True)
class FloatResidual(Rule):
    """A residual sum behind a quantised convolution whose other operand is not quantised. The convolution then cannot
    take in the sum: it writes floats, and each block adds a kernel that quantises its result."""

    name = "float-residual"
    help: ClassVar[str] = (
        "Source: two engines of ResNet-18 in NVIDIA's trt-engine-explorer, A100, batch 32: 37 layers and 1.10 ms "
        "without Q/DQ on the residuals, 26 layers and 0.73 ms with them; 'Q/DQ Layer-Placement Recommendations' in the "
        "TensorRT Developer Guide."
    )

    def find(self, subject: Subject) -> Iterator[Finding]:
        found = [node for node in subject.nodes if node.op == "onnx.Add" and _is_float_residual(node)]
        if found:
            moved = sum(bytes_of(node.results[0]) for node in found)
            hazard = f"{count_of(len(found), 'residual sum')} of quantised convolutions in float ({mebibytes(moved)})"
            yield self.finding(found, hazard, "put Q and DQ on the other operand of the sum")


def _is_float_residual(node: Node) -> bool:
    operands = (node.operand(0), node.operand(1))
    if any(is_dequantized(v) or v is None or v.is_weight for v in operands):
        return False
    if sizes_of(operands[0]) != sizes_of(operands[1]):
        return False
    return any(_is_quantized_convolution(producer_of(v)) for v in operands)


def _is_quantized_convolution(node: Node | None) -> bool:
    while node is not None and node.op == "onnx.BatchNormalization":
        node = producer_of(node.operand(0))
    return node is not None and node.op == "onnx.Conv" and is_quantized(node)
