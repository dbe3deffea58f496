"""The recorded engines of pairs.csv: the files that they were built from, and their layers as the engines list them."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import graphcost
from graphcost.api import Run

SHARED = Path(__file__).parents[2] / "shared"


@dataclass(frozen=True)
class Engine:
    """A recorded engine: the file that it was built from, and how."""

    name: str
    onnx: str
    version: str
    device: str
    precision: str
    half_io: bool
    reformats: int

    def run(self, model: str) -> Run:
        """What we say of it, with one cost model. Engines with Q/DQ could use FP16 beside INT8."""
        asked = "best" if "qdq" in self.precision else "fp16" if "fp16" in self.precision else "fp32"
        known = {"8.x": "8.5", "8.4-8.5": "8.5", "10.x": "10.3"}
        io = ["set-io-formats{inputs=[fp16:chw],outputs=[fp16:chw]}@before:formats"] if self.half_io else []
        runtime = f"tensorrt-{known.get(self.version, self.version)}"
        return graphcost.run(
            SHARED / self.onnx, self.device, runtime=runtime, precision=asked, insert=io, cost_models=[model]
        )

    def rows(self) -> list[Mapping[str, str]]:
        """The engine's layers in its order: LayerType, Name, Inputs, Outputs, Params, Tactic, avg_ms."""
        with (SHARED / "engines" / "layers" / f"{self.name}.tsv").open(newline="") as lines:
            return list(csv.DictReader(lines, delimiter="\t"))

    def convolutions_ms(self) -> dict[str, float]:
        """What the profiler read for each convolution, by the name of its layer."""
        timed = [row for row in self.rows() if "Convolution" in row["LayerType"] and row["avg_ms"]]
        return {row["Name"]: float(row["avg_ms"]) for row in timed}

    def formats(self) -> dict[str, tuple[str, str]]:
        """By the name of a layer: what it reads first and what it writes."""
        layers = [row for row in self.rows() if row["LayerType"] not in ("NoOp", "Reformat")]
        found = {row["Name"]: (_layouts(row["Inputs"]), _layouts(row["Outputs"])) for row in layers}
        return {name: (ins[0], outs[0]) for name, (ins, outs) in found.items() if ins and outs}


_SPELLED = {
    "LIN": "linear", "HWCx": "hwc", "HWC8": "hwc", "HWC4": "hwc4", "CHW32": "chw32", "CHW4": "chw4", "CHW2": "chw2",
}  # fmt: skip
"""HWC and HWC8 are relabeled without cost where channels come in eights, as in all these networks."""


def _layouts(text: str) -> list[str]:
    """FP32 in CHW4 is another name of HWC: the engines go from one to the other with a NoOp."""
    found = re.findall(r"\[(\w+):(\w+)\]", text)
    return ["hwc" if (layout, dtype) == ("CHW4", "FP32") else _SPELLED.get(layout, layout) for layout, dtype in found]


def engines() -> list[Engine]:
    table = SHARED / "engines" / "pairs.csv"
    if not table.exists():
        return []
    with table.open(newline="") as lines:
        return [
            Engine(row["engine_file"].removesuffix(".tsv"), row["onnx_file"], row["tensorrt_version"], row["device"],
                   row["precision"], "fp16" in row["io_precision"], int(row["n_reformat"]))
            for row in csv.DictReader(lines)
        ]  # fmt: skip
