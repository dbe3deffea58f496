"""The equations: features and parameters → time, and its gradient for the fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .features import (
    CONTRACTION,
    DEPTHWISE,
    DIRECT,
    OTHER,
    POINTWISE,
    POOL,
    Features,
    Floats,
    Ints,
    Mask,
)
from .parameters import INDEX, NAMES

_NORM = 3.0
"""How sharply the larger of compute and memory wins: 1 would add them, infinity would take the larger."""

_NEVER_S = 1e6

_THREE_BY_THREE = 9

_BANDWIDTHS = np.zeros(5, np.int64)
for _family, _name in (
    (CONTRACTION, "contraction_bandwidth"), (DEPTHWISE, "depthwise_bandwidth"), (POINTWISE, "pointwise_bandwidth"),
    (POOL, "pool_bandwidth"), (OTHER, "other_bandwidth"),
):  # fmt: skip
    _BANDWIDTHS[_family] = INDEX[_name]


@dataclass(frozen=True)
class Latency:
    """Seconds, by kernel; `tactic` by part, as a column of the features."""

    total_s: Floats
    compute_s: Floats
    memory_s: Floats
    launch_s: Floats
    copied_s: Floats
    tactic: Ints


def latency(features: Features, theta: Floats) -> Latency:
    """The time of each kernel; `theta` has the logarithms of the parameters."""
    value = dict(zip(NAMES, np.exp(theta)))
    times = tactic_seconds(features, value)
    tactic = times.argmin(axis=1) if len(times) else np.zeros(0, np.int64)
    part_s = _part_seconds(features, value, times[np.arange(len(tactic)), tactic])
    compute_s = _by_kernel(features, part_s) + features.elementwise_s + features.pool_s / value["pool_utilisation"]
    return _assembled(features, theta, compute_s, tactic)


def latency_gradient(features: Features, theta: Floats) -> tuple[Latency, Floats]:
    """And the derivative of each kernel's time by each parameter's logarithm: (kernels, parameters).

    The chosen tactic is taken as fixed, which is exact wherever the fastest one is unique (envelope theorem)."""
    value = dict(zip(NAMES, np.exp(theta)))
    found = latency(features, theta)
    inner = _inner(features, value, found.tactic)
    busy = np.maximum(found.total_s - found.launch_s - found.copied_s, 1e-30)
    by_compute, by_memory = ((part / busy) ** (_NORM - 1) for part in (found.compute_s, found.memory_s))
    gradient = np.zeros((len(features), len(NAMES)))
    for name, derivative in inner.items():
        gradient[:, INDEX[name]] = by_compute * _by_kernel(features, derivative)
    gradient[:, INDEX["pool_utilisation"]] = -by_compute * features.pool_s / value["pool_utilisation"]
    rows = np.arange(len(features))
    places = _BANDWIDTHS[features.family]
    below = theta[places] < np.log(features.largest_share)
    gradient[rows, places] -= np.where(below, by_memory * found.memory_s + found.copied_s, 0.0)
    gradient[rows, _launches(features)] += found.launch_s
    return found, gradient


def tactic_seconds(features: Features, value: dict[str, float]) -> Floats:
    """The time that each tactic computes: (parts, tactics). A tactic that cannot run takes for ever.

    (rounds + idle) · tile/(rate·utilisation) · (depth·(1 + gather/taps) + prologue) · (1 + edge cost)
    """
    depth = features.tiles.depth * _gathered(features, value) + _prologue(features, value)
    times = _per_depth_s(features, value) * depth + features.tiles.beside_s
    return np.where(features.tiles.possible, times, _NEVER_S)


def _per_depth_s(features: Features, value: dict[str, float]) -> Floats:
    rounds = features.tiles.rounds + value["idle_rounds"]
    seconds: Floats = rounds * features.tiles.round_s * np.maximum(_slowdown(features, value), 1.0)
    return seconds


def _slowdown(features: Features, value: dict[str, float]) -> Floats:
    """Against the peak rate. What comes out below 1 is taken for 1: no loop is faster than the hardware."""
    losses = np.where(features.tiles.winograd, 1.0, 1 + value["edge_cost"] * features.tiles.edge)
    slowdown: Floats = losses / _utilisation(features, value)
    return slowdown


def _utilisation(features: Features, value: dict[str, float]) -> Floats:
    direct = (features.parts.kind == DIRECT)[:, None]
    by_part = np.where(direct, value["conv_utilisation"], value["gemm_utilisation"])
    return np.where(features.tiles.winograd, value["winograd_utilisation"], by_part)


def _gathered(features: Features, value: dict[str, float]) -> Floats:
    gathers = (features.parts.kind == DIRECT)[:, None] & ~features.tiles.winograd
    return np.where(gathers, 1 + value["gather_taps"] / features.parts.taps[:, None], 1.0)


def _prologue(features: Features, value: dict[str, float]) -> Floats:
    return np.where(features.tiles.winograd, value["winograd_prologue_depth"], value["prologue_depth"])


def _part_seconds(features: Features, value: dict[str, float], tactic_s: Floats) -> Floats:
    """Depthwise parts and products of few rows have equations of their own."""
    by_windows, by_results = _depthwise(features, value)
    others_s = by_windows + by_results + features.parts.vector_s / value["vector_utilisation"]
    return np.where(features.parts.tiled, tactic_s, others_s)


def _depthwise(features: Features, value: dict[str, float]) -> tuple[Floats, Floats]:
    gain = np.where(features.parts.taps == _THREE_BY_THREE, value["depthwise_3x3_gain"], 1.0)
    by_windows = features.parts.depthwise_s / (value["depthwise_utilisation"] * gain)
    return by_windows, features.parts.results_s / value["depthwise_results_utilisation"]


def _inner(features: Features, value: dict[str, float], tactic: Ints) -> dict[str, Floats]:
    """Derivatives of the parts' times, by parameter."""
    at = (np.arange(len(tactic)), tactic)
    tiled = features.parts.tiled
    winograd = features.tiles.winograd[at] & tiled
    plain, direct = tiled & ~winograd, features.parts.kind == DIRECT
    per_depth = _per_depth_s(features, value)[at]
    depth = features.tiles.depth[at]
    looped = per_depth * (depth * _gathered(features, value)[at] + _prologue(features, value)[at])
    free = _slowdown(features, value)[at] > 1
    edge, idle = value["edge_cost"] * features.tiles.edge[at], value["idle_rounds"]
    by_windows, by_results = _depthwise(features, value)
    return {
        "conv_utilisation": -_where(plain & direct & free, looped),
        "gemm_utilisation": -_where(plain & ~direct & free, looped),
        "winograd_utilisation": -_where(winograd & free, looped),
        "prologue_depth": _where(plain, per_depth * value["prologue_depth"]),
        "winograd_prologue_depth": _where(winograd, per_depth * value["winograd_prologue_depth"]),
        "edge_cost": _where(plain & free, looped * edge / (1 + edge)),
        "gather_taps": _where(plain & direct, per_depth * depth * value["gather_taps"] / features.parts.taps),
        "idle_rounds": _where(tiled, looped * idle / (features.tiles.rounds[at] + idle)),
        "depthwise_utilisation": -by_windows,
        "depthwise_3x3_gain": -_where(features.parts.taps == _THREE_BY_THREE, by_windows),
        "depthwise_results_utilisation": -by_results,
        "vector_utilisation": -features.parts.vector_s / value["vector_utilisation"],
    }


