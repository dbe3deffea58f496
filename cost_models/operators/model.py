"""The cost model. What it computes with is imported where an architecture was measured: others need not wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphcost.cost import Estimate, KernelQuery, Refusal
from graphcost.device import DeviceProfile
from graphcost.toml_files import files_of

from . import FOLDER


@dataclass(frozen=True)
class Operators:
    """Convolutions on architectures whose single operators were measured; it refuses all else."""

    name: str = "operators"

    def estimate(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[Estimate]:
        """One answer for each query, in order."""
        if device.sm not in files_of(FOLDER):
            return [Refusal(f"no convolution in {query.precision} was measured on {device.sm}") for query in queries]
        from .convolutions import estimate

        return estimate(queries, device, self.name)


OPERATORS = Operators()
"""What the built-in plug-in offers."""
