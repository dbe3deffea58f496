"""The objective: Huber's loss of log(predicted / measured), and what each level of parameters costs to move.

The logarithms of a board are the prior, plus what all boards share, what its architecture shares, and its own:

    theta = prior + spread · (x_common + a · x_architecture + b · x_board)

Every x is normal with deviation 1 before the fit, so that a board with few rows stays near its architecture, and an
architecture near the others: ridge regression in levels. What a clock outside the GPU sees besides
(`graphcost/measurements/host.py`) is fitted beside them, for each (source, device, measure).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphcost.measurements.host import CONSTANT_MS, ENQUEUE_US, FIRST_ENQUEUE_US, observed_ms

from .fittable import FitParameter, Floats
from .groups import Group, Mask

NOISE = 0.06
"""Deviation of log(predicted / measured) that is taken for noise: good sources differ by 2 to 15 % on one network."""

ARCHITECTURE = 0.5
"""What an architecture may add, in spreads of the prior (a); what a board may (b), the parameter says."""

SINGLE = 0.6
"""What a board may at least add when it is fitted alone: what its architecture lacks, it has to make up for."""

_FARTHEST = 6.0
"""No parameter moves by more spreads than this."""


@dataclass(frozen=True)
class Levels:
    """How the free numbers x are laid out: common, architectures, boards, then what hosts add: the microseconds to
    enqueue a kernel, and the constants in milliseconds. A single board has only its own level: what it inherits is its
    prior."""

    parameters: tuple[FitParameter, ...]
    architectures: tuple[str, ...]
    boards: tuple[str, ...]
    hosts: int
    start: Floats | None = None
    """The logarithms from which a single board departs."""

    @property
    def width(self) -> int:
        return len(self.parameters)

    @property
    def size(self) -> int:
        return self.width * (1 + len(self.architectures) + len(self.boards)) + 2 * self.hosts

    @property
    def is_single(self) -> bool:
        return self.start is not None

    def scales(self, group: Group) -> Floats:
        """Derivative of the group's theta by x, level by level: (levels, parameters)."""
        spread = np.array([p.spread for p in self.parameters])
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

    @property
    def enqueue(self) -> slice:
        """Where the microseconds that a kernel takes to enqueue are in x."""
        return slice(self.size - 2 * self.hosts, self.size - self.hosts)

    @property
    def constant(self) -> slice:
        return slice(self.size - self.hosts, self.size)

    def enqueue_ms(self, x: Floats, group: Group) -> Floats:
        """What the host of each row takes to enqueue its kernels; 0 where the GPU's own clock was read."""
        return _of_rows(x[self.enqueue], group) * group.prepared.launches * 1e-3

    def constant_ms(self, x: Floats, group: Group) -> Floats:
        return _of_rows(x[self.constant], group)

    def bounds(self) -> tuple[Floats, Floats]:
        low, high = np.full(self.size, -_FARTHEST), np.full(self.size, _FARTHEST)
        low[self.enqueue.start :], high[self.enqueue.start :] = 0.0, np.inf
        return low, high

    def first(self) -> Floats:
        """Where the search begins."""
        x = np.zeros(self.size)
        x[self.enqueue] = FIRST_ENQUEUE_US
        return x

    def ridge(self) -> Floats:
        """What a unit of each x costs."""
        cost = np.ones(self.size)
        cost[self.enqueue], cost[self.constant] = 1 / ENQUEUE_US, 1 / CONSTANT_MS
        return cost


def _of_rows(of_hosts: Floats, group: Group) -> Floats:
    """What belongs to the host of each row; 0 for rows without one."""
    return np.append(of_hosts, 0.0)[group.host]


def predict_ms(levels: Levels, x: Floats, group: Group) -> tuple[Floats, Floats]:
    """What a group's rows would read, hosts included, and the derivatives by all x: (rows,), (rows, x)."""
    gpu_ms, by_theta = group.prepared.predict_ms(levels.theta(x, group))
    seen_ms, by_gpu, by_enqueue = observed_ms(gpu_ms, levels.enqueue_ms(x, group))
    jacobian = np.zeros((len(group.rows), levels.size))
    for at, scale in zip(levels.starts(group), levels.scales(group)):
        jacobian[:, at : at + levels.width] += by_theta * scale * by_gpu[:, None]
    with_host = np.flatnonzero(group.host >= 0)
    places = group.host[with_host]
    jacobian[with_host, levels.enqueue.start + places] = (by_enqueue * group.prepared.launches * 1e-3)[with_host]
    jacobian[with_host, levels.constant.start + places] = 1.0
    return seen_ms + levels.constant_ms(x, group), jacobian


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