def _where(mask: Mask, values: Floats) -> Floats:
    return np.where(mask, values, 0.0)


def _assembled(features: Features, theta: Floats, compute_s: Floats, tactic: Ints) -> Latency:
    share = np.minimum(np.exp(theta[_BANDWIDTHS[features.family]]), features.largest_share)
    memory_s = features.bytes / (features.bytes_per_s * share)
    launch_s = np.exp(theta[_launches(features)]) * features.launch_scale * features.steps * 1e-6
    copied_s = features.copied_bytes / (features.bytes_per_s * share)
    return Latency(busy(compute_s, memory_s) + launch_s + copied_s, compute_s, memory_s, launch_s, copied_s, tactic)


def busy(compute_s: Floats, memory_s: Floats) -> Floats:
    """Compute and memory side by side: a smooth maximum."""
    together: Floats = (compute_s**_NORM + memory_s**_NORM) ** (1 / _NORM)
    return together


def _launches(features: Features) -> Ints:
    contracts = (features.family == CONTRACTION) | (features.family == DEPTHWISE)
    return np.where(contracts, INDEX["contraction_launch_us"], INDEX["other_launch_us"])


def _by_kernel(features: Features, parts: Floats) -> NDArray[np.float64]:
    return np.bincount(features.parts.owner, weights=parts, minlength=len(features)).astype(float)
