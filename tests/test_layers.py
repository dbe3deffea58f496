"""Layers that were measured one by one and never fitted: what of a network's time each takes."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from graphcost.cost_models.steps import STEPS

from graphcost.cost import Cost, KernelQuery
from graphcost.device import load_device
from graphcost.geometry import Contraction
from graphcost.work.node import Work

MEDIAN, MEAN = 0.05, 0.082
"""Errors of MobileNetV2's convolutions after one factor for all of them. Only to be lowered."""


def convolution(row: Mapping[str, str]) -> KernelQuery:
    """A layer of the table, in FP16. Windows of more than one pixel that keep the channels are depthwise in this
    network, but for its first layer."""
    (channels, height, width), (filters, rows, cols) = (
        [int(dim) for dim in row[side].split("x")] for side in ("in_chw", "out_chw")
    )
    window = int(float(row["kernel"]))
    groups = channels if window > 1 and channels == filters else 1
    depth = channels // groups * window**2
    found = Contraction(
        "conv", 1, groups, rows * cols, filters // groups, depth, (window,) * 2, (round(height / rows),) * 2, (1, 1),
        (1, channels, height, width), (1, filters, rows, cols),
    )  # fmt: skip
    read, written = channels * height * width + filters * depth, filters * rows * cols
    kind = "depthwise" if groups > 1 else "conv"
    work = Work(found.macs, 0, 2 * read, 2 * written)
    return KernelQuery(kind, "onnx.Conv", "f16", (), (), work, contractions=(found,))


def test_the_layers_of_mobilenet_on_an_agx_orin_share_its_time_as_predicted(shared: Path) -> None:
    """Timed layer by layer under a profiler, clock and type not stated: only the proportions can be compared."""
    with (shared / "data" / "latency" / "jetson_agx_orin_mobilenetv2_layers.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["layer_type"] == "convolutional"]
    costs = STEPS.estimate([convolution(row) for row in rows], load_device("agx-orin"))
    predicted = np.array([cost.latency_ms for cost in costs if isinstance(cost, Cost)])
    measured = np.array([float(row["latency_ms"]) for row in rows])
    factor = np.median(measured / predicted)
    errors = np.abs(predicted * factor / measured - 1)
    median, mean, near = np.median(errors), errors.mean(), (errors <= 0.1).mean()
    print(f"{len(rows)} layers, factor {factor:.2f}: median {median:.1%}, mean {mean:.1%}, {near:.0%} within 10 %")
    assert median <= MEDIAN and mean <= MEAN
