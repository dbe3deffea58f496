"""Contractions as columns: one array for each of their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_MOST = 1 << 53
"""Multiply-adds: ten hours of a Nano at its peak, and whole numbers are exact in floats."""


class ContractionLike(Protocol):
    """What is read of a contraction: `m` pixels or rows, `n` output channels of a group, `k` depth, all plain ints."""

    @property
    def batch(self) -> int: ...
    @property
    def groups(self) -> int: ...
    @property
    def m(self) -> int: ...
    @property
    def n(self) -> int: ...
    @property
    def k(self) -> int: ...
    @property
    def window(self) -> tuple[int, ...]: ...
    @property
    def strides(self) -> tuple[int, ...]: ...
    @property
    def dilations(self) -> tuple[int, ...]: ...
    @property
    def output_dims(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class Columns:
    """Arrays of shape (contractions, 1), ready to be broadcast against a catalogue's (tactics,)."""

    products: Ints  # independent products: batch x groups
    m: Ints
    n: Ints
    k: Ints
    taps: Ints  # positions of the window; 1 for a matrix product
    stride: Ints  # the largest of them
    dilation: Ints
    images: Ints  # of m
    rows: Ints  # of an image's result
    cols: Ints

    def __len__(self) -> int:
        return len(self.m)

    @property
    def channels(self) -> Ints:
        """Input channels of a group."""
        return self.k // self.taps

    @property
    def macs(self) -> Ints:
        return self.products * self.m * self.n * self.k

    @classmethod
    def of(cls, contractions: Sequence[ContractionLike]) -> Columns:
        numbers = np.array([_row(contraction) for contraction in contractions], np.int64).reshape(-1, len(fields(cls)))
        return cls(*(numbers[:, i : i + 1] for i in range(len(fields(cls)))))


def countable(contraction: ContractionLike) -> bool:
    """Whether the numbers of a contraction and their products stay exact in columns; those of damaged files may not."""
    numbers = _row(contraction)
    return max(prod(max(number, 1) for number in numbers[:4]), *numbers) < _MOST


def _row(contraction: ContractionLike) -> tuple[int, ...]:
    rows, cols = _sides(contraction)
    return (
        contraction.batch * contraction.groups,
        contraction.m,
        contraction.n,
        contraction.k,
        prod(contraction.window),
        max(contraction.strides, default=1),
        max(contraction.dilations, default=1),
        max(1, contraction.m // max(1, rows * cols)),
        rows,
        cols,
    )


def _sides(contraction: ContractionLike) -> tuple[int, int]:
    """Rows and columns of one image's result; a matrix product is one long row."""
    space = contraction.output_dims[2:] if contraction.window else ()
    if not space:
        return 1, contraction.m
    return prod(space[:-1]), space[-1]
