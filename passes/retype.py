"""New types for values in memory, once it is decided in what their producers and readers compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphcost.ir import Graph, Node, Value
from graphcost.types import Quantization, TensorType

CALIBRATED = Quantization()
"""Scales come from calibration, so nobody knows them."""

CALIBRATED_FROM = ("f32", "f16")
"""The types of exported networks that calibration brings to INT8."""

_KEEP_PARAMETERS = ("onnx.QuantizeLinear", "onnx.DequantizeLinear")
"""Their scales are f32 whatever is quantized."""

_WIDE_PARAMETERS = ("onnx.BatchNormalization", "onnx.PRelu")
"""Scales and slopes by channel multiply what was dequantized: they are never quantized themselves."""


def dtype_of(value: Value) -> str:
    """The element type; `?` for what is no tensor."""
    return value.type.dtype if isinstance(value.type, TensorType) else "?"


def retype_all(graph: Graph, plan: Mapping[Node, str], fallback: str, is_free: Callable[[Node], bool]) -> None:
    """Give every f32 value that may change the type in which it is kept; an f16 value only i8."""
    for value in tuple(graph.values()):
        exported = dtype_of(value)
        if exported not in CALIBRATED_FROM or not _may_change(value, is_free):
            continue
        kept = _weight_dtype(value, plan) if value.is_weight else _result_dtype(value, plan, fallback)
        if exported == "f32" or kept == "i8":
            _set_dtype(value, kept)


def _may_change(value: Value, is_free: Callable[[Node], bool]) -> bool:
    """Not inputs, outputs, known small constants and scalars, nor what touches a node whose types are fixed."""
    if value.producer is None and not value.is_weight:
        return False
    if value.is_weight and (value.constant is not None or value.type.elements == 1):
        return False
    ends = value.readers if value.producer is None else (value.producer, *value.readers)
    return all(node is not node.graph.exit and is_free(node) for node in ends if node.graph is not None)


def _result_dtype(value: Value, plan: Mapping[Node, str], fallback: str) -> str:
    """As its producer computes; i8 only where every reader takes that."""
    assert value.producer is not None
    precision = plan.get(value.producer)
    if precision == "i8":
        return "i8" if all(plan.get(reader) == "i8" for reader in value.readers) and value.use_count else fallback
    return "f16" if precision == "f16" else "f32"


def _weight_dtype(value: Value, plan: Mapping[Node, str]) -> str:
    """As its readers compute. Of an INT8 contraction the weight (operand 1) is i8, its bias stays f32."""
    if any(node.op in _KEEP_PARAMETERS for node in value.readers):
        return "f32"
    precisions = {plan.get(node) for node in value.readers}
    if precisions == {"i8"} and all(slot == 1 and node.op not in _WIDE_PARAMETERS for node, slot in value.uses):
        return "i8"
    return "f16" if "f16" in precisions and precisions <= {"f16", "i8"} else "f32"


def _set_dtype(value: Value, dtype: str) -> None:
    kind = value.type
    assert isinstance(kind, TensorType)
    value.type = TensorType(dtype, kind.dims, kind.format, CALIBRATED if dtype == "i8" else kind.quantization)
