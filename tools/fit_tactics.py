"""Fit the factors of kernel variants to the tactic log of an engine's build; needs scipy.

    python tools/fit_tactics.py ../shared/engines/layers/tactics_resnet18qat_RTX2000Ada_trt8.5.10.csv.gz

prints, for each layer left out in turn, the rank correlation of predicted and measured tactics and what the predicted
best costs over the measured best; then the parameters of all layers.

The first layers of a build are timed while the GPU's clock still rises: a layer of as many multiply-adds takes ten
times as long there, and two layers of one geometry agree as little as Spearman 0.56. A layer is warm when its median
tactic computes at a quarter of the best layer's rate or more, counting from the first that does: others teach nothing.
"""

from __future__ import annotations

import csv
import gzip
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from graphcost.cost_models.operators.physics import Machine, Parameters, machine_of
from graphcost.cost_models.operators.table import OperatorTable
from graphcost.cost_models.operators.tactics import FACTORS, tactic_times
from graphcost.cost_models.tiles import Catalogue, Columns
from graphcost.cost_models.tiles.grammar import kernel_named

from graphcost.device import load_device

DEVICE = "rtx2000-ada-laptop"
PULL = (0.5, 0.5)  # of parameters and of log factors towards their start
WARM = 0.25
FITTED = ("launch_us", "utilisation", "prologue_ns", "latency_ns", "memory_share")
"""Parameters that this log can tell."""

PREFETCHED = {"alone_utilisation": 1e3, "load_bytes_per_clock": 1e4}
"""Terms that are switched off: kernels of tensor cores load operands several stages ahead (cp.async), so that neither
the loads nor a lack of neighbours shows."""

AT_MOST_ONE = ("utilisation",)


@dataclass(frozen=True)
class Log:
    """The convolutions of a log, in its order, against every tactic that was timed for any of them."""

    names: tuple[str, ...]
    table: OperatorTable
    catalogue: Catalogue
    measured_ms: np.ndarray  # (layers, tactics); NaN where a tactic was not timed

    def __len__(self) -> int:
        return len(self.names)

    @property
    def dense(self) -> np.ndarray:
        """Layers whose window is wider than one pixel."""
        return self.table.columns.taps[:, 0] > 1


def read_log(file: Path) -> Log:
    """The convolutions of a log, with the tactics whose names tell their tiles."""
    with gzip.open(file, "rt", encoding="utf-8") as text:
        rows = [row for row in csv.DictReader(text) if row["runner"] == "CaskConvolution" and row["ms"]]
    names = tuple(dict.fromkeys(row["layer"] for row in rows))
    timed = [dict(_timed([row for row in rows if row["layer"] == name])) for name in names]
    tactics = list(dict.fromkeys(key for layer in timed for key in layer))
    kernels = [kernel for kernel in (kernel_named(name) for name, _ in tactics) if kernel is not None]
    measured = np.array([[layer.get(key, np.nan) for key in tactics] for layer in timed])
    first = [next(row for row in rows if row["layer"] == name) for name in names]
    return Log(names, _table([_shape(row) for row in first]), Catalogue.of(kernels), measured)


def _timed(rows: Sequence[dict[str, str]]) -> list[tuple[tuple[str, str], float]]:
    """Times by name and formats; a tactic may be timed for several formats of its result."""
    known = [row for row in rows if kernel_named(row["tactic_name"])]
    return [((row["tactic_name"], _suffix(row["formats"])), float(row["ms"])) for row in known]


def _suffix(formats: str) -> str:
    """The result's element type and lanes: "Int8:32" of Int8(50176,3136:4,56,1) -> Int8(6272,3136:32,56,1)."""
    found = re.search(r"-> (\w+)\([^:)]*(:\d+)?", formats)
    assert found is not None, formats
    return f"{found[1]}{found[2] or ''}"


