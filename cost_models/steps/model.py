"""The model: queries → costs, in batches; and the tactics among which kernel selection chooses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from graphcost.cost import Bound, Cost, Estimate, KernelQuery, Refusal, Tactic, Trust
from graphcost.device import DeviceProfile
from graphcost.fit.fittable import FitParameter

from .features import Features, Mask, features_of
from .fitting import PreparedNetworks, prepare
from .kernels import Candidates, NumericKind, candidates_of, computes_in, is_counted
from .latency import Latency, busy, latency, tactic_seconds
from .parameters import NAMES, Floats, parameters_in, parameters_of
from .sizes import beyond_each

KERNEL_FACTORS = (0.5, 2.0)
"""The interval of one kernel, as factors, where no fit has stated one: inferred, no layers were measured."""

_FASTEST_KEPT = 2  # of each format, for kernel selection


@dataclass(frozen=True)
class Steps:
    """Tiles, waves, a memory roof and a launch. Trust is `fitted` where the device has measured rows of its own in the
    precision, else `prior`: the parameters are those of its architecture."""

    name: str = "steps"

    def estimate(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[Estimate]:
        """One answer for each query, in order; a refusal where the work, a rate or the kernels are not known."""
        answers: list[Estimate] = [Refusal(_NOT_COUNTED)] * len(queries)
        for precision, places in _by_precision(queries).items():
            group = [queries[at] for at in places]
            for at, answer in zip(places, self._of_one_precision(group, device, precision)):
                answers[at] = answer
        return answers

    def tactics(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[tuple[Tactic, ...]]:
        """The kernels that could run each query, the fastest first, the two fastest of each format; none for kernels
        without a tiled contraction."""
        found: list[tuple[Tactic, ...]] = [()] * len(queries)
        for precision, places in _by_precision(queries).items():
            candidates = candidates_of(device, precision)
            if candidates is None or not device.dram_peak_bytes_per_s:
                continue
            group = [replace(queries[at], attrs={}) for at in places]
            features = features_of(group, device, precision, candidates)
            for at, tactics in _tactics(features, candidates, parameters_of(device, precision)):
                found[places[at]] = tactics
        return found

    def total_factors(self, device: DeviceProfile) -> tuple[float, float] | None:
        """The 90 % interval of a network's latency, as factors, from families that were left out of the fit."""
        return device.total_factors

    def parameters_in(self, precision: str) -> tuple[FitParameter, ...]:
        """What the fit may move."""
        return tuple(FitParameter(p.name, p.prior, p.spread, p.board) for p in parameters_in(precision))

    def parameters_of(self, device: DeviceProfile, precision: str) -> Floats:
        """Logarithms of the parameters that the device has now, in the same order."""
        return parameters_of(device, precision)

    def prepare(self, networks: Sequence[Sequence[KernelQuery]], device: DeviceProfile) -> PreparedNetworks:
        """Networks of one board, to be priced again and again."""
        return prepare(networks, device)

    def _of_one_precision(
        self, queries: Sequence[KernelQuery], device: DeviceProfile, precision: NumericKind
    ) -> Iterator[Estimate]:
        candidates = candidates_of(device, precision)
        if candidates is None or not device.dram_peak_bytes_per_s:
            what = f"kernels or rate in {precision}" if candidates is None else "memory bandwidth"
            return iter([Refusal(f"the {what} of {device.id} is not known")] * len(queries))
        features = _chosen(features_of(queries, device, precision, candidates), queries, candidates)
        found = latency(features, parameters_of(device, precision))
        return self._costs(queries, found, features, candidates, device, precision)

    def _costs(
        self,
        queries: Sequence[KernelQuery],
        found: Latency,
        features: Features,
        candidates: Candidates,
        device: DeviceProfile,
        precision: NumericKind,
    ) -> Iterator[Estimate]:
        trust = Trust.FITTED if precision in device.fitted_precisions else Trust.PRIOR
        low, high = device.kernel_factors or KERNEL_FACTORS
        names = _tactic_names(found, features, candidates)
        total_ms = (found.total_s * 1e3).tolist()
        bounds = _bounds(found) if total_ms else []
        served = (~_unserved(features)).tolist()
        far = beyond_each(queries, device.largest_kernels.get(precision, {}))
        for at, (latency_ms, bound) in enumerate(zip(total_ms, bounds)):
            if not served[at]:
                yield Refusal(f"no kernel in {precision} of the catalogue of {device.sm} can run this product")
                continue
            name = names.get(at)
            interval = latency_ms * low, latency_ms * high
            yield Cost(latency_ms, *interval, _BOUNDS[bound], trust, self.name, name, extrapolates=far[at])


