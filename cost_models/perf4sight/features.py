"""perf4sight's features: what tensors, GEMM, FFT and Winograd would take of each convolution, summed over a network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from graphcost.cost import KernelQuery
from graphcost.geometry import Contraction

from .forest import Floats

COUNT = 31

_WINOGRAD = ((4, 3), (3, 2))  # outputs of a tile along a side, and taps


@dataclass(frozen=True)
class Convolution:
    """The paper's names: batch, channels in and out, channels in of a group, sides of the maps, side of the window."""

    bs: int
    ic: int
    oc: int
    e: int
    ip: int
    op: int
    k: int


def step_features(queries: Sequence[KernelQuery]) -> Floats:
    """Sums over the forward convolutions of a network: (COUNT,)."""
    rows = [_features(found) for query in queries for found in _convolutions(query)]
    total: Floats = np.sum(rows, axis=0) if rows else np.zeros(COUNT)
    return total


def _convolutions(query: KernelQuery) -> Iterator[Convolution]:
    for part in query.contractions:
        if query.phase == "forward" and part.kind == "conv" and len(part.input_dims) == len(part.output_dims) == 4:
            yield _named(part)


def _named(part: Contraction) -> Convolution:
    (batch, channels, _, side), (_, outputs, _, result) = part.input_dims, part.output_dims
    return Convolution(batch, channels, outputs, channels // part.groups, side, result, part.window[-1])


def _features(c: Convolution) -> list[float]:
    parts = (*_tensors(c), *_gemm(c), *_fft(c), *(x for m, r in _WINOGRAD for x in _winograd(c, m, r)))
    return [float(part) for part in parts]


def _tensors(c: Convolution) -> tuple[int, ...]:
    """Elements of the weights, of their gradients by image, of the maps and their gradients."""
    weights = c.oc * c.e * c.k**2
    return weights, c.bs * weights, 2 * c.bs * c.ic * c.ip**2, 2 * c.bs * c.oc * c.op**2


def _gemm(c: Convolution) -> tuple[int, ...]:
    """Index and im2col of forward and of both gradients; operations."""
    window = c.k**2
    forward, by_input = c.bs * c.oc * c.op**2 * window * c.e, c.bs * c.ip**2 * window * c.ic * c.oc
    lowered = (
        c.bs * c.op**2, c.bs * c.op**2 * window * c.ic, c.bs * c.ip**2, c.bs * c.ip**2 * window * c.ic,
        c.bs * c.op**2 * window * c.e,
    )  # fmt: skip
    return *lowered, forward, by_input, 2 * forward + by_input


def _fft(c: Convolution) -> tuple[float, ...]:
    """Transformed tensors; operations on the input's and on the output's grid."""
    weights, given, made = c.oc * c.e, c.bs * c.ic, c.bs * c.oc
    memory = [c.ip * (1 + c.ip) * x for x in (weights, given, made)] + [c.op * (1 + c.op) * x for x in (weights, made)]
    operations = [
        x**2 * math.log2(max(x, 2)) * (given + made + weights) + c.bs * c.oc * c.ic * x**2 for x in (c.ip, c.op)
    ]
    return (*memory, *operations)


def _winograd(c: Convolution, m: int, r: int) -> tuple[int, ...]:
    """Transformed tiles, and operations, of forward and of both gradients."""
    area, taps = (m + r - 1) ** 2, (-(-c.k // r)) ** 2
    given, made = (-(-c.ip // m)) ** 2, (-(-c.op // m)) ** 2
    memory = (3 * c.bs * c.oc * area * given, 3 * c.bs * c.ic * area * made, 3 * c.bs * c.oc * c.e * area * given)
    by_weight = c.bs * c.oc * c.e * given * (-(-c.op // r)) ** 2 * area
    return *memory, c.bs * c.oc * c.e * given * taps * area, c.bs * c.ic * c.oc * made * taps * area, by_weight
