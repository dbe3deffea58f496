"""Fit Blackthorn's nested step functions to measured single convolutions.

    python tools/fit_blackthorn.py ../shared/data/operators/trt_v100_conv_ops_alibaba.csv.gz

writes cost_models/blackthorn/coefficients/v100.toml (batch 1, 3x3 and 1x1, no fused addition) and prints the errors of
channels that each fit did not see: one pair of (c_in, c_out) in five.
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from graphcost.cost_models.blackthorn.curves import Curve
from graphcost.cost_models.blackthorn.model import FOLDER, LayerType
from graphcost.cost_models.blackthorn.nested import Nested, fit

from graphcost.intervals import conformal_factors

SPELLED = {"fp32": "f32", "fp16": "f16", "int8": "i8"}
HEAD = (
    "# Written by tools/fit_blackthorn.py: milliseconds over input channels, base and height over output channels;",
    "# a curve is [width of a step (0: a line), base, height].",
    'source = "Alibaba lightweight-neural-architecture-search (Apache-2.0): convolutions on V100 with TensorRT"',
)
WINDOWS = ("1", "3")
LEAST_POINTS = 20
LEFT_OUT = 5

Points = np.ndarray  # (points, 3): c_in, c_out, milliseconds


def read(file: Path) -> dict[LayerType, Points]:
    """Points by type of layer."""
    found = defaultdict(list)
    with gzip.open(file, "rt", encoding="utf-8") as text:
        for row in csv.DictReader(text):
            if _wanted(row):
                layer = LayerType(SPELLED[row["precision"]], 1, int(row["h"]), int(row["kernel"]), int(row["stride"]))
                found[layer].append((float(row["cin"]), float(row["cout"]), float(row["latency_ms"])))
    return {layer: np.array(points) for layer, points in found.items() if len(points) >= LEAST_POINTS}


def _wanted(row: Mapping[str, str]) -> bool:
    plain = row["conv_type"] == "Regular" and row["elmt_fused"] == "0" and row["batch"] == "1"
    return plain and row["kernel"] in WINDOWS and "damoyolo" not in row["file"]


def left_out_ratios(points: Points) -> np.ndarray:
    """Predicted / measured of a fifth of the points, by a fit to the rest."""
    test = np.random.default_rng(0).integers(0, LEFT_OUT, len(points)) == 0
    curve = fit(*points[~test].T)
    if curve is None:
        return np.zeros(0)
    return np.asarray(curve(points[test, 0], points[test, 1]) / points[test, 2])


def errors(layers: Mapping[LayerType, Points]) -> dict[str, np.ndarray]:
    """Predicted / measured of points left out, by precision and window."""
    found = defaultdict(list)
    for layer, points in layers.items():
        found[f"{layer.precision} {layer.window}x{layer.window}"].append(left_out_ratios(points))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def main(file: Path) -> None:
    layers = read(file)
    found = errors(layers)
    for name, ratios in found.items():
        rmspe, middle = np.sqrt(np.mean((ratios - 1) ** 2)), np.median(abs(ratios - 1))
        print(f"{name}: {len(ratios)} points left out, RMSPE {rmspe:.1%}, median {middle:.1%}")
    FOLDER.mkdir(exist_ok=True)
    lines = [*HEAD]
    for layer, points in layers.items():
        curve = fit(*points.T)
        interval = conformal_factors(
            [1 / r for r in found[f"{layer.precision} {layer.window}x{layer.window}"] if r > 0]
        )
        if curve is not None and interval is not None:
            lines += _lines(layer, curve, interval)
    (FOLDER / "v100.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _lines(layer: LayerType, curve: Nested, interval: tuple[float, float]) -> list[str]:
    return ["", f"[layers.{layer.key}]", f"width = {curve.width}", f"base = {_numbers(curve.base)}",
            f"height = {_numbers(curve.height)}", f"interval = [{interval[0]:.4f}, {interval[1]:.4f}]"]  # fmt: skip


def _numbers(curve: Curve) -> str:
    return f"[{curve.width}, {curve.base:.6g}, {curve.height:.6g}]"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
