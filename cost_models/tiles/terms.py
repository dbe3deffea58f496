"""Step terms: what tiles and waves make of a contraction. Pure functions of integers; no clock, no rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .catalogue import Catalogue, Ints
from .columns import Columns
from .occupancy import Limits, Mask, blocks_per_sm, launchable

Floats = NDArray[np.float64]

_ACCUMULATOR_BYTES = 4
_INT8_VECTOR, _IMAGE_CHANNELS, _IMAGE_VECTOR = 32, 4, 8
"""Kernels over vectors of 32 channels have variants for an image, which read it in vectors of 4 (CHW4). The first layer
of a ResNet-18 in INT8 takes 0.073 ms on an A100 (ConvActPool, trex_tv-resnet18_A100_b32_qat-residual): channels padded
to 32 would take 0.178, to 8 they take 0.065, to 4 they would take 0.046."""


@dataclass(frozen=True)
class TileTerms:
    """Arrays of shape (contractions, tactics)."""

    eligible: Mask  # whether the kernel can compute the contraction at all, and be launched
    tiles: Ints  # blocks: tiles x split of K x independent products
    waves: Ints  # rounds of blocks: ceil(tiles / slots)
    busy_rounds: Ints  # tiles that the busiest SM computes one after another: ceil(tiles / SMs)
    slots: Ints  # blocks that run at once: SMs x blocks per SM
    steps: Ints  # steps of tile_k that a block takes
    tile_macs: Floats  # multiply-adds of a block, padding included
    padded_macs: Floats  # of all blocks
    wave_macs: Floats  # of the busiest SM x SMs: padded_macs with the last wave's idle SMs
    split_bytes: Ints  # partial sums that a split of K writes and reads again

    @property
    def fill(self) -> Floats:
        """Share of the slots of all waves that hold a block: 1 when the last wave is full."""
        return self.tiles / (self.waves * self.slots)

    @property
    def balance(self) -> Floats:
        """Share of the rounds of the busiest SM in which the others work too: 1 when the last round is full."""
        return self.padded_macs / self.wave_macs


def tile_terms(columns: Columns, catalogue: Catalogue, limits: Limits, precision: str = "f32") -> TileTerms:
    """The terms of every contraction with every kernel of the catalogue, on an SM array of these limits."""
    m, direct = _pixels(columns, catalogue)
    steps = _ceil(_ceil(_depth(columns, catalogue), catalogue.tile_k), catalogue.split_k)
    tiles = columns.products * _ceil(m, catalogue.tile_m) * _ceil(columns.n, catalogue.tile_n) * catalogue.split_k
    slots = np.broadcast_to(limits.sm_count * blocks_per_sm(catalogue, precision, limits), tiles.shape)
    tile_macs = catalogue.tile_m * catalogue.tile_n * catalogue.tile_k * steps * direct
    rounds = _ceil(tiles, limits.sm_count)
    return TileTerms(
        eligible=eligible(columns, catalogue) & launchable(catalogue, precision, limits),
        tiles=tiles,
        waves=_ceil(tiles, slots),
        busy_rounds=rounds,
        slots=slots,
        steps=np.broadcast_to(steps, tiles.shape),
        tile_macs=np.broadcast_to(tile_macs, tiles.shape),
        padded_macs=tiles * tile_macs,
        wave_macs=rounds * limits.sm_count * tile_macs,
        split_bytes=_split_bytes(columns, catalogue),
    )


def eligible(columns: Columns, catalogue: Catalogue) -> Mask:
    """Whether each kernel can compute each contraction; (contractions, tactics)."""
    kernels = catalogue.kernels
    pointwise = np.array([kernel.pointwise_only for kernel in kernels])
    most_channels = np.array([kernel.max_channels for kernel in kernels], np.int64)
    most_rows = np.array([kernel.max_rows for kernel in kernels], np.int64)
    single = (columns.taps == 1) & (columns.stride == 1)
    direct = catalogue.winograd == 0
    three = (columns.taps == 9) & (columns.stride == 1) & (columns.dilation == 1)
    splits = _ceil(columns.k, catalogue.tile_k) >= 2 * catalogue.split_k
    small: Mask = (columns.channels <= most_channels) & (columns.m <= most_rows)
    possible: Mask = small & (~pointwise | single) & (direct | three) & (splits | (catalogue.split_k == 1))
    return possible


def _pixels(columns: Columns, catalogue: Catalogue) -> tuple[Ints, Floats]:
    """Rows of the product, and multiply-adds per padded pixel and tap in units of the direct algorithm's.

    Winograd F(m x m, 3 x 3) computes blocks of m x m results: (m + 2)² products stand for 9 m² (Lavin and Gray, 2016).
    """
    edge = np.maximum(catalogue.winograd, 1)
    blocks = columns.images * _ceil(columns.rows, edge) * _ceil(columns.cols, edge)
    saved = np.where(catalogue.winograd > 0, (edge + 2) ** 2 / (9.0 * edge**2), 1.0)
    return np.where(catalogue.winograd > 0, blocks * edge**2, columns.m), saved


def _depth(columns: Columns, catalogue: Catalogue) -> Ints:
    """The depth of the reduction with channels padded at every position of the window."""
    image = (columns.channels <= _IMAGE_CHANNELS) & (catalogue.align == _INT8_VECTOR)
    align = np.where(image, _IMAGE_VECTOR, catalogue.align)
    return columns.taps * _ceil(columns.channels, align) * align


def _split_bytes(columns: Columns, catalogue: Catalogue) -> Ints:
    partial = columns.products * columns.m * columns.n * _ACCUMULATOR_BYTES
    return np.where(catalogue.split_k > 1, 2 * partial * catalogue.split_k, 0)


def _ceil(value: Ints, step: Ints | int) -> Ints:
    return -(-value // step)
