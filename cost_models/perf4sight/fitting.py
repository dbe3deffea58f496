"""Trees from measured training steps.

python -m graphcost.cost_models.perf4sight.fitting ROWS.csv MODELS_DIR [--device tx2]
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graphcost.analyses import WORK
from graphcost.api import set_up
from graphcost.importer import load, parse_sizes
from graphcost.kernels import queries_of

from .features import step_features
from .forest import Floats, Forest, forest_of, save

TREES = 40
"""The paper has 300; fewer keep the file small."""


def grow(features: Floats, values: Floats) -> Forest:
    """Trees on the logarithms of what was measured: (rows, features) and (rows,)."""
    from sklearn.ensemble import ExtraTreesRegressor  # type: ignore[import-untyped]

    trees = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=0)
    return forest_of(trees.fit(features.astype(np.float32), np.log(values)))


def features_of_rows(rows: Sequence[Mapping[str, str]], models: Path, device: str) -> Floats:
    """(rows, features); the forward graph is enough."""
    return np.array([_features(models / row["onnx"], int(row["batch"]), device) for row in rows])


def _features(model: Path, batch: int, device: str) -> Floats:
    registry = set_up(device).registry
    imported = load(model, registry.operators, parse_sizes((), (), batch))
    ctx = set_up(device, runtime="pytorch").context(imported.graph, imported.facts)
    return step_features(queries_of(imported.graph, ctx.get(WORK), registry.operators))


def main(argv: Sequence[str] | None = None) -> int:
    """Grow trees on all measured steps and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("--device", default="tx2")
    given = parser.parse_args(argv)
    with given.rows.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["onnx"] and row["latency_ok"] == "True"]
    measured = np.array([float(row["latency_ms"]) for row in rows])
    forest = grow(features_of_rows(rows, given.models, given.device), measured)
    save(forest, Path(__file__).parent / f"{given.device}.npz")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
