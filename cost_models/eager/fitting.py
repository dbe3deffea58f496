"""Prices from measured training steps: non-negative least squares of relative errors, drawn a little towards priors.

    python -m graphcost.cost_models.eager.fitting ROWS.csv MODELS_DIR [--device tx2] [--every N]
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .features import NAMES, features

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

PRIORS_MS: Mapping[str, float] = {
    "launches": 150, "optimizer_bytes": 60, "parameters": 200, "norm_elements": 200, "elementwise_bytes": 80,
    "conv_bytes": 30, "depthwise_macs": 107, "depthwise_bytes": 80, "conv3x3_macs": 2, "conv3x3_wgrad_macs": 3,
    "conv1x1_macs": 4.5, "conv1x1_wgrad_macs": 6, "conv_macs": 5, "conv_wgrad_macs": 7, "tile_macs": 3,
    "tile_wgrad_macs": 4, "convolutions": 100, "pool_backward_elements": 200, "wgrad_elements": 50,
}  # fmt: skip
"""Limits of a Jetson TX2: 3 ms a billion MACs at the peak, of which Winograd spares more than half; 12 GB/s; a MAC of a
depthwise convolution reads four bytes from a cache three times as fast. The traffic's share was set with the
measurements in view."""

WEIGHT = 0.0005
"""How much a prior counts against the rows; matters where a kind of kernel is not among them."""


def fit(amounts: Array, latency_ms: Array) -> Array:
    """Prices of NAMES from amounts (rows x names) and measured times: the least relative errors."""
    import numpy
    from scipy.optimize import nnls  # type: ignore[import-untyped]

    priors = numpy.array([PRIORS_MS[name] for name in NAMES])
    root = len(latency_ms) ** 0.5
    equations = numpy.concatenate([amounts / latency_ms[:, None] / root, WEIGHT * numpy.diag(1 / priors)])
    wanted = numpy.concatenate([numpy.ones(len(latency_ms)) / root, numpy.full(len(NAMES), WEIGHT)])
    prices: Array = nnls(equations, wanted)[0]
    return prices


def amounts_of(model: Path, batch: int, device: str) -> list[float]:
    """The amounts of a whole step, in the order of NAMES, through the real pipeline."""
    from graphcost.analyses import WORK
    from graphcost.api import set_up
    from graphcost.importer import load, parse_sizes
    from graphcost.kernels import queries_of
    from graphcost.pipeline import Pipeline
    from graphcost.training import TrainingOptions

    setup = set_up(device, training=TrainingOptions())
    imported = load(model, setup.registry.operators, parse_sizes((), (), batch))
    ctx = setup.context(imported.graph, imported.facts)
    Pipeline(setup.stages).run(imported.graph, ctx)
    total = dict.fromkeys(NAMES, 0.0)
    for query in queries_of(imported.graph, ctx.get(WORK), setup.registry.operators):
        for name, amount in features(query).items():
            total[name] += amount
    return list(total.values())


def errors_by_network(amounts: Array, latency_ms: Array, networks: Sequence[str]) -> dict[str, float]:
    """Mean absolute relative error on each network, the prices fitted to the others."""
    import numpy

    names = numpy.array(networks)
    found = {}
    for name in sorted(set(networks)):
        prices = fit(amounts[names != name], latency_ms[names != name])
        rest = names == name
        found[name] = float(numpy.mean(abs(amounts[rest] @ prices / latency_ms[rest] - 1)))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Fit, and print the TOML file of the device."""
    import numpy

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("--device", default="tx2")
    parser.add_argument("--every", type=int, default=1, help="take every N-th row")
    given = parser.parse_args(argv)
    with given.rows.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["onnx"] and row["latency_ok"] == "True"][:: given.every]
    amounts = numpy.array([amounts_of(given.models / row["onnx"], int(row["batch"]), given.device) for row in rows])
    latency = numpy.array([float(row["latency_ms"]) for row in rows])
    networks = [row["network"] for row in rows]
    print(_document(amounts, latency, networks, given.device))
    return 0


def _document(amounts: Array, latency_ms: Array, networks: Sequence[str], device: str) -> str:
    import numpy

    from graphcost.device import load_device

    prices, by_network = fit(amounts, latency_ms), errors_by_network(amounts, latency_ms, networks)
    ratios = latency_ms / (amounts @ prices)
    low, high = numpy.quantile(ratios, [0.05, 0.95])
    spread = ", ".join(f"{name} {error:.1%}" for name, error in by_network.items())
    mean = sum(by_network.values()) / len(by_network)
    lines = [
        f"# Prices of a training step on {device}, FP32: graphcost.cost_models.eager.fitting made them from",
        f"# {len(latency_ms)} measured steps (perf4sight). Mean absolute error on a network left out: {mean:.1%}",
        f"# ({spread}).",
        f"gpu_clock_mhz = {load_device(device).gpu_clock_mhz}",
        f"interval = [{low:.3f}, {high:.3f}]  # 90 % of measured / predicted over the rows",
        "",
        "[prices_ms]  # per thousand launches, parameters, convolutions; per billion MACs, bytes, elements",
        *(f"{name} = {price:.4g}" for name, price in zip(NAMES, prices)),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
