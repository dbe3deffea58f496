"""Features without a scale: how a convolution fills tiles, waves and lanes, and where it stands between the limits.

Sizes are in units of the machine (tiles, waves, launches), so that what was learned on one board has a meaning on
another.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..tiles import Catalogue
from .physics import Machine, Times
from .table import Floats, OperatorTable

NAMES = (
    "compute_launches",  # log2 of compute over launch time
    "memory_launches",
    "compute_over_memory",
    "fill",  # of the slots of all waves
    "rounds",  # log2
    "steps",  # log2
    "pixel_padding",
    "channel_padding",
    "kernel",  # column of the catalogue: the tactic that physics chose
    "pixels",  # log2, in tiles of 128 over all SMs
    "channels",  # log2 of output channels
    "depth",  # log2 of input channels
    "lanes_in",  # input channels modulo 32, as a power of two
    "lanes_out",
    "side",  # log2 of the result's rows
    "images",  # log2
    "taps",
    "stride",
    "depthwise",
    "added",
    "cached",  # log2 of all bytes over the L2's
    "written_share",  # of the bytes
)

Numbers: TypeAlias = "NDArray[np.float64] | NDArray[np.int64]"

_EVEN_PIXELS = 128
_MOST_LANES = 32


def features(table: OperatorTable, found: Times, catalogue: Catalogue, machine: Machine) -> Floats:
    """Array of shape (operators, len(NAMES))."""
    c = table.columns
    columns = [
        _log2(found.compute_ms / found.launch_ms),
        _log2(found.memory_ms / found.launch_ms),
        _log2(found.compute_ms / found.memory_ms),
        _chosen(found.terms.fill, found),
        _log2(_chosen(found.terms.busy_rounds, found)),
        _log2(_chosen(found.terms.steps, found)),
        _padding(c.m, catalogue.tile_m[found.tactic]),
        _padding(c.n, catalogue.tile_n[found.tactic]),
        found.tactic,
        _log2(c.m * np.where(table.depthwise, c.products, 1) / (_EVEN_PIXELS * machine.limits.sm_count)),
        _log2(np.where(table.depthwise, c.products, c.n)),
        _log2(c.channels),
        _lanes(c.channels),
        _lanes(np.where(table.depthwise, c.products, c.n)),
        _log2(c.rows),
        _log2(c.images),
        c.taps,
        c.stride,
        table.depthwise,
        table.added,
        _log2((table.read_bytes + table.written_bytes) / max(machine.l2_bytes, 1.0)),
        table.written_bytes / (table.read_bytes + table.written_bytes),
    ]
    return np.concatenate([np.asarray(column, np.float64) for column in columns], axis=1)


def _chosen(values: Numbers, found: Times) -> Floats:
    return np.take_along_axis(np.asarray(values, np.float64), found.tactic, axis=1)


def _log2(values: Numbers) -> Floats:
    return np.asarray(np.log2(np.maximum(values, 1e-9)), np.float64)


def _padding(size: Numbers, tile: Numbers) -> Floats:
    """Padded over useful."""
    return np.asarray(-(-size // tile) * tile / size, np.float64)


def _lanes(channels: Numbers) -> Floats:
    """The largest power of two, up to 32, that divides the channels."""
    whole = np.asarray(channels, np.int64)
    lanes: Floats = np.minimum(whole & -whole, _MOST_LANES).astype(np.float64)
    return lanes
