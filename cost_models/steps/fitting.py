"""What the fit module asks of the model: networks prepared once, then priced again and again with other parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from graphcost.cost import KernelQuery
from graphcost.device import DeviceProfile

from .features import Features, Floats, Ints, features_of, pruned
from .kernels import candidates_of, computes_in, is_counted
from .latency import latency_gradient, tactic_seconds
from .parameters import NAMES, prior
from .sizes import largest_of

_GRID = {"prologue_depth": (16, 64, 200, 400), "edge_cost": (0.05, 0.2, 0.6)}
"""The fastest tactic hangs on these: only tactics that win somewhere on the grid are kept for the fit."""


@dataclass(frozen=True)
class PreparedNetworks:
    """Networks of one board as features of their kernels, each different kernel once."""

    features: tuple[Features, ...]
    network: Ints  # of each launch
    kernel: Ints  # of each launch, its place in the features, one after the other
    count: int
    largest: Mapping[str, float]
    """Of the kernels, by size."""

    @property
    def launches(self) -> Floats:
        """How many kernels each network launches."""
        return np.bincount(self.network, minlength=self.count).astype(float)

    def predict_ms(self, theta: Floats) -> tuple[Floats, Floats]:
        """Milliseconds of each network, and their derivatives: (networks,), (networks, parameters)."""
        parts = [latency_gradient(features, theta) for features in self.features]
        seconds = np.concatenate([found.total_s for found, _ in parts]) if parts else np.zeros(0)
        slopes = np.concatenate([slope for _, slope in parts]) if parts else np.zeros((0, len(NAMES)))
        total = self._by_network(seconds[self.kernel])
        gradient = np.stack([self._by_network(column[self.kernel]) for column in slopes.T], axis=1)
        return total * 1e3, gradient * 1e3

    def _by_network(self, values: Floats) -> Floats:
        return np.bincount(self.network, weights=values, minlength=self.count).astype(float)


def prepare(networks: Sequence[Sequence[KernelQuery]], device: DeviceProfile) -> PreparedNetworks:
    """The networks of one board. What the model cannot speak about is left out of their sums."""
    kinds: dict[object, int] = {}
    examples: list[KernelQuery] = []
    launches: list[tuple[int, int]] = []
    for at, queries in enumerate(networks):
        for query in queries:
            if query.launches and is_counted(query):
                key = (query.kind, query.precision, query.work, query.contractions, query.steps)
                if key not in kinds:
                    kinds[key] = len(examples)
                    examples.append(query)
                launches.append((at, kinds[key]))
    features, place = _by_precision(examples, device)
    network = np.array([at for at, _ in launches], np.int64)
    kernel = place[[kind for _, kind in launches]] if launches else np.zeros(0, np.int64)
    known = kernel >= 0
    return PreparedNetworks(features, network[known], kernel[known], len(networks), largest_of(examples))


def _by_precision(queries: Sequence[KernelQuery], device: DeviceProfile) -> tuple[tuple[Features, ...], Ints]:
    """Features by precision, and the place of each query among them: -1 where the model does not know its kernels."""
    place = np.full(len(queries), -1, np.int64)
    made: list[Features] = []
    for precision in sorted({computes_in(query.precision) for query in queries}):
        candidates = candidates_of(device, precision)
        if candidates is None:
            continue
        members = [at for at, query in enumerate(queries) if computes_in(query.precision) == precision]
        place[members] = sum(map(len, made)) + np.arange(len(members))
        features = features_of([queries[at] for at in members], device, precision, candidates)
        made.append(pruned(features, list(_winners(features))))
    return tuple(made), place


def _winners(features: Features) -> Iterator[Ints]:
    value = dict(zip(NAMES, np.exp(prior())))
    for setting in product(*_GRID.values()):
        times = tactic_seconds(features, {**value, **dict(zip(_GRID, map(float, setting)))})
        yield times.argmin(axis=1) if len(times) else np.zeros(0, np.int64)
