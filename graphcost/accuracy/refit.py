"""Leaving families out, with the cost model that has parameters to fit."""

from __future__ import annotations

from collections.abc import Sequence

from graphcost.errors import UsageError
from graphcost.fit import Fittable, fitter
from graphcost.measurements import Measurement
from graphcost.plugin import load_registry

from .cross import leave_one_family_out
from .study import Study


def refitted_study(rows: Sequence[Measurement], by: Sequence[str], model: str = "steps") -> Study:
    """Each row predicted by the named cost model, fitted to the rows of all other families. UsageError for a model that
    cannot be fitted."""
    found = load_registry().cost_model(model)
    if not isinstance(found, Fittable):
        raise UsageError(f"cost model {model!r} has no parameters to fit")
    return leave_one_family_out(rows, fitter(found), by)
