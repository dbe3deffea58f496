"""Operations that scale or shift each channel by a constant, and the convolutions that can take them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from graphcost.ir import Node, Value
from graphcost.types import Dim, TensorType

NORM = "onnx.BatchNormalization"
_ANCHORS = ("onnx.Conv", "onnx.ConvTranspose", "onnx.Gemm")
_QUANTIZERS = ("onnx.QuantizeLinear", "onnx.DequantizeLinear")


class Unfit(Exception):
    """Why a node is not folded. `is_near` when all but one condition held, so that the reason is worth telling."""

    def __init__(self, reason: str, *, is_near: bool = False) -> None:
        super().__init__(reason)
        self.is_near = is_near


@dataclass(frozen=True)
class Affine:
    """A node that computes scale · data + shift, one scale and one shift for each channel (axis 1)."""

    node: Node
    data: Value
    scales: bool
    shifts: bool

    @property
    def bias_type(self) -> TensorType:
        """The type of a bias that takes in the shift: one number for each channel."""
        kind = self.node.results[0].type
        assert isinstance(kind, TensorType) and kind.dims is not None
        return TensorType(kind.dtype, kind.dims[1:2])


def batch_norm(node: Node) -> Affine:
    """BatchNormalization(data, scale, shift, mean, variance) in its inference form."""
    if node.attrs.get("training_mode", 0) or any(result.use_count for result in node.results[1:]):
        raise Unfit("it computes batch statistics, as in training")
    if len(node.operands) < 5:
        raise Unfit("it has fewer than five operands")
    data, *parameters = node.operands
    for parameter in parameters:
        if parameter is None or not is_constant(parameter):
            raise Unfit(f"%{parameter.name if parameter else '_'} is computed at run time")
    return Affine(node, _channelled(data), scales=True, shifts=True)


def scale(*slots: int) -> Callable[[Node], Affine]:
    """data · constant or data / constant; the constant may stand in one of `slots`."""
    return lambda node: Affine(node, _data_beside_constant(node, slots), scales=True, shifts=False)


def shift(*slots: int) -> Callable[[Node], Affine]:
    """data ± constant."""
    return lambda node: Affine(node, _data_beside_constant(node, slots), scales=False, shifts=True)


def _data_beside_constant(node: Node, slots: tuple[int, ...]) -> Value:
    for slot in slots:
        constant, data = node.operand(slot), node.operand(1 - slot)
        if constant is None or data is None or not constant.is_weight or data.is_weight:
            continue
        if not _is_per_channel(constant, _channelled(data)):
            raise Unfit(f"%{constant.name} is not one number for each channel", is_near=_is_anchored(data))
        return data
    raise Unfit("neither operand is a constant")


def _is_per_channel(constant: Value, data: Value) -> bool:
    """`[C,1,1]`, `[1,C,1,1]` or one number in all, so that the result has the shape and the type of the data."""
    if not isinstance(constant.type, TensorType) or not isinstance(data.type, TensorType):
        return False
    dims, own = data.type.dims or (), constant.type.dims
    if own is None or len(own) > len(dims) or constant.type.dtype != data.type.dtype:
        return False
    aligned = (1,) * (len(dims) - len(own)) + own
    return all(_fits(axis, dim, dims) for axis, dim in enumerate(aligned))


def _fits(axis: int, dim: Dim, dims: tuple[Dim, ...]) -> bool:
    return dim == 1 or (axis == 1 and dim == dims[1])


def _channelled(data: Value | None) -> Value:
    """A value that has channels: axis 1, their number known."""
    if data is None or not isinstance(data.type, TensorType) or data.type.dims is None or len(data.type.dims) < 2:
        raise Unfit("what it reads has no channels")
    if not isinstance(data.type.dims[1], int):
        raise Unfit(f"how many channels %{data.name} has is not known")
    return data


def _is_anchored(data: Value) -> bool:
    return data.producer is not None and data.producer.op in _ANCHORS


def anchor_of(affine: Affine) -> Node:
    """The convolution that can take the node in. Raises Unfit when there is none."""
    node, data = affine.node, affine.data
    anchor = data.producer
    if anchor is None or not _is_anchored(data):
        raise Unfit(f"%{data.name} does not come from a convolution or a Gemm")
    if data.use_count > 1:
        raise Unfit(f"%{data.name} has {data.use_count} readers", is_near=True)
    for parameter in anchor.operands[1:]:
        if parameter is not None and not is_constant(parameter):
            raise Unfit(f"{anchor.name} computes with %{parameter.name}, which is no constant", is_near=True)
    if anchor.op == "onnx.ConvTranspose" and anchor.attrs.get("group", 1) != 1:
        raise Unfit(f"{anchor.name} is transposed and in groups: no axis of its weights is the channel", is_near=True)
    if anchor.op == "onnx.Gemm" and anchor.operand(2) is not None and not _is_row(anchor):
        raise Unfit(f"{anchor.name} adds a whole matrix", is_near=True)
    if data.type != node.results[0].type:
        raise Unfit(f"%{data.name} and %{node.results[0].name} have different types", is_near=True)
    return anchor


def _is_row(gemm: Node) -> bool:
    """Whether a Gemm adds the same row everywhere, as a bias does."""
    bias = gemm.operand(2)
    if bias is None or not isinstance(bias.type, TensorType) or bias.type.dims is None:
        return False
    return all(dim == 1 for dim in bias.type.dims[:-1])


def is_constant(value: Value) -> bool:
    """A weight, or a weight behind Q/DQ, into whose scales a factor can go."""
    while (maker := value.producer) is not None:
        data, *parameters = maker.operands
        if maker.op not in _QUANTIZERS or data is None or not all(p is None or p.is_weight for p in parameters):
            return False
        value = data
    return value.is_weight


Read: TypeAlias = Callable[[Node], Affine]

CHANNELWISE: Mapping[str, Read] = {
    NORM: batch_norm,
    "onnx.Mul": scale(0, 1),
    "onnx.Div": scale(1),
    "onnx.Add": shift(0, 1),
    "onnx.Sub": shift(1),
}
"""How to read each operator. Raises Unfit where it is nothing of the kind."""
