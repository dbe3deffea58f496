"""What loading operands from shared memory leaves of the rate of the CUDA cores."""

from __future__ import annotations

import numpy as np

from .catalogue import Catalogue, Floats

_THREADS_PER_WARP = 32
_OPERANDS_PER_LOAD = 4


def shares_of_peak(catalogue: Catalogue, fp32_flops_per_clock_per_sm: float) -> Floats:
    """The share of its unit's peak that the inner loop of each kernel leaves to multiply-adds; (kernels,).

    A thread computes a x b results. At each step of K it loads a + b operands, four at a time, and then multiplies a·b
    times. Shared memory is as wide on an SM of 128 lanes as on one of 64, so with more lanes loading weighs more. The
    share is 1 where the catalogue states no `load_clocks`: there, the fitted utilisation has it in it.
    """
    results = catalogue.tile_m * catalogue.tile_n / (catalogue.warps * _THREADS_PER_WARP)
    longer_side = 2 ** np.ceil(np.log2(np.maximum(results, 1)) / 2)
    loading = (longer_side + results / longer_side) / _OPERANDS_PER_LOAD * catalogue.load_clocks
    multiplying = results * _THREADS_PER_WARP / max(fp32_flops_per_clock_per_sm / 2, 1.0)
    share: Floats = multiplying / (multiplying + loading)
    return share
