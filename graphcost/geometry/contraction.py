"""One convolution or matrix product, as plain numbers from which tiles and waves are counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ContractionKind = Literal["conv", "deconv", "wgrad", "gemm"]


@dataclass(frozen=True, slots=True)
class Contraction:
    """One convolution or matrix product: `batch` x `groups` products of [m, k] by [k, n], so that
    batch · groups · m · n · k are its multiply-adds.

    conv: m = N·P·Q pixels of the result, n = output channels of a group, k = input channels of a group x window.
    deconv: m = N·H·W pixels of the input, n = output channels of a group x window, k = input channels of a group. The
    gradient of a convolution by its input (dgrad) is one: its input is the gradient of the result.
    wgrad (the gradient by the weights): m = output channels of a group, n = input channels of a group x window,
    k = N·P·Q pixels of the result.
    gemm: m rows of the result, n columns, k summed; rows of a batch that share one right operand are one product.
    """

    kind: ContractionKind
    batch: int
    groups: int
    m: int
    n: int
    k: int
    window: tuple[int, ...] = ()
    """Size along each spatial axis; empty for a gemm."""
    strides: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    input_dims: tuple[int, ...] = ()
    """As stored: N, C, H, W, but for operators that store channels last; of a gemm the left operand."""
    output_dims: tuple[int, ...] = ()
    transposed: bool = False
    """The right operand of a gemm is stored as [n, k]."""

    @property
    def macs(self) -> int:
        return self.batch * self.groups * self.m * self.n * self.k


def gemm(batch: int, m: int, n: int, k: int) -> Contraction:
    """A matrix product inside an operator whose operands are no matrices."""
    return Contraction("gemm", batch, 1, m, n, k)
