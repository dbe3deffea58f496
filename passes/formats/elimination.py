"""The cheapest choice for many variables, of which each cost depends on a few: elimination of one variable at a time.

Exact wherever the graph is thin, as networks are: on a chain it is dynamic programming along it, on blocks with
shortcuts the same over pairs. Where a variable touches too many others it is fixed at what looks best on the spot.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Costs: TypeAlias = "NDArray[np.float64]"

LARGEST_TABLE = 4096
"""Entries of a table that elimination may make: six variables of four states."""


@dataclass(eq=False)
class Factor:
    """Costs by the states of its variables, one axis each."""

    variables: tuple[int, ...]
    costs: Costs


@dataclass
class Problem:
    """Variables with `states` each; their factors are added up."""

    states: list[int] = field(default_factory=list)
    factors: dict[int, dict[Factor, None]] = field(default_factory=dict)
    near: dict[int, set[int]] = field(default_factory=dict)
    """Of each variable those that share a factor with it."""

    def variable(self, costs: Sequence[float]) -> int:
        """A new variable with the cost of each of its states."""
        self.states.append(len(costs))
        number = len(self.states) - 1
        self.factors[number], self.near[number] = {}, set()
        self.add((number,), np.asarray(costs, dtype=np.float64))
        return number

    def add(self, variables: tuple[int, ...], costs: Costs) -> None:
        factor = Factor(variables, costs)
        for variable in variables:
            self.factors[variable][factor] = None
            self.near[variable].update(variables)
            self.near[variable].discard(variable)

    def solve(self) -> list[int]:
        """The state of each variable. Consumes the problem."""
        return _Solver(self).run()


@dataclass
class _Solver:
    problem: Problem
    done: list[tuple[int, tuple[int, ...], NDArray[np.intp]]] = field(default_factory=list)
    """What was eliminated: a variable, the variables on which its choice depends, and the choice for their states."""

    def run(self) -> list[int]:
        """The variable with the fewest neighbours goes first: on a chain that is its end."""
        near = self.problem.near
        waiting = [(len(others), variable) for variable, others in near.items()]
        heapq.heapify(waiting)
        while waiting:
            degree, variable = heapq.heappop(waiting)
            if variable not in near or degree != len(near[variable]):
                continue  # taken, or waiting again with another degree
            for other in self._take(variable):
                heapq.heappush(waiting, (len(near[other]), other))
        return self._read_back()

    def _take(self, variable: int) -> list[int]:
        """Eliminate a variable, or fix it if the table would be too large; returns those whose surroundings changed."""
        near = sorted(self.problem.near[variable])
        scope = (*near, variable)
        if math.prod(self.problem.states[v] for v in scope) > LARGEST_TABLE:
            return self._fix(variable, near)
        total = self._sum(scope, self._drop(variable))
        self.done.append((variable, tuple(near), total.argmin(axis=-1)))
        if near:
            self.problem.add(tuple(near), np.asarray(total.min(axis=-1)))
        return near

    def _fix(self, variable: int, near: list[int]) -> list[int]:
        """The state that is best if every other variable may follow."""
        factors = self._drop(variable)
        looks = np.zeros(self.problem.states[variable])
        for factor in factors:
            axis = factor.variables.index(variable)
            looks += np.moveaxis(factor.costs, axis, 0).reshape(looks.size, -1).min(axis=1)
        state = int(looks.argmin())
        self.done.append((variable, (), np.asarray(state)))
        for factor in factors:
            axis = factor.variables.index(variable)
            rest = (*factor.variables[:axis], *factor.variables[axis + 1 :])
            if rest:
                self.problem.add(rest, np.asarray(factor.costs.take(state, axis)))
        return near

    def _drop(self, variable: int) -> list[Factor]:
        """Take a variable's factors out of the problem."""
        gone = list(self.problem.factors.pop(variable))
        for other in self.problem.near.pop(variable):
            self.problem.near[other].discard(variable)
        for factor in gone:
            for other in factor.variables:
                if other != variable:
                    del self.problem.factors[other][factor]
        return gone

    def _sum(self, scope: tuple[int, ...], factors: Sequence[Factor]) -> Costs:
        """The factors added up over the axes of `scope`."""
        total = np.zeros([self.problem.states[v] for v in scope])
        for factor in factors:
            total += factor.costs if factor.variables == scope else _over(scope, factor)
        return total

    def _read_back(self) -> list[int]:
        states = [0] * len(self.problem.states)
        for variable, scope, choice in reversed(self.done):
            states[variable] = int(choice[tuple(states[v] for v in scope)])
        return states


def _over(scope: tuple[int, ...], factor: Factor) -> Costs:
    """The costs with an axis for each variable of `scope`, of length one where they do not depend on it."""
    axes = [scope.index(v) for v in factor.variables]
    shape = [1] * len(scope)
    for axis, length in zip(axes, factor.costs.shape):
        shape[axis] = length
    return factor.costs.transpose(sorted(range(len(axes)), key=axes.__getitem__)).reshape(shape)
