"""Older opsets said some things with attributes that newer ones say with operands; here all become the newest form.

So every other room knows one form of each operator. Source: the version history in onnx's Changelog.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from graphcost.ir import Value
from graphcost.types import Attr, Constant

Operands = list["Value | None"]
Attrs = dict[str, Attr]
MakeConstant = Callable[[Constant], Value]


@dataclass(frozen=True, slots=True)
class Moved:
    """Before opset `until`, attribute `attr` stood for the operand in `slot`. `dtype` is that of the operand."""

    attr: str
    slot: int
    until: int
    dtype: str = "i64"
    scalar: bool = False


_AXES_13 = (Moved("axes", 1, 13),)
_AXES_18 = (Moved("axes", 1, 18),)
_REDUCTIONS_18 = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSumSquare",
)  # fmt: skip

_MOVED: Mapping[str, tuple[Moved, ...]] = {
    "Squeeze": _AXES_13,
    "Unsqueeze": _AXES_13,
    "ReduceSum": _AXES_13,
    **dict.fromkeys(_REDUCTIONS_18, _AXES_18),
    "Split": (Moved("split", 1, 13),),
    "Clip": (Moved("min", 1, 11, "f32", scalar=True), Moved("max", 2, 11, "f32", scalar=True)),
    "Pad": (Moved("pads", 1, 11), Moved("value", 2, 11, "f32", scalar=True)),
    "Slice": (Moved("starts", 1, 10), Moved("ends", 2, 10), Moved("axes", 3, 10)),
    "TopK": (Moved("k", 1, 10),),
    "Dropout": (Moved("ratio", 1, 12, "f32", scalar=True),),
    "Upsample": (Moved("scales", 1, 9, "f32"),),
}  # fmt: skip

_FLATTENING = frozenset({"Softmax", "LogSoftmax", "Hardmax"})


def modernize(op_type: str, opset: int, operands: Operands, attrs: Attrs, make: MakeConstant) -> str:
    """Change operands and attributes in place; the operator's name in the newest opset."""
    for moved in _MOVED.get(op_type, ()):
        if opset < moved.until and moved.attr in attrs:
            _move(moved, operands, attrs, make)
    if op_type in _FLATTENING:
        attrs.setdefault("axis", 1 if opset < 13 else -1)
    if op_type == "BatchNormalization" and opset < 14:
        attrs.pop("spatial", None)
    if op_type == "Upsample" or (op_type == "Resize" and opset < 11):
        operands.insert(1, None)  # the region of interest came with opset 11
        return "Resize"
    return op_type


def _move(moved: Moved, operands: Operands, attrs: Attrs, make: MakeConstant) -> None:
    value = attrs.pop(moved.attr)
    values = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(entry, (int, float)) for entry in values):
        return
    dims = () if moved.scalar and len(values) == 1 else (len(values),)
    while len(operands) <= moved.slot:
        operands.append(None)
    operands[moved.slot] = make(Constant(moved.dtype, dims, values))  # type: ignore[arg-type]


def constant_node(attrs: Mapping[str, Attr]) -> Constant | None:
    """The tensor of a Constant node from whichever attribute holds it; None where its data are not kept."""
    for key, dtype in _CONSTANT_FORMS.items():
        if key in attrs:
            return _constant(attrs[key], dtype)
    return None


_CONSTANT_FORMS = {
    "value": "", "value_int": "i64", "value_ints": "i64", "value_float": "f32", "value_floats": "f32",
    "value_string": "str", "value_strings": "str",
}  # fmt: skip


def _constant(value: Attr, dtype: str) -> Constant | None:
    if isinstance(value, Constant) or not dtype:
        return value if isinstance(value, Constant) else None
    if isinstance(value, tuple):
        return Constant(dtype, (len(value),), value)  # type: ignore[arg-type]
    return Constant(dtype, (), (value,)) if isinstance(value, (int, float, str)) else None
