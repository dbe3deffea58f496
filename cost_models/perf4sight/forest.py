"""Extremely randomised trees as plain arrays (Geurts et al. 2006), and a walk through them in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphcost.errors import UsageError

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_FIELDS = ("feature", "threshold", "left", "right", "value", "roots")


@dataclass(frozen=True)
class Forest:
    """All nodes of all trees in one row. A leaf is its own child on both sides; `value` counts at leaves."""

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats
    roots: Ints

    def predict(self, features: Floats) -> Floats:
        """The mean over all trees: (rows, features) -> (rows,)."""
        at = np.broadcast_to(self.roots, (len(features), len(self.roots))).copy()
        rows = np.arange(len(features))[:, None]
        while True:
            goes_left = features[rows, self.feature[at]] <= self.threshold[at]
            below = np.where(goes_left, self.left[at], self.right[at])
            if (below == at).all():
                found: Floats = self.value[at].mean(axis=1)
                return found
            at = below


def forest_of(trees: Any) -> Forest:
    """From a fitted scikit-learn ensemble."""
    parts = [_arrays(estimator.tree_) for estimator in trees.estimators_]
    sizes = [len(part[0]) for part in parts]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    feature, threshold, left, right, value = (np.concatenate(column) for column in zip(*parts))
    shift = np.repeat(roots, sizes)
    return Forest(feature, threshold, left + shift, right + shift, value, roots)


def _arrays(tree: Any) -> tuple[Ints, Floats, Ints, Ints, Floats]:
    is_leaf, own = tree.children_left < 0, np.arange(tree.node_count)
    left, right = (np.where(is_leaf, own, side) for side in (tree.children_left, tree.children_right))
    return np.where(is_leaf, 0, tree.feature), tree.threshold, left, right, tree.value[:, 0, 0]


def save(forest: Forest, path: Path) -> None:
    """Small types: thresholds and values in single precision, children in four bytes."""
    arrays = {name: getattr(forest, name) for name in _FIELDS}
    small = {k: a.astype(np.float32 if a.dtype.kind == "f" else np.uint32) for k, a in arrays.items()}
    small["feature"] = small["feature"].astype(np.uint8)
    np.savez_compressed(path, **small)


def load(path: Path) -> Forest:
    """A file that `save` made. UsageError where it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as table:
            arrays = {k: table[k].astype(np.float64 if table[k].dtype.kind == "f" else np.int64) for k in _FIELDS}
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"cannot read {path}: {error}; `make fit-training` writes it") from error
    return Forest(**arrays)
