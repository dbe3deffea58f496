"""Predicted against measured: how far off the figures are, and whether the intervals hold.

predict      measurements → predictions, through the pipeline and the cost models
nuisance     what a way of measuring adds: one constant for each source, device and measure
statistics   errors as numbers
study        predictions → summaries by group, misses by name
cross        the same with each family left out of the fit
document     docs/ACCURACY.md
"""

from __future__ import annotations

from .cross import Fitter, leave_one_family_out
from .nuisance import Constant
from .predict import Prediction, Refused, predict
from .study import GROUPS, Study, Summary, study

__all__ = [
    "GROUPS",
    "Constant",
    "Fitter",
    "Prediction",
    "Refused",
    "Study",
    "Summary",
    "leave_one_family_out",
    "predict",
    "study",
]
