"""Convolutions as matrix products."""

from __future__ import annotations

import math

from graphcost.ir import Node
from graphcost.work.sizes import integer, integers, operand_shape, result_elements, result_shape

from .contraction import Contraction, gemm


def convolution(weight: int, node: Node) -> Contraction:
    """`weight` is the operand that holds the filters."""
    groups, filters = integer(node, "group", 1), operand_shape(node, weight)
    window = integers(node, "kernel_shape") or filters[2:]
    channels = filters[0] // groups
    pixels = result_elements(node) // max(filters[0], 1)
    return Contraction(
        "conv", 1, groups, pixels, channels, math.prod(filters[1:]), window,
        *_steps(node, window), operand_shape(node), result_shape(node),
    )  # fmt: skip


def transposed_convolution(node: Node) -> Contraction:
    groups, filters, given = integer(node, "group", 1), operand_shape(node, 1), operand_shape(node)
    window = integers(node, "kernel_shape") or filters[2:]
    pixels = math.prod(given) // max(given[1], 1)
    return Contraction(
        "deconv", 1, groups, pixels, math.prod(filters[1:]), filters[0] // groups, window,
        *_steps(node, window), given, result_shape(node),
    )  # fmt: skip


def deformable_convolution(node: Node) -> Contraction:
    """Its inputs are sampled into columns first, so that what is left has no window: pixels by filters over samples."""
    groups, filters = integer(node, "group", 1), operand_shape(node, 1)
    pixels = result_elements(node) // max(filters[0], 1)
    return gemm(groups, pixels, filters[0] // groups, math.prod(filters[1:]))


def convolution_gradient(node: Node) -> Contraction | None:
    """Operands: the gradient of the result, input, weight. That of the bias (`wrt` 2) is a sum and no product."""
    gradient, given, filters = (operand_shape(node, at) for at in range(3))
    groups, wrt = integer(node, "group", 1), integer(node, "wrt")
    if wrt not in (0, 1):
        return None
    channels, window = filters[0] // groups, filters[2:]
    pixels, taps = math.prod(gradient) // max(filters[0], 1), math.prod(filters[1:])
    steps = _steps(node, window)
    if wrt == 1:
        return Contraction("wgrad", 1, groups, channels, taps, pixels, window, *steps, given, gradient)
    return Contraction("deconv", 1, groups, pixels, taps, channels, window, *steps, gradient, given)


def _steps(node: Node, window: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Strides and dilations, 1 along each axis where the file says nothing."""
    ones = (1,) * len(window)
    return integers(node, "strides") or ones, integers(node, "dilations") or ones
