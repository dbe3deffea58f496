"""How good the time of a step is where it was not fitted: networks left out, levels of pruning left out.

    python -m graphcost.cost_models.eager.judging ROWS.csv MODELS_DIR [--device tx2] [--every N]

A step that needs more than RAM has for a process swaps, and takes anything. Which steps those are is told from
predicted memory, never from what they took.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .arguments import measured_steps, parser_of
from .composition import Floats
from .fitting import Steps, errors_by_network, fit, read_steps

Mask: TypeAlias = NDArray[np.bool_]

SEEN_LEVELS = ("0", "30", "50", "70", "90")
"""Percent of pruning, as perf4sight's authors split their steps."""


def levels_left_out(steps: Steps, seen: Mask) -> Floats:
    """Absolute relative errors of the steps that are not seen, prices and correction fitted to those that are."""
    rest = steps.where(~seen)
    found: Floats = abs(fit(steps.where(seen)).step_ms(rest.amounts) / rest.latency_ms - 1)
    return found


def held_by_ram(rows: Sequence[Mapping[str, str]], models: Path, device: str) -> Mask:
    """Whether RAM holds what each step is predicted to need."""
    from graphcost.api import run
    from graphcost.device import load_device
    from graphcost.training import TrainingOptions
    from graphcost.training.batches import batch_memory
    from graphcost.training.system import room_bytes

    room = room_bytes(load_device(device)) or 0
    memory = {
        name: batch_memory([run(models / name, device, training=TrainingOptions(), batch=b) for b in (2, 4)])
        for name in sorted({row["onnx"] for row in rows})
    }
    return np.array([memory[row["onnx"]].needed_bytes(int(row["batch"])) <= room for row in rows])


def main(argv: Sequence[str] | None = None) -> int:
    """Print the errors."""
    given = parser_of(__doc__, every=1).parse_args(argv)
    rows = measured_steps(given)
    steps = read_steps(rows, given.models, given.device)
    by_network = errors_by_network(steps)
    spread = ", ".join(f"{name} {error:.1%}" for name, error in by_network.items())
    mean = np.mean(list(by_network.values()))
    print(f"networks left out: {len(steps)} steps, mean of networks {mean:.2%} ({spread})")
    seen = np.array([row["prune_pct"] in SEEN_LEVELS for row in rows])
    errors, held = levels_left_out(steps, seen), held_by_ram(rows, given.models, given.device)[~seen]
    print(f"levels left out: {len(errors)} steps, mean {errors.mean():.2%}, median {np.median(errors):.2%}")
    print(f"of them held by RAM: {held.sum()} steps, mean {errors[held].mean():.2%}")
    print(f"of them predicted to swap: {(~held).sum()} steps, median {np.median(errors[~held]):.2%}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