def _shape(row: dict[str, str]) -> tuple[int, ...]:
    """Pixels, output channels, depth, window, stride, rows and columns of a layer; bytes read, bytes written."""
    window = (
        1 if "downsample" in row["layer"] or "Gemm" in row["layer"] else 9
    )  # resnet18 behind its stem has no others
    source, result = (_dims(text) for text in row["formats"].split(" -> "))
    depth = source[0] * window
    read = int(np.prod(source)) + depth * result[0]
    stride = max(1, source[1] // result[1])
    return (result[1] * result[2], result[0], depth, window, stride, *result[1:], read, int(np.prod(result)))


def _dims(text: str) -> tuple[int, int, int]:
    """Channels, rows and columns from strides: Int8(6272,3136:32,56,1) is 64 channels of 56 x 56."""
    found = re.match(r"\w+\((\d+),(\d+)(?::(\d+))?,(\d+),1\)", text)
    assert found is not None, text
    image, plane, lanes, row = (int(part or 1) for part in found.groups())
    return image // plane * lanes, plane // row, row


def _table(shapes: Sequence[tuple[int, ...]]) -> OperatorTable:
    m, n, k, window, stride, rows, columns, read, written = (np.array(column)[:, None] for column in zip(*shapes))
    one, no = np.ones_like(m), np.zeros(m.shape, bool)
    geometry = Columns(one, m, n, k, window, stride, one, one, rows, columns)
    return OperatorTable(geometry, no, no, *(bytes_.astype(float) for bytes_ in (read, written)))


def warm(log: Log) -> np.ndarray:
    """Whether the clock had risen when a layer was timed; once it has, it stays."""
    rate = log.table.columns.macs[:, 0] / np.nanmedian(log.measured_ms, axis=1)
    first = np.flatnonzero(log.dense & (rate >= WARM * rate[log.dense].max()))[0]
    return np.arange(len(log)) >= first


def fit(log: Log, teaches: np.ndarray, machine: Machine) -> tuple[Parameters, np.ndarray]:
    """Parameters and log factors: least squares of log ratios over all tactics of the layers that teach, robust."""
    from scipy.optimize import least_squares

    start = np.concatenate([[np.log(getattr(Parameters(), name)) for name in FITTED], np.zeros(len(FACTORS))])
    pull = np.repeat(PULL, [len(FITTED), len(FACTORS)])
    known = ~np.isnan(log.measured_ms) & teaches[:, None]
    measured = np.log(log.measured_ms[known])

    def residuals(x: np.ndarray) -> np.ndarray:
        found = times_of(log, machine, *_unpacked(x))
        return np.concatenate([np.log(found[known]) - measured, pull * (x - start)])

    upper = [*(0.0 if name in AT_MOST_ONE else np.inf for name in FITTED), *(np.inf for _ in FACTORS)]
    solved = least_squares(residuals, start, bounds=(-np.inf, upper), loss="soft_l1", f_scale=0.3, max_nfev=20)
    return _unpacked(solved.x)


def _unpacked(x: np.ndarray) -> tuple[Parameters, np.ndarray]:
    own = {name: float(value) for name, value in zip(FITTED, np.exp(x))}
    return Parameters(**own, **PREFETCHED), x[len(FITTED) :]


def times_of(log: Log, machine: Machine, parameters: Parameters, log_factors: np.ndarray) -> np.ndarray:
    """Milliseconds, (layers, tactics)."""
    return tactic_times(log.table, log.catalogue, machine, parameters, log_factors)


@dataclass(frozen=True)
class Ranking:
    """How a layer that was left out came out."""

    name: str
    warm: bool
    dense: bool
    spearman: float
    chosen_ms: float
    best_ms: float


def leave_one_out(log: Log, machine: Machine, layers: Sequence[int] | None = None) -> list[Ranking]:
    """Each layer (or those named) ranked by a fit to the warm ones among the others."""
    is_warm = warm(log)
    found = []
    for i in range(len(log)) if layers is None else layers:
        teaches = is_warm & (np.arange(len(log)) != i)
        predicted = times_of(log, machine, *fit(log, teaches, machine))[i]
        found.append(_ranking(log, i, bool(is_warm[i]), predicted))
    return found


def _ranking(log: Log, i: int, is_warm: bool, predicted: np.ndarray) -> Ranking:
    known = ~np.isnan(log.measured_ms[i])
    measured, said = log.measured_ms[i][known], predicted[known]
    rank = spearman(said, measured)
    return Ranking(log.names[i], is_warm, bool(log.dense[i]), rank, float(measured[said.argmin()]), measured.min())


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation, ties averaged."""
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def weighted_loss(rankings: Sequence[Ranking]) -> float:
    """What the chosen tactics of all layers take over what the best ones take."""
    return sum(r.chosen_ms for r in rankings) / sum(r.best_ms for r in rankings) - 1


def machine() -> Machine:
    """The GPU of the log, computing INT8 on tensor cores."""
    found = machine_of(load_device(DEVICE), "i8", "tensor")
    assert found is not None
    return found


def main(file: Path) -> None:
    log, gpu = read_log(file), machine()
    rankings = leave_one_out(log, gpu)
    for r in rankings:
        loss = r.chosen_ms / r.best_ms - 1
        print(f"{r.name[:28]:28} {'' if r.warm else 'cold':5} Spearman {r.spearman:.3f}  loss {loss:.0%}")
    for word, kept in (("all", rankings), ("warm", [r for r in rankings if r.warm])):
        values = [r.spearman for r in kept]
        dense, pointwise = ([r for r in kept if r.dense == wide] for wide in (True, False))
        print(f"{word}: {len(kept)} layers, Spearman median {np.median(values):.3f}, least {min(values):.3f}; "
              f"loss {weighted_loss(dense):.1%} on 3x3, {weighted_loss(pointwise):.1%} on 1x1")  # fmt: skip
    parameters, factors = fit(log, warm(log), gpu)
    print(parameters, dict(zip(FACTORS, np.exp(factors).round(2).tolist())))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
