"""Kernels as tiles: a catalogue in TOML, and the step terms that its tiles give, vectorised over queries and tactics.

    catalogue = catalogue_of("sm_87", "f16", "conv")      # arrays over tactics (a tile and its split of K)
    terms = tile_terms(Columns.of(contractions), catalogue, limits_of(device))
    terms.wave_macs                                       # (contractions, tactics): what the SMs are busy with

A convolution is a matrix product: M pixels, N output channels, K = window times input channels. Blocks compute tiles
of it, SMs run blocks in waves, and what is padded is computed too: latency is a staircase in M, N and K.
"""

from __future__ import annotations

from .catalogue import Catalogue, Kernel, catalogue_of, read_kernels
from .columns import Columns, countable
from .occupancy import Limits, blocks_per_sm, launchable, limits_of
from .operands import shares_of_peak
from .terms import TileTerms, eligible, tile_terms

__all__ = [
    "countable",
    "Catalogue",
    "Columns",
    "Kernel",
    "Limits",
    "TileTerms",
    "blocks_per_sm",
    "catalogue_of",
    "eligible",
    "launchable",
    "limits_of",
    "read_kernels",
    "shares_of_peak",
    "tile_terms",
]
