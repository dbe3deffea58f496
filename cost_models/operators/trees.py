"""Boosted regression trees as plain arrays: trained elsewhere, stored as data, evaluated with numpy."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trees:
    """Nodes of all trees, one after another. A leaf is its own child; left is where feature <= threshold."""

    roots: NDArray[np.int32]  # (trees,): index of each root
    feature: NDArray[np.int16]  # (nodes,)
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float32]  # of leaves; 0 elsewhere
    base: NDArray[np.float64]  # (1,): what the sum of leaves is added to
    depth: NDArray[np.int32]  # (1,): most steps from a root to a leaf

    def predict(self, features: Floats) -> Floats:
        """(rows, features) -> (rows,). All trees of a row walk down together."""
        rows = np.arange(len(features))[:, None]
        node = np.broadcast_to(self.roots, (len(features), len(self.roots)))
        small = features.astype(np.float32)
        for _ in range(int(self.depth[0])):
            goes_left = small[rows, self.feature[node]] <= self.threshold[node]
            node = np.where(goes_left, self.left[node], self.right[node])
        summed: Floats = self.base[0] + self.value[node].sum(axis=1, dtype=np.float64)
        return summed

    def save(self, path: Path) -> None:
        """As a compressed .npz without objects."""
        np.savez_compressed(path, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Trees:
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{f.name: arrays[f.name] for f in fields(cls)})
