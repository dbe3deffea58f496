"""Convolutions: plain, transposed, deformable, quantised, channels last, causal with a carried state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import Dim, Type, Unknown

from .errors import ShapeMismatch
from .reading import Dims, agree, count, dims, give, integer, integers, known_dims, plain, tensor, typed
from .window import slide, spread, window


def convolution(x: int = 0, w: int = 1, like: int | str = 0, channels_last: bool = False) -> InferTypes:
    """Conv whose input and weights stand in slots `x` and `w`. `like` names the slot whose element type the result
    has, or that type itself."""

    def infer(node: Node, known: Known) -> list[Type]:
        last = channels_last or bool(integer(node, "channels_last"))
        result = typed(node, x, _convolved(node, dims(node, x), dims(node, w), last))
        return give(node, result.with_dtype(like if isinstance(like, str) else tensor(node, like).dtype))

    return infer


def _convolved(node: Node, data: Dims | None, weights: Dims | None, last: bool) -> Dims | None:
    if data is None or weights is None:
        return None
    _same_rank(node, data, weights)
    if not last:
        return _channels_first(node, data, weights)
    data = _moved(data)
    result = _channels_first(node, data, _filters(node, weights, data[1]))
    return (result[0], *result[2:], result[1])


def _channels_first(node: Node, data: Dims, weights: Dims) -> Dims:
    agree(node, data[1], weights[1] * count(node, "group"), "channels of the input and of the weights")
    return (data[0], weights[0], *slide(node, data[2:], _kernel(node, weights)))


def _same_rank(node: Node, data: Dims, weights: Dims) -> None:
    if len(data) != len(weights) or len(data) < 2:
        raise ShapeMismatch(node, f"an input of {len(data)} dimensions does not fit weights of {len(weights)}")


def _moved(shape: Dims) -> Dims:
    """Channels moved from the last axis to axis 1."""
    return (shape[0], shape[-1], *shape[1:-1])


def _filters(node: Node, weights: Dims, channels: Dim) -> Dims:
    """Weights of channels-last data as [M, C/group, kernel...]: some kernels keep them so, others store channels last
    as well; the order that fits the channels is taken."""
    return weights if weights[1] * count(node, "group") == channels else _moved(weights)


def _kernel(node: Node, weights: Dims) -> Dims:
    return integers(node, "kernel_shape") or weights[2:]


def conv_transpose(node: Node, known: Known) -> list[Type]:
    return give(node, typed(node, 0, _transposed(node, dims(node, 0), dims(node, 1), None)))


def conv_transpose_dynamic_pads(node: Node, known: Known) -> list[Type]:
    """com.microsoft: the pads are operand 2."""
    pads = known_dims(node, known, 2)
    if pads is None or any(isinstance(pad, Unknown) for pad in pads):
        return give(node, typed(node, 0, None))
    fixed = tuple(pad for pad in pads if isinstance(pad, int))
    return give(node, typed(node, 0, _transposed(node, dims(node, 0), dims(node, 1), fixed)))


def _transposed(node: Node, data: Dims | None, weights: Dims | None, pads: tuple[int, ...] | None) -> Dims | None:
    """`weights` are [C, M/group, kernel...]. `output_shape` names the spatial dimensions; some files list all."""
    if data is None or weights is None:
        return None
    _same_rank(node, data, weights)
    agree(node, data[1], weights[0], "channels of the input and of the weights")
    spatial: Dims = integers(node, "output_shape")[2 - len(data) :]
    if not spatial:
        win = window(node, _kernel(node, weights))
        win = win if pads is None else replace(win, pads=pads)
        spatial = spread(node, win, data[2:])
    return (data[0], weights[1] * count(node, "group"), *spatial)


def causal_conv_with_state(node: Node, known: Known) -> list[Type]:
    """The state carries the positions before the next one that a window still reaches: kernel - 1, times dilation."""
    return give(node, plain(node, 0), typed(node, 0, _state(node, dims(node, 0), dims(node, 1))))


def _state(node: Node, data: Dims | None, weights: Dims | None) -> Dims | None:
    """[batch, channels, reach], or [batch, reach, ...] channels last; com.microsoft may keep a window of states."""
    if data is None or weights is None or len(weights) < 3:
        return None
    reach = (weights[2] - 1) * integer(node, "dilation", 1)
    state = (data[0], reach, *data[2:]) if integer(node, "channels_last") else (*data[:2], reach)
    kept = integer(node, "state_window")
    return (kept, *state) if kept else state


SHAPES: Mapping[str, InferTypes] = {
    "onnx.Conv": convolution(),
    "onnx.ConvInteger": convolution(like="i32"),
    "onnx.QLinearConv": convolution(w=3, like=7),
    "onnx.DeformConv": convolution(),
    "onnx.ConvTranspose": conv_transpose,
    "onnx.CausalConvWithState": causal_conv_with_state,
    "com.microsoft.FusedConv": convolution(),
    "com.microsoft.NhwcConv": convolution(channels_last=True),
    "com.microsoft.NhwcFusedConv": convolution(channels_last=True),
    "com.microsoft.QLinearConv": convolution(w=3, like=7),
    "com.microsoft.ConvTransposeWithDynamicPads": conv_transpose_dynamic_pads,
    "com.microsoft.CausalConvWithState": causal_conv_with_state,
}
