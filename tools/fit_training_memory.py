"""Fit what the system sees of a training process on a Jetson TX2 beside the memory that PyTorch reserves.

    python tools/fit_training_memory.py ../shared/data/training/tx2_pytorch_training.csv ../shared/models

prints the constants for graphcost/devices/tx2.toml and graphcost/training/system.py, and errors: memory that is
allocated and reserved (nothing fitted), system memory of networks left out and of levels of pruning left out. Every
constant is fitted inside each fold. The formula is that of graphcost.training.system, over arrays.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphcost.api import Run, run
from graphcost.device import load_device
from graphcost.training import TrainingOptions
from graphcost.training.batches import BatchMemory, batch_memory

Floats: TypeAlias = "NDArray[np.float64]"
Mask: TypeAlias = "NDArray[np.bool_]"

DEVICE = "tx2"
SEEN_LEVELS = ("0", "30", "50", "70", "90")
START = {"start": 1600.0, "context": 1100.0, "idle": 250.0, "from": 25.0, "to": 35.0, "room": 6200.0, "blas": 0.0}
"""MiB, and percent of RAM where idle pages begin to go and are gone."""
ROUNDS = 4


@dataclass(frozen=True)
class Steps:
    """Measured steps and what is predicted for them with nothing fitted, in MiB."""

    reserved: Floats
    blas: Mask
    system: Floats
    networks: NDArray[np.str_]

    def where(self, mask: Mask) -> Steps:
        return Steps(self.reserved[mask], self.blas[mask], self.system[mask], self.networks[mask])

    def weights(self) -> Floats:
        """Every network counts the same, however often it was measured."""
        _, index, counts = np.unique(self.networks, return_inverse=True, return_counts=True)
        return np.asarray(1 / counts[index] / len(counts))


def system_mib(constants: Sequence[float], steps: Steps, ram_mib: float) -> Floats:
    """What the system shows."""
    start, context, idle, begin, end, room, blas = constants
    absent = np.where(steps.blas, 0.0, blas)
    running = steps.reserved + context - absent
    left = np.clip((end - 100 * running / ram_mib) / max(end - begin, 0.1), 0, 1)
    found: Floats = np.minimum(np.maximum(start - absent, running + idle * left), room)
    return found


def fit(steps: Steps, ram_mib: float) -> Floats:
    """The least mean relative error over networks. What cuBLAS takes shows only where some have it and some do not."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    free = np.array([name != "blas" or 0 < steps.blas.mean() < 1 for name in START])
    constants = np.array(list(START.values()))
    scale = np.where(constants > 100, 100.0, 5.0)
    scale[-1] = 100.0

    scale *= free
    weights = steps.weights()

    def error(moved: Floats) -> float:
        return float(weights @ abs(system_mib(constants + scale * moved, steps, ram_mib) / steps.system - 1))

    found = np.zeros(len(constants))
    for _ in range(ROUNDS):
        found = minimize(error, found, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-3, "fatol": 1e-7}).x
    return np.asarray(constants + scale * found)


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as text:
        return [row for row in csv.DictReader(text) if row["onnx"] and row["mem_ok"] == "True"]


def memory_by_model(rows: Sequence[Mapping[str, str]], models: Path) -> dict[str, BatchMemory]:
    """The memory of each network at any batch."""
    names = sorted({row["onnx"] for row in rows})
    return {name: batch_memory([_analysed(models / name, batch) for batch in (2, 4)]) for name in names}


def _analysed(model: Path, batch: int) -> Run:
    return run(model, DEVICE, training=TrainingOptions(), batch=batch)


def told(title: str, predicted: Floats, measured: Floats, groups: NDArray[np.str_]) -> None:
    """Mean absolute relative errors: of all rows, by network, and the mean of networks."""
    errors = abs(predicted / measured - 1)
    by_group = {str(name): float(errors[groups == name].mean()) for name in np.unique(groups)}
    spread = ", ".join(f"{name} {error:.1%}" for name, error in by_group.items())
    mean = sum(by_group.values()) / len(by_group)
    print(f"{title}: {len(errors)} rows {errors.mean():.2%}, networks {mean:.2%} ({spread})")


def left_out(steps: Steps, ram_mib: float) -> Floats:
    """System memory of each network by constants that were fitted to the others."""
    found = np.zeros(len(steps.networks))
    for name in np.unique(steps.networks):
        rest = steps.networks == name
        found[rest] = system_mib(fit(steps.where(~rest), ram_mib), steps.where(rest), ram_mib)
    return found


def main() -> None:
    rows = read(Path(sys.argv[1]))
    memory = memory_by_model(rows, Path(sys.argv[2]))
    peaks = [memory[row["onnx"]].reserved(int(row["batch"])) for row in rows]
    ram_mib = (load_device(DEVICE).usable_ram_bytes or 0) / 2**20

    def column(name: str) -> Floats:
        return np.array([float(row[name]) for row in rows])

    networks, levels = (np.array([row[name] for row in rows]) for name in ("network", "prune_pct"))
    allocated = np.array([peak.peak_allocated_bytes for peak in peaks]) / 2**20
    reserved = np.array([peak.peak_reserved_bytes for peak in peaks]) / 2**20
    steps = Steps(reserved, np.array([memory[row["onnx"]].blas for row in rows]), column("sys_used_mib"), networks)
    seen = np.isin(levels, SEEN_LEVELS)
    constants, in_family = fit(steps, ram_mib), fit(steps.where(seen), ram_mib)
    print(", ".join(f"{name} {value:.1f}" for name, value in zip(START, constants)))
    told("allocated", allocated, column("max_alloc_mib"), networks)
    told("reserved", reserved, column("max_reserved_mib"), networks)
    told("system, as fitted", system_mib(constants, steps, ram_mib), steps.system, networks)
    predicted = left_out(steps, ram_mib)
    told("system, network left out", predicted, steps.system, networks)
    print(f"standard deviation of log(measured / predicted) there: {np.log(steps.system / predicted).std():.3f}")
    rest = steps.where(~seen)
    told("allocated, levels left out", allocated[~seen], column("max_alloc_mib")[~seen], networks[~seen])
    told("system, levels left out", system_mib(in_family, rest, ram_mib), rest.system, networks[~seen])


if __name__ == "__main__":
    main()
