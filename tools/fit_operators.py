"""Fit cost_models/operators to measured single convolutions; needs scikit-learn and scipy.

    python tools/fit_operators.py ../shared/data/operators/trt_v100_conv_ops_alibaba.csv.gz [f32 f16 i8]

writes cost_models/operators/fitted/sm_70.toml and its residuals, and prints the errors of left-out blocks: a block is
all rows of one (c_in, c_out, h), and blocks are dealt to five folds. The number of trees is chosen inside the training
fold, on a tenth of its blocks. The loss is that of the bar: the squared relative error.
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from graphcost.cost_models.operators import FOLDER
from graphcost.cost_models.operators.convolutions import FLOOR_US
from graphcost.cost_models.operators.features import NAMES, features
from graphcost.cost_models.operators.fitted import convolution_kernels
from graphcost.cost_models.operators.physics import Machine, Parameters, machine_of, times
from graphcost.cost_models.operators.table import OperatorTable
from graphcost.cost_models.operators.trees import Trees
from graphcost.cost_models.tiles import Catalogue, Columns

from graphcost.device import load_device
from graphcost.intervals import conformal_factors

PARTS = Path("build/operators")
"""Where each precision's part waits for the others, so that they can be fitted side by side."""

DEVICE, ARCHITECTURE = "v100", "sm_70"
SOURCE = "Alibaba lightweight-neural-architecture-search (Apache-2.0): convolutions on a V100 with TensorRT"

UNITS = {"f32": "cuda", "f16": "tensor", "i8": "cuda"}
SPELLED = {"fp32": "f32", "fp16": "f16", "int8": "i8"}

OTHER_MACHINE = "damoyolo"
"""Files of this name move operands at up to 5 TB/s, past the 0.9 TB/s of a V100, and take 34 µs for the least: they
were measured on another machine or at another batch. They are left out, and no other rows are."""

READS = {"f32": 4, "f16": 2, "i8": 1}
WRITES = {"f32": 4, "f16": 2, "i8": 4}
"""Bytes an element at the border: of large 1x1 convolutions at 0.8 TB/s the rows show 4 and 4, 2 and 2, 1 and 4. The
depthwise INT8 rows move 4 and 4: TensorRT computes them in FP32."""

FOLDS, EVALUATED = 5, 1
CHUNK = 20_000

SMALLEST = 0.01
OVERHEAD = "what the fastest hundredth of the rows takes, less the 5 us of the smallest kernels on other boards"


@dataclass(frozen=True)
class Growth:
    """How trees are grown. `trees` is the most: how many are kept is chosen inside the training fold."""

    trees: int = 240
    leaves: int = 31
    rate: float = 0.15
    smallest_leaf: int = 10


GROWTH = {"f32": Growth(), "i8": Growth(), "f16": Growth(400, 63, 0.12, 40)}
"""FP16 rows are of several modes (one launch or three, with reformats around it): larger trees, and larger leaves. Of
five ways to grow them this one had the least error on the inner blocks, which also choose the number of trees."""

PHYSICS_ROWS = 1500
PULL = 2.0  # of a parameter towards its start, in units of 50 % a residual
WIDEST = ("utilisation", "alone_utilisation", "winograd_utilisation", "tap_utilisation", "memory_share")  # at most 1


@dataclass(frozen=True)
class Rows:
    """Rows of one precision."""

    table: OperatorTable
    latency_ms: np.ndarray
    block: np.ndarray
    kind: np.ndarray

    def some(self, chosen: np.ndarray) -> Rows:
        return Rows(self.table.rows(chosen), self.latency_ms[chosen], self.block[chosen], self.kind[chosen])


def main(file: Path, precisions: Sequence[str]) -> None:
    rows = measured(file)
    for folder in (FOLDER, PARTS):
        folder.mkdir(parents=True, exist_ok=True)
    for precision in precisions:
        part = fit_precision(rows[precision], precision)
        (PARTS / f"{precision}.toml").write_text(part, encoding="utf-8")
    join()


