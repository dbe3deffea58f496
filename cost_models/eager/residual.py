"""What prices leave over, learned: kernel ridge regression on the composition of steps.

    log(measured / predicted) ~ sum over support steps of weight · exp(-|z - z'|² / (2 · LENGTH²))

It says nothing far from the steps that it has seen: on a network of another composition the correction is zero and the
prices stand alone (Rasmussen and Williams 2006, chapter 2: the mean of a Gaussian process).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graphcost.errors import UsageError

from .composition import Floats

LENGTH = 0.15
"""The distance within which steps are alike."""
RIDGE = 0.5
"""Noise of a measured step against what there is to learn, as variances."""
_LARGEST = 0.3
"""No step teaches a larger correction: beyond it something else went on, such as swapping."""


@dataclass(frozen=True)
class Residual:
    """Support steps (steps, coordinates) and their weights (steps,)."""

    supports: Floats
    weights: Floats

    def __call__(self, composition: Floats) -> Floats:
        """The correction's logarithm of each step."""
        found: Floats = _alike(composition, self.supports) @ self.weights
        return found


NONE = Residual(np.zeros((0, 1)), np.zeros(0))


def learn(composition: Floats, log_ratio: Floats) -> Residual:
    """From log(measured / predicted) of steps."""
    wanted = np.clip(log_ratio, -_LARGEST, _LARGEST)
    system = _alike(composition, composition) + RIDGE * np.eye(len(wanted))
    return Residual(composition, np.asarray(np.linalg.solve(system, wanted), np.float64))


def read(path: Path) -> Residual:
    """A file that `write` made. UsageError where it is damaged."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return Residual(np.array(table["supports"], float), np.array(table["weights"], float))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"cannot read {path}: {error}; `make fit-training` writes it") from error


def as_json(residual: Residual) -> str:
    """Three decimals of coordinates and four of weights, which is far below what they mean."""
    table = {"supports": residual.supports.round(3).tolist(), "weights": residual.weights.round(4).tolist()}
    return json.dumps(table, separators=(",", ":"))


def _alike(one: Floats, other: Floats) -> Floats:
    """(n, d) and (m, d) -> (n, m): 1 for equals, 0 for strangers."""
    if not len(other):
        return np.zeros((len(one), 0))
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None, :] - 2 * one @ other.T
    found: Floats = np.exp(-np.maximum(squares, 0.0) / (2 * LENGTH**2))
    return found
