"""The objective: Huber's loss of log(predicted / measured), and what each level of parameters costs to move.

The logarithms of a board are the prior, plus what all boards share, what its architecture shares, and its own:

    theta = prior + spread · (x_common + a · x_architecture + b · x_board)

Every x is normal with deviation 1 before the fit, so that a board with few rows stays near its architecture, and an
architecture near the others: ridge regression in levels. A constant of each (source, device, measure) is added to the
prediction; it is never negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .fittable import FitParameter, Floats
from .groups import Group, Mask

NOISE = 0.06
"""Deviation of log(predicted / measured) that is taken for noise: good sources differ by 2 to 15 % on one network."""

ARCHITECTURE = 0.7
"""What an architecture may add, in spreads of the prior (a); what a board may (b), the parameter says."""

SINGLE = 0.6
"""What a board may at least add when it is fitted alone: what its architecture lacks, it has to make up for."""

_CONSTANT_MS = 3.0
"""Deviation of a constant, in milliseconds."""

_FARTHEST = 6.0
"""No parameter moves by more spreads than this."""


@dataclass(frozen=True)
class Levels:
    """How the free numbers x are laid out: common, architectures, boards, constants. A single board has only its own
    level: what it inherits is its prior."""

    parameters: tuple[FitParameter, ...]
    architectures: tuple[str, ...]
    boards: tuple[str, ...]
    constants: int
    looseness: float = 1.0
    start: Floats | None = None
    """The logarithms from which a single board departs."""

    @property
    def width(self) -> int:
        return len(self.parameters)

    @property
    def size(self) -> int:
        return self.width * (1 + len(self.architectures) + len(self.boards)) + self.constants

    @property
    def is_single(self) -> bool:
        return self.start is not None

    def scales(self, group: Group) -> Floats:
        """Derivative of the group's theta by x, level by level: (levels, parameters)."""
        spread = self.looseness * np.array([p.spread for p in self.parameters])
        board = np.array([max(p.board, SINGLE if self.is_single else 0.0) for p in self.parameters])
        shared = 0.0 if self.is_single else 1.0
        return np.stack([shared * spread, shared * ARCHITECTURE * spread, board * spread])

    def starts(self, group: Group) -> tuple[int, int, int]:
        """Where the levels of the group begin in x."""
        architecture, board = self.architectures.index(group.architecture), self.boards.index(group.device.id)
        return 0, self.width * (1 + architecture), self.width * (1 + len(self.architectures) + board)

    def theta(self, x: Floats, group: Group) -> Floats:
        scaled = [scale * x[at : at + self.width] for at, scale in zip(self.starts(group), self.scales(group))]
        base = np.log([p.prior for p in self.parameters]) if self.start is None else self.start
        total: Floats = base + np.sum(scaled, axis=0)
        return total

    def constant_ms(self, x: Floats, group: Group) -> Floats:
        if not self.constants:
            return np.zeros(len(group.rows))
        return np.where(group.constant >= 0, x[-self.constants :][group.constant], 0.0)

    def bounds(self) -> tuple[Floats, Floats]:
        low, high = np.full(self.size, -_FARTHEST), np.full(self.size, _FARTHEST)
        if self.constants:
            low[-self.constants :], high[-self.constants :] = 0.0, np.inf
        return low, high

    def ridge(self) -> Floats:
        """What a unit of each x costs."""
        cost = np.ones(self.size)
        if self.constants:
            cost[-self.constants :] = 1 / _CONSTANT_MS
        return cost


def predict_ms(levels: Levels, x: Floats, group: Group) -> tuple[Floats, Floats]:
    """What a group's rows would read, constants included, and the derivatives by all x: (rows,), (rows, x)."""
    kernels_ms, by_theta = group.prepared.predict_ms(levels.theta(x, group))
    jacobian = np.zeros((len(group.rows), levels.size))
    for at, scale in zip(levels.starts(group), levels.scales(group)):
        jacobian[:, at : at + levels.width] += by_theta * scale
    with_constant = np.flatnonzero(group.constant >= 0)
    jacobian[with_constant, levels.size - levels.constants + group.constant[with_constant]] = 1.0
    return kernels_ms + levels.constant_ms(x, group), jacobian


def residuals(levels: Levels, x: Floats, groups: Sequence[Group], used: Sequence[Mask]) -> tuple[Floats, Floats]:
    """Residuals of all rows in use and of the ridge, in deviations, and their Jacobian."""
    values, slopes = [], []
    for group, mask in zip(groups, used):
        predicted_ms, jacobian = predict_ms(levels, x, group)
        weight = group.weight / NOISE
        values.append((np.log(predicted_ms / group.measured_ms) * weight)[mask])
        slopes.append((jacobian * (weight / predicted_ms)[:, None])[mask])
    ridge = levels.ridge()
    return np.concatenate([*values, ridge * x]), np.concatenate([*slopes, np.diag(ridge)])
