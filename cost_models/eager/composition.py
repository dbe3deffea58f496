"""What a step is made of, whatever its size: the coordinates in which steps are like each other."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .features import NAMES

Floats: TypeAlias = NDArray[np.float64]

_AT = {name: at for at, name in enumerate(NAMES)}
_MACS = [at for name, at in _AT.items() if name.endswith("_macs")]
_PRODUCTS = [at for name, at in _AT.items() if name.endswith("_macs") and not name.startswith("tile")]
_BYTES_OF_NORM = 4  # an element in FP32; a price of its own makes up for passes over it


def composition(amounts: Any) -> Floats:
    """Shares of a step's work, (steps, coordinates), from its amounts, (steps, names): MACs by kind of convolution and
    those lost to tiles, by all MACs; bytes by kind of kernel, by all bytes; bytes a MAC and MACs a launch as logs,
    divided so that a doubling counts like a share of a half and of a quarter."""
    given: Floats = np.asarray(amounts, float)
    macs = _positive(given[:, _PRODUCTS].sum(axis=1))
    norm = _BYTES_OF_NORM * given[:, _AT["norm_elements"]]
    convolution = given[:, _AT["conv_bytes"]]
    pool = _BYTES_OF_NORM * given[:, _AT["pool_backward_elements"]]
    moved = _positive(convolution + given[:, _AT["elementwise_bytes"]] + norm)
    launches = _positive(given[:, _AT["launches"]])
    shares = [norm / moved, convolution / moved, pool / moved]
    sizes = [np.log2(moved / macs) / 2, np.log2(macs / launches) / 4]
    return np.column_stack([given[:, _MACS] / macs[:, None], *shares, *sizes])


def _positive(values: Floats) -> Floats:
    """Steps without convolutions are far from all others, but finite."""
    found: Floats = np.maximum(values, 1e-9)
    return found
