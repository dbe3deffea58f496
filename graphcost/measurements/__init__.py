"""Measured latencies, in the one form that `fit`, `accuracy` and `compare` read.

measurement   a row: what was timed, on what, how
table         the common CSV → rows, each refusal with its line and column
profile       trtexec's --exportProfile JSON → rows, one a layer that is predicted as it is
generator     rows whose model is made and not read
host          what a clock outside the GPU sees besides the GPU's time
kernels       a row → the kernels that were timed, through the pipeline of its target
folds         rows that are kept together when fit and test are split
"""

from __future__ import annotations

from .folds import Fold, families_or_parts, folds
from .generator import Generator, load_generator
from .kernels import Timed, queries_of_measurement, timed_kernels
from .measurement import Generated, Measurement
from .profile import Profile, read_profile
from .table import read_measurements

__all__ = [
    "Fold",
    "Generated",
    "Generator",
    "Measurement",
    "Profile",
    "Timed",
    "families_or_parts",
    "folds",
    "load_generator",
    "queries_of_measurement",
    "read_measurements",
    "read_profile",
    "timed_kernels",
]
