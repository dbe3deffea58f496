"""Kernels that read integers, and that write them: dequantizers before and the quantizer behind them are taken in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass
from graphcost.rewrite import Anchor, FusionRule, Match, Reject, Versions
from graphcost.types import Attr

from .channelwise import is_constant
from .fusing import POINTWISE, PWN, fuse
from .int8 import INT8_CONTRACTIONS, is_explicit
from .quantizers import DEQUANTIZE, POOLS, QUANTIZE, dequantizer_of, only_reader
from .retype import dtype_of

_NARROW = frozenset({"i8", "f8e4m3fn", "f8e5m2"})
_CONTRACTIONS = INT8_CONTRACTIONS | {"trt.conv_act"}


@dataclass(frozen=True)
class FuseQuantizers(Pass):
    """Let kernels read and write integers, where Q/DQ stand around them.

    - A convolution or product in INT8 reads its data and its weights through their dequantizers. It takes in the
      quantizer that alone reads its result, unless it adds a tensor that is not quantized itself.
    - Pooling and pointwise kernels take in the dequantizers of all that they read together with the quantizer behind.
    - Dequantizers of weights go into the product that reads them, whatever it computes in.
    """

    name: ClassVar[str] = "fuse-quantizers"

    def run(self, graph: Graph, ctx: Context) -> Change:
        return fuse(self.name, graph, RULES, ctx) if is_explicit(graph) else UNCHANGED


@dataclass(frozen=True)
class Between(Anchor):
    """An anchor, the dequantizers that it reads and the quantizer that reads it: what `around` says of them."""

    absorbs: frozenset[str] = frozenset({QUANTIZE})
    limit: int = 2
    around: Callable[[Node], tuple[Node, ...]] = lambda node: ()

    def find(self, anchor: Node) -> Match:
        nodes = self.around(anchor)
        if len(nodes) == 1:
            raise _refusal(anchor)
        return Match(nodes, {}, {"anchor": anchor})


def around_contraction(node: Node) -> tuple[Node, ...]:
    """A contraction with the dequantizers and the quantizer that it takes in, in the order of execution."""
    read = [maker for value in node.inputs if (maker := _own_dequantizer(value, node)) is not None]
    weights = [maker for maker in read if is_constant(maker.results[0])]
    if node.attrs.get("precision") not in _NARROW:
        return (*weights, node)
    factors = [maker for maker in read if maker.results[0] in _factors(node)]
    behind = _quantizer_behind(node)
    if behind is None or any(not _is_narrow(value, read) for value in _addends(node)):
        return (*_once(factors, weights), node)
    return (*_once(read), node, behind)


def around_node(node: Node) -> tuple[Node, ...]:
    """A kernel of another kind with all dequantizers before it and the quantizer behind it, or alone."""
    tensors = [value for value in node.inputs if not value.is_weight]
    before = [maker for value in tensors if (maker := _own_dequantizer(value, node)) is not None]
    behind = _quantizer_behind(node)
    if behind is None or not tensors or len(before) < len(tensors):
        return (node,)
    return (*before, node, behind)


def _own_dequantizer(value: Value, reader: Node) -> Node | None:
    maker = dequantizer_of(value)
    return maker if maker is not None and only_reader(value) is reader else None


def _quantizer_behind(node: Node) -> Node | None:
    behind = only_reader(node.results[0]) if len(node.results) == 1 else None
    return behind if behind is not None and behind.op == QUANTIZE and behind.operand(0) is node.results[0] else None


def _factors(node: Node) -> frozenset[Value]:
    """What the contraction in a kernel multiplies, as seen from outside."""
    if not node.bodies:
        return frozenset(value for value in node.operands[:2] if value is not None)
    body = node.bodies[0]
    outside = {inner: node.operand(slot) for inner, slot in zip(body.inputs, body.binds) if slot is not None}
    read = [v for inner in body if inner.op in INT8_CONTRACTIONS for v in inner.operands[:2] if v is not None]
    stored = [v if (maker := dequantizer_of(v)) is None else maker.inputs[0] for v in read]
    return frozenset(value for v in stored if (value := outside.get(v)) is not None)


def _addends(node: Node) -> list[Value]:
    """The other activations that a kernel reads: a residual."""
    factors = _factors(node)
    return [value for value in node.inputs if value not in factors and not is_constant(value)]


def _refusal(node: Node) -> Reject:
    """Why a kernel has no more quantizers to take in."""
    readers = [reader for result in node.results for reader in result.readers]
    quantizer = next((reader for reader in readers if reader.op == QUANTIZE), None)
    if quantizer is None:
        return Reject(f"no QuantizeLinear reads what {node.name} gives", node, (node,))
    if _quantizer_behind(node) is None:
        others = ", ".join(reader.name for reader in readers if reader is not quantizer)
        return Reject(f"{quantizer.name} stays apart: {others} also reads what {node.name} gives", quantizer, (node,))
    read = _addends(node) if node.attrs.get("precision") in _NARROW else node.inputs
    wide = ", ".join(f"%{v.name}" for v in read if not is_constant(v) and dequantizer_of(v) is None)
    return Reject(f"{quantizer.name} stays apart: {node.name} also reads {wide or 'floats'}", quantizer, (node,))


def _is_narrow(value: Value, read: list[Node]) -> bool:
    return value.producer in read


def _once(*groups: list[Node]) -> list[Node]:
    return list(dict.fromkeys(node for group in groups for node in group))


# Names


def _quantized_name(match: Match) -> str:
    """`w + QuantizeLinear_7 + Conv_9`: the weight, what quantized it, the kernel."""
    anchor = match.named["anchor"]
    weights = [node for node in match.nodes if node.op == DEQUANTIZE and is_constant(node.results[0])]
    kernel = anchor.name.removesuffix(_unspelled(anchor))
    return " + ".join([*(part for node in weights[:1] for part in _weight_names(node)), kernel])


def _unspelled(kernel: Node) -> str:
    """The ReLU that was removed together with a batch norm: quantized layers do not spell it (QConvScaleFusion,
    "Removing BatchNormalization_158 + Relu_159" in a build log of 8.5.10)."""
    steps = [step for body in kernel.bodies for step in body]
    has_norm = len(steps) == 2 and len(steps[0].own_origin) > 1
    return f" + {steps[1].name}" if has_norm and steps[1].op == "onnx.Relu" else ""


def _weight_names(dequantizer: Node) -> list[str]:
    stored = dequantizer.inputs[0].name
    return [stored, *(origin.name for origin in dequantizer.own_origin if origin.name != dequantizer.name)]


def _anchor_name(match: Match) -> str:
    return match.named["anchor"].name


def _attrs(match: Match) -> Mapping[str, Attr]:
    """A kernel that reads integers computes in them; others as their anchor does."""
    anchor, reads = match.named["anchor"], match.nodes[0]
    decided = anchor.attrs.get("precision")
    if anchor.op in _CONTRACTIONS | {"trt.conv_pointwise"}:
        return {} if decided is None else {"precision": decided}
    return {"precision": dtype_of(reads.inputs[0])}


_SINCE_8 = (Versions("tensorrt", (8,)),)

RULES = (
    FusionRule(
        name="quantized-convolution",
        kernel="trt.conv_act",
        priority=20,
        evidence="QuantizeDoubleInputNodes, QuantizeConvWithResidualAdd in build logs (8.5.10); layers "
        "`layer1.0.conv2.weight + QuantizeLinear_32 + Conv_34 + Add_42 + Relu_43` with INT8 residual and result, and "
        "`layer4.1.conv2.weight + QuantizeLinear_282 + Conv_284 + Add_292 + Relu_293` beside DequantizeLinear_291 "
        "(trex_tv-resnet18_A100_b32_qat-residual)",
        anchor=Between(_CONTRACTIONS, around=around_contraction),
        attrs=_attrs,
        names=_quantized_name,
        runtimes=_SINCE_8,
    ),
    FusionRule(
        name="quantized-convolution-pointwise",
        kernel="trt.conv_pointwise",
        priority=20,
        evidence="layers `features.0.0.weight + QuantizeLinear_8 + Conv_12 + PWN(Clip_16)` with INT8 input and result "
        "(trex_mobilenet_TITANRTX_qat)",
        anchor=Between(frozenset({"trt.conv_pointwise"}), around=around_contraction),
        attrs=_attrs,
        names=_quantized_name,
        runtimes=_SINCE_8,
    ),
    FusionRule(
        name="quantized-pooling",
        kernel="trt.pool",
        priority=10,
        evidence="QuantizeSingleInputNodes in build logs (8.5.10); a pooling without a quantizer behind it stays in "
        "floats: GlobalAveragePool_246 (trex_tv-resnet18_A100_b32_qat)",
        anchor=Between(POOLS, around=around_node),
        attrs=_attrs,
        names=_anchor_name,
        runtimes=_SINCE_8,
    ),
    FusionRule(
        name="quantized-pointwise",
        kernel=PWN,
        priority=10,
        evidence="EltwiseAddToPwn in a build log of a quantized YOLOv8 (8.4.12): the sums of its bottlenecks are "
        "pointwise kernels; that they read and write integers is inferred from QuantizeDoubleInputNodes",
        anchor=Between(POINTWISE | {PWN}, around=around_node),
        attrs=_attrs,
        names=_anchor_name,
        runtimes=_SINCE_8,
    ),
)
