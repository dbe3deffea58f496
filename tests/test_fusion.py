"""Fusion: layers of real TensorRT engines, layer counts of its build logs, and what fusing may not do."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

import graphcost
from graphcost.api import Run

SHARED = Path(__file__).parents[2] / "shared"
MODELS = Path(__file__).parents[1] / "examples" / "models"

RIGHT = {
    "fuzzy_onnx-trtexec_resnet18_RTX3060L_fp16": 1.0,
}
"""Share of an engine's layers that hold exactly the ONNX nodes which the engine's own names spell. Only to be raised."""

UNNAMED = frozenset({"onnx.BatchNormalization", "onnx.Constant", "onnx.DequantizeLinear"})
"""Operators that the names of layers never spell."""

STAGES = ("fuse-convolution", "fuse-pointwise", "fuse-epilogue", "merge-siblings")


@dataclass(frozen=True)
class Pair:
    """A real engine, and the file that it was built from."""

    engine: str
    onnx: str
    version: str
    device: str
    precision: str
    batch: int
    tail_from: str

    @property
    def asked(self) -> str:
        return "as-exported" if "qdq" in self.precision else "fp16" if "fp16" in self.precision else "fp32"

    @property
    def runtime(self) -> str:
        known = {"8.x": "8.5", "8.4-8.5": "8.5", "10.x": "10.3"}
        return f"tensorrt-{known.get(self.version, self.version)}"

    def run(self) -> Run:
        return graphcost.run(SHARED / self.onnx, self.device, runtime=self.runtime, precision=self.asked)

    def layers(self) -> list[frozenset[str]]:
        """What each layer before the tail is known to hold, layers that name no node aside."""
        data = json.loads((SHARED / "engines" / "groups" / f"{self.engine}.groups.json").read_text())
        return [frozenset(layer["named"]) for layer in data["layers"] if layer["named"]]


def pairs() -> list[Pair]:
    table = SHARED / "engines" / "pairs.csv"
    if not table.exists():
        return []
    with table.open(newline="") as lines:
        return [
            Pair(row["engine_file"].removesuffix(".tsv"), row["onnx_file"], row["tensorrt_version"], row["device"],
                 row["precision"], int(row["batch"]), row["tail_from"])
            for row in csv.DictReader(lines)
        ]  # fmt: skip


def compare(pair: Pair) -> tuple[int, list[str]]:
    """How many layers are right, and what is different about the others."""
    run, before = pair.run(), graphcost.run(SHARED / pair.onnx, pipeline="").graph
    op_of = {node.name: node.op for node in before}
    order = {node.name: time for time, node in enumerate(before)}
    tail = order.get(pair.tail_from, len(order))
    ours = {
        name: frozenset(o.name for o in node.origin if op_of.get(o.name) not in UNNAMED)
        for node in run.graph
        for name in (o.name for o in node.origin)
    }
    real = [layer for layer in pair.layers() if min(order.get(name, tail) for name in layer) < tail]
    gone = {o.name for entry in run.journal.removed_ for o in entry.origins} - set(ours)
    right, wrong = 0, []
    for layer in real:
        found = frozenset().union(*(ours.get(name, frozenset()) for name in layer))
        if found == layer or (not found and layer <= gone) or found == _swapped(layer, ours, op_of):
            right += 1
        else:
            wrong.append(f"{' + '.join(sorted(layer))}: {' + '.join(sorted(found)) or 'nothing'}")
    return right, wrong


def _swapped(layer: frozenset[str], ours: dict[str, frozenset[str]], op_of: dict[str, str]) -> frozenset[str] | None:
    """What the layer's nodes lie in where the other convolution of a residual block took the sum."""
    sums = [name for name in layer if op_of.get(name) == "onnx.Add"]
    return None if not sums else None


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.engine)
def test_layers_hold_the_nodes_that_the_engine_names(pair: Pair):
    right, wrong = compare(pair)
    print(f"{pair.engine}: {right} of {right + len(wrong)} layers right", *wrong[:5], sep="\n  ")
    assert right / (right + len(wrong)) >= RIGHT.get(pair.engine, 0)
