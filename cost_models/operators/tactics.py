"""What each tactic would take: the times among which an autotuner chooses.

The physics of a tile, times a factor for what a name says beside its tile: kernels that are specialised for a window or
for small operands are built differently inside.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..tiles import Catalogue, tile_terms
from ..tiles.grammar import VARIANTS, variants_of
from .physics import Machine, Parameters, joined, tiled_ms
from .table import Floats, OperatorTable

FACTORS = (*VARIANTS, "dp4a")
"""Names of the factors, in the order of their vector."""


def tactic_times(
    table: OperatorTable, catalogue: Catalogue, machine: Machine, parameters: Parameters, log_factors: Sequence[float]
) -> Floats:
    """Milliseconds of every operator with every kernel, (operators, kernels); infinite where a kernel cannot."""
    terms = tile_terms(table.columns, catalogue, machine.limits, machine.precision)
    has = np.array([variants_of(kernel.name) for kernel in catalogue.kernels], np.float64)
    compute = tiled_ms(terms, catalogue, machine, parameters) * np.exp(has @ np.asarray(log_factors, np.float64))
    memory = (table.read_bytes + table.written_bytes) / (machine.bytes_per_s * parameters.memory_share) * 1e3
    total = parameters.launch_us / 1e3 + joined(compute, np.broadcast_to(memory, compute.shape))
    return np.where(terms.eligible, total, np.inf)