_BOUNDS = (Bound.COMPUTE, Bound.MEMORY, Bound.LAUNCH)


def _bounds(found: Latency) -> list[int]:
    """What takes longest of each kernel, as places in _BOUNDS."""
    longest: list[int] = np.argmax([found.compute_s, found.memory_s + found.copied_s, found.launch_s], axis=0).tolist()
    return longest


def _unserved(features: Features) -> Mask:
    """Which kernels have a tiled product that no tactic can run."""
    without = features.parts.tiled & ~features.tiles.possible.any(axis=1)
    kernels = np.zeros(len(features), bool)
    kernels[features.parts.owner[without]] = True
    return kernels


_NOT_COUNTED = "the work of this kernel, or of a product inside it, is not known, or beyond any board"


def _by_precision(queries: Sequence[KernelQuery]) -> Mapping[NumericKind, list[int]]:
    """Places of the queries whose work is known, and not beyond all boards, and that launch something."""
    places: dict[NumericKind, list[int]] = {}
    for at, query in enumerate(queries):
        if query.launches and is_counted(query):
            places.setdefault(computes_in(query.precision), []).append(at)
    return places


def _chosen(features: Features, queries: Sequence[KernelQuery], candidates: Candidates) -> Features:
    """Where a pass has decided on a tactic, only that one is possible."""
    place = {name: at for at, name in enumerate(candidates.names)}
    wanted = np.array([place.get(str(query.attrs.get("tactic", "")), -1) for query in queries], np.int64)
    if not (wanted >= 0).any():
        return features
    of_part = wanted[features.parts.owner][:, None]
    decided = features.tiles.possible & ((of_part < 0) | (features.tiles.tactic == of_part))
    keeps = decided.any(axis=1, keepdims=True)
    tiles = replace(features.tiles, possible=np.where(keeps, decided, features.tiles.possible))
    return replace(features, tiles=tiles)


def _tactic_names(found: Latency, features: Features, candidates: Candidates) -> dict[int, str]:
    """The kernel that was taken, of those with a tiled product."""
    tiled = np.flatnonzero(features.parts.tiled)
    chosen = features.tiles.tactic[tiled, found.tactic[tiled]].tolist()
    names = candidates.names
    return {owner: names[tactic] for owner, tactic in zip(features.parts.owner[tiled].tolist(), chosen)}


def _tactics(
    features: Features, candidates: Candidates, theta: Floats
) -> Iterator[tuple[int, tuple[Tactic, ...]]]:
    """Of kernels with one tiled product."""
    if not len(features.parts.owner):
        return
    found, value = latency(features, theta), dict(zip(NAMES, np.exp(theta)))
    times = tactic_seconds(features, value)
    parts = np.bincount(features.parts.owner, minlength=len(features))
    for part in np.flatnonzero(features.parts.tiled & (parts[features.parts.owner] == 1)):
        kernel, order = int(features.parts.owner[part]), np.argsort(times[part], kind="stable")
        possible = [int(at) for at in order if features.tiles.possible[part, at]]
        yield kernel, _fastest(possible, times[part], found, kernel, candidates)


def _fastest(
    order: Sequence[int], compute_s: Floats, found: Latency, kernel: int, candidates: Candidates
) -> tuple[Tactic, ...]:
    kept: dict[str, list[Tactic]] = {}
    for at in order:
        tactic = candidates.catalogue.kernels[at]
        same = kept.setdefault(tactic.layout, [])
        if len(same) < _FASTEST_KEPT:
            busy_s = float(busy(compute_s[at], found.memory_s[kernel]))
            total_s = busy_s + float(found.launch_s[kernel] + found.copied_s[kernel])
            same.append(Tactic(tactic.name, tactic.layout, total_s * 1e3))
    return tuple(sorted((tactic for same in kept.values() for tactic in same), key=lambda tactic: tactic.latency_ms))


STEPS = Steps()
"""What the built-in plug-in offers."""
