"""Fitting cost models to measurements: rows in, device files out.

    result = fit_rows(read_measurements("data.csv"), model)      # a Fittable cost model, such as `steps`
    write_shipped(result, folder)                                # or write_device(result, base, path)

Small physical vectors of parameters, in levels: all boards, architecture, board (objective.py); robust (solve.py);
errors by leaving families out; where the figures come from is written into the files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .fittable import FitParameter, Fittable

if TYPE_CHECKING:
    from graphcost.cost import CostModel
    from graphcost.measurements import Measurement

__all__ = ["FitParameter", "Fittable", "fitter"]


def fitter(model: Fittable) -> Callable[[Sequence[Measurement]], CostModel]:
    """From training rows to the model fitted to them and to nothing else: what leaving families out asks for."""
    from .result import Refitted, fit_rows

    return lambda rows: Refitted(model, fit_rows(rows, model, check=False))  # type: ignore[arg-type]