def join() -> None:
    """The architecture's file of the parts of all precisions, once there are all."""
    parts = [PARTS / f"{precision}.toml" for precision in UNITS]
    if all(part.exists() for part in parts):
        head = f'# Written by tools/fit_operators.py.\ndevices = ["{DEVICE}"]\nsource = "{SOURCE}"\n'
        text = head + "".join(part.read_text(encoding="utf-8") for part in parts)
        (FOLDER / f"{ARCHITECTURE}.toml").write_text(text, encoding="utf-8")


def measured(file: Path) -> dict[str, Rows]:
    """The rows of the file by precision."""
    rows = [row for row in _read(file) if OTHER_MACHINE not in row["file"]]
    return {own: rows_of([row for row in rows if SPELLED[row["precision"]] == own], own) for own in UNITS}


def _read(file: Path) -> list[dict[str, str]]:
    with gzip.open(file, "rt", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def rows_of(rows: Sequence[Mapping[str, str]], precision: str) -> Rows:
    """The table of rows in the form of the data's file."""
    names = ("batch", "cin", "h", "cout", "kernel", "stride", "elmt_fused", "latency_ms")
    numbers = np.array([[float(row[name]) for name in names] for row in rows])
    depthwise = np.array([row["conv_type"] == "Depthwise" for row in rows])
    block = np.unique(numbers[:, [1, 3, 2]], axis=0, return_inverse=True)[1].ravel()
    kind = np.where(depthwise, "depthwise", np.char.add("regular ", _window(numbers[:, 4])))
    return Rows(_table(numbers, depthwise, precision), numbers[:, 7], block, kind)


def _window(kernel: np.ndarray) -> np.ndarray:
    return np.array([f"{int(side)}x{int(side)}" for side in kernel])


def _table(numbers: np.ndarray, depthwise: np.ndarray, precision: str) -> OperatorTable:
    batch, cin, height, cout, kernel, stride, added, _ = numbers.T[:, :, None]
    dw = depthwise[:, None]
    side = np.ceil(height / stride)
    pixels, channels = batch * side**2, np.where(dw, 1, cin)
    whole = [np.where(dw, cin, 1), pixels, np.where(dw, 1, cout), channels * kernel**2, kernel**2, stride,
             np.ones_like(stride), batch, side, side]  # fmt: skip
    read_size = np.where(dw & (precision == "i8"), 4, READS[precision])
    read, written = batch * cin * height**2, pixels * np.where(dw, cin, cout)
    weights = np.where(dw, 1, cin) * np.where(dw, cin, cout) * kernel**2
    written_bytes = written * WRITES[precision]
    return OperatorTable(
        columns=Columns(*(column.astype(np.int64) for column in whole)),
        depthwise=dw,
        added=added.astype(bool),
        read_bytes=(read + weights) * read_size + added * written_bytes,
        written_bytes=written_bytes,
    )


def fit_precision(rows: Rows, precision: str) -> str:
    """Fit all rows; the text of the precision's table, with the errors of left-out folds."""
    machine = machine_of(load_device(DEVICE), precision, UNITS[precision])
    assert machine is not None
    catalogue = convolution_kernels(ARCHITECTURE, precision)
    fold = np.random.default_rng(0).integers(0, FOLDS, rows.block.max() + 1)[rows.block]
    predicted = np.full(len(fold), np.nan)
    physical = np.full(len(fold), np.nan)
    for left_out in range(EVALUATED):
        test = fold == left_out
        fitted = fit_rows(rows.some(~test), catalogue, machine)
        physical[test], predicted[test] = predict(rows.some(test), catalogue, machine, *fitted)
        print(precision, "fold", left_out, error_text(predicted, rows), flush=True)
    parameters, trees = fit_rows(rows, catalogue, machine)
    name = f"{ARCHITECTURE}-{precision}.npz"
    trees.save(FOLDER / name)
    x, _ = features_of(rows, catalogue, machine, parameters)
    return part_text(precision, name, parameters, x, rows, predicted, physical)


def fit_rows(rows: Rows, catalogue: Catalogue, machine: Machine) -> tuple[Parameters, Trees]:
    parameters = fit_physics(rows, catalogue, machine)
    x, physical = features_of(rows, catalogue, machine, parameters)
    return parameters, fit_trees(x, rows.latency_ms / physical, rows.block, GROWTH[machine.precision])


def fit_physics(rows: Rows, catalogue: Catalogue, machine: Machine) -> Parameters:
    """Least squares of log ratios, robust, each parameter drawn to its default."""
    from scipy.optimize import least_squares

    some = rows.some(np.random.default_rng(1).choice(len(rows.latency_ms), PHYSICS_ROWS, replace=False))
    start = np.log(Parameters().vector())
    measured = np.log(some.latency_ms)

    def residuals(logs: np.ndarray) -> np.ndarray:
        found = times(some.table, catalogue, machine, Parameters(*np.exp(logs))).total_ms[:, 0]
        return np.concatenate([np.log(found) - measured, PULL * (logs - start)])

    upper = [0.0 if f.name in WIDEST else np.inf for f in fields(Parameters)]
    solved = least_squares(residuals, start, bounds=(-np.inf, upper), loss="soft_l1", f_scale=0.15, max_nfev=25)
    return Parameters(*(float(value) for value in np.exp(solved.x)))


def fit_trees(x: np.ndarray, ratio: np.ndarray, block: np.ndarray, growth: Growth) -> Trees:
    """Trees for measured / physical, under squared relative error; as many as are best for a tenth of the blocks."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    inner = np.random.default_rng(2).random(block.max() + 1)[block] < 0.1
    weight = 1 / ratio**2
    model = HistGradientBoostingRegressor(
        max_iter=growth.trees,
        learning_rate=growth.rate,
        max_leaf_nodes=growth.leaves,
        min_samples_leaf=growth.smallest_leaf,
        early_stopping=False,
        random_state=0,
    )
    model.fit(x[~inner], ratio[~inner], sample_weight=weight[~inner])
    errors = [np.mean(weight[inner] * (step - ratio[inner]) ** 2) for step in model.staged_predict(x[inner])]
    return trees_of(model, int(np.argmin(errors)) + 1)


def trees_of(model: Any, count: int) -> Trees:
    """The first `count` trees of a fitted HistGradientBoostingRegressor as arrays."""
    grown = [stage[0].nodes for stage in model._predictors[:count]]
    offsets = np.cumsum([0, *(len(nodes) for nodes in grown)])[:-1]
    index = [np.arange(len(nodes)) for nodes in grown]
    leaf = [nodes["is_leaf"].astype(bool) for nodes in grown]

    def joined(of: Any, dtype: Any) -> np.ndarray:
        return np.concatenate([of(i) for i in range(count)]).astype(dtype)

    return Trees(
        roots=offsets.astype(np.int32),
        feature=joined(lambda i: np.where(leaf[i], 0, grown[i]["feature_idx"]), np.int16),
        threshold=joined(lambda i: np.where(leaf[i], 0, grown[i]["num_threshold"]), np.float32),
        left=joined(lambda i: offsets[i] + np.where(leaf[i], index[i], grown[i]["left"]), np.int32),
        right=joined(lambda i: offsets[i] + np.where(leaf[i], index[i], grown[i]["right"]), np.int32),
        value=joined(lambda i: np.where(leaf[i], grown[i]["value"], 0), np.float32),
        base=np.asarray(model._baseline_prediction, np.float64).ravel(),
        depth=np.array([max(int(nodes["depth"].max()) for nodes in grown)], np.int32),
    )


def predict(
    rows: Rows, catalogue: Catalogue, machine: Machine, parameters: Parameters, trees: Trees
) -> tuple[np.ndarray, np.ndarray]:
    """Milliseconds by physics alone, and with the residual."""
    x, physical = features_of(rows, catalogue, machine, parameters)
    ratio = np.concatenate([trees.predict(x[i : i + CHUNK]) for i in range(0, len(x), CHUNK)])
    return physical, physical * ratio


def features_of(
    rows: Rows, catalogue: Catalogue, machine: Machine, parameters: Parameters
) -> tuple[np.ndarray, np.ndarray]:
    found = []
    for start in range(0, len(rows.latency_ms), CHUNK):
        table = rows.table.rows(slice(start, start + CHUNK))
        timed = times(table, catalogue, machine, parameters)
        found.append((features(table, timed, catalogue, machine), timed.total_ms[:, 0]))
    return np.concatenate([x for x, _ in found]), np.concatenate([ms for _, ms in found])


def errors_by_kind(predicted: np.ndarray, rows: Rows) -> dict[str, tuple[int, float, float]]:
    """Rows, RMSPE and MAPE of each kind, of rows that have a prediction."""
    relative = predicted / rows.latency_ms - 1
    known = ~np.isnan(relative)
    errors = {str(kind): relative[known & (rows.kind == kind)] for kind in np.unique(rows.kind)}
    return {kind: (len(e), float(np.sqrt(np.mean(e**2))), float(np.mean(abs(e)))) for kind, e in errors.items()}


def error_text(predicted: np.ndarray, rows: Rows) -> str:
    found = errors_by_kind(predicted, rows)
    return "; ".join(
        f"{kind}: {n} rows, RMSPE {rmspe:.1%}, MAPE {mape:.1%}" for kind, (n, rmspe, mape) in found.items()
    )


def part_text(
    precision: str,
    residual: str,
    parameters: Parameters,
    x: np.ndarray,
    rows: Rows,
    predicted: np.ndarray,
    physical: np.ndarray,
) -> str:
    """One precision as TOML."""
    known = ~np.isnan(predicted)
    interval = conformal_factors(list(rows.latency_ms[known] / predicted[known]))
    assert interval is not None
    lines = ["", f"[{precision}]", f'unit = "{UNITS[precision]}"', f"rows = {len(rows.latency_ms)}",
             f'residual = "{residual}"', f"interval = [{interval.low:.4f}, {interval.high:.4f}]",
             f"overhead_us = {overhead_us(rows):.2f}  # {OVERHEAD}",
             "", f"[{precision}.parameters]"]  # fmt: skip
    lines += [f"{name} = {value:.6g}" for name, value in asdict(parameters).items()]
    lines += ["", f"[{precision}.left_out]  # blocks of (c_in, c_out, h) that the fit did not see"]
    lines += [_error_line(kind, found) for kind, found in errors_by_kind(predicted, rows).items()]
    lines += ["", f"[{precision}.left_out_physics]  # the same without the residual"]
    lines += [_error_line(kind, found) for kind, found in errors_by_kind(physical, rows).items()]
    lines += ["", f"[{precision}.ranges]  # of the features, 0.1 % to 99.9 %"]
    low, high = np.quantile(x, [0.001, 0.999], axis=0)
    lines += [f"{name} = [{low[i]:.4g}, {high[i]:.4g}]" for i, name in enumerate(NAMES)]
    return "\n".join(lines) + "\n"


def overhead_us(rows: Rows) -> float:
    """What every row holds beside its kernel."""
    return float(np.quantile(rows.latency_ms, SMALLEST)) * 1e3 - FLOOR_US


def _error_line(kind: str, found: tuple[int, float, float]) -> str:
    n, rmspe, mape = found
    return f'"{kind}" = {{ rows = {n}, rmspe = {rmspe:.4f}, mape = {mape:.4f} }}'


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or list(UNITS))
