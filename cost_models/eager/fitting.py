"""Prices from measured training steps: non-negative least squares of relative errors, drawn a little towards priors;
then the correction of what they leave over.

    python -m graphcost.cost_models.eager.fitting ROWS.csv MODELS_DIR [--device tx2] [--every N] [--into FOLDER]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphcost.cost import KernelQuery
from graphcost.files import write_atomic
from graphcost.intervals import conformal_factors

from .arguments import measured_steps, parser_of
from .composition import Floats, composition
from .features import NAMES
from .model import Fitted, amounts_of_kernels
from .overlap import step_ms
from .residual import as_json, learn

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


_ROUNDS = 12
_DAMPED = 0.7
_BROKEN = 4.0
"""A step that takes so many times longer than predicted was swapping: a few rows of the measurements do."""


@dataclass(frozen=True)
class Steps:
    """Measured steps: amounts (steps, names), milliseconds, and the network of each."""

    amounts: Floats
    latency_ms: Floats
    networks: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.latency_ms)

    def where(self, mask: NDArray[np.bool_]) -> Steps:
        return Steps(self.amounts[mask], self.latency_ms[mask], self.networks[mask])


def fit(steps: Steps) -> Fitted:
    """Prices and correction from steps; the interval is that of networks left out where there are several."""
    prices = _prices(steps)
    sane = steps.where(steps.latency_ms < _BROKEN * step_ms(steps.amounts, prices)[0])
    prices = _prices(sane)
    log_ratio = np.log(sane.latency_ms / step_ms(sane.amounts, prices)[0])
    residual = learn(composition(sane.amounts), log_ratio)
    return Fitted(dict(zip(NAMES, prices.tolist())), (1.0, 1.0), 1.0, residual)


def left_out_ms(steps: Steps) -> Floats:
    """Predictions of each step by a model that has not seen its network."""
    found = np.zeros(len(steps))
    for name in np.unique(steps.networks):
        rest = steps.networks == name
        found[rest] = fit(steps.where(~rest)).step_ms(steps.amounts[rest])
    return found


def errors_by_network(steps: Steps) -> dict[str, float]:
    """Mean absolute relative error on each network, prices and correction fitted to the others."""
    errors = abs(left_out_ms(steps) / steps.latency_ms - 1)
    return {str(name): float(errors[steps.networks == name].mean()) for name in np.unique(steps.networks)}


def _prices(steps: Steps) -> Floats:
    """The least relative errors. What host and GPU do side by side makes the step no straight line of the prices: the
    derivatives at the last prices stand in for it until they no longer change."""
    prices = np.array([PRIORS_MS[name] for name in NAMES])
    for _ in range(_ROUNDS):
        share = step_ms(steps.amounts, prices)[1]
        prices = (1 - _DAMPED) * prices + _DAMPED * _straight(steps.amounts * share, steps.latency_ms)
    return prices


def _straight(amounts: Floats, latency_ms: Floats) -> Floats:
    from scipy.optimize import nnls  # type: ignore[import-untyped]

    priors, root = np.array([PRIORS_MS[name] for name in NAMES]), len(latency_ms) ** 0.5
    equations = np.concatenate([amounts / latency_ms[:, None] / root, WEIGHT * np.diag(1 / priors)])
    wanted = np.concatenate([np.ones(len(latency_ms)) / root, np.full(len(NAMES), WEIGHT)])
    found: Floats = nnls(equations, wanted)[0]
    return found


def amounts_of(model: Path, batch: int, device: str) -> Floats:
    """The amounts of a whole step, in the order of NAMES, through the real pipeline."""
    total: Floats = amounts_of_kernels(queries_of_step(model, batch, device)).sum(axis=0)
    return total


def queries_of_step(model: Path, batch: int, device: str) -> list[KernelQuery]:
    """The kernels of a training step with the default options."""
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
    return list(queries_of(imported.graph, ctx.get(WORK), setup.registry.operators))


def read_steps(rows: Sequence[Mapping[str, str]], models: Path, device: str) -> Steps:
    """The measured steps of a table with the columns onnx, batch, latency_ms and network."""
    amounts = np.array([amounts_of(models / row["onnx"], int(row["batch"]), device) for row in rows])
    latency_ms = np.array([float(row["latency_ms"]) for row in rows])
    return Steps(amounts, latency_ms, np.array([row["network"] for row in rows]))


def main(argv: Sequence[str] | None = None) -> int:
    """Fit, and write the files of the device: prices as TOML, the correction as JSON."""
    parser = parser_of(__doc__, every=1)
    parser.add_argument("--into", type=Path, default=Path(__file__).parent, help="folder to write to")
    given = parser.parse_args(argv)
    rows = measured_steps(given)
    write(read_steps(rows, given.models, given.device), given.device, given.into)
    return 0


def write(steps: Steps, device: str, folder: Path) -> None:
    """Fit to all steps, judge by networks left out, write both files."""
    fitted = fit(steps)
    write_atomic(folder / f"{device}.toml", _document(steps, fitted, device))
    write_atomic(folder / f"{device}.residual.json", as_json(fitted.residual) + "\n")


def _document(steps: Steps, fitted: Fitted, device: str) -> str:
    from graphcost.device import load_device

    by_network = errors_by_network(steps)
    factors = conformal_factors((steps.latency_ms / left_out_ms(steps)).tolist()) or (0.5, 2.0)
    spread = ", ".join(f"{name} {error:.1%}" for name, error in by_network.items())
    mean = sum(by_network.values()) / len(by_network)
    lines = [
        f"# Prices of a training step on {device}, FP32: `make fit-training` made them from",
        f"# {len(steps)} measured steps (perf4sight). Mean absolute error on a network left out: {mean:.1%}",
        f"# ({spread}).",
        f"gpu_clock_mhz = {load_device(device).gpu_clock_mhz}",
        f"interval = [{factors[0]:.3f}, {factors[1]:.3f}]  # 90 % of measured / predicted, each network left out",
        "",
        "[prices_ms]  # per thousand launches, parameters, convolutions; per billion MACs, bytes, elements",
        *(f"{name} = {price:.4g}" for name, price in fitted.prices_ms.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
