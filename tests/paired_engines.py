"""The recorded engines of pairs.csv: the files that they were built from, and their layers as the engines list them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine_files import SHARED, layers_of, name_of, pairs, runtime_of

import graphcost
from graphcost.api import Run


@dataclass(frozen=True)
class Engine:
    """A recorded engine: the file that it was built from, and how."""

    name: str
    onnx: str
    runtime: str
    device: str
    precision: str
    half_io: bool
    reformats: int

    def run(self, model: str) -> Run:
        """What we say of it, with one cost model. Engines with Q/DQ could use FP16 beside INT8."""
        asked = "best" if "qdq" in self.precision else "fp16" if "fp16" in self.precision else "fp32"
        io = ["set-io-formats{inputs=[fp16:chw],outputs=[fp16:chw]}@before:formats"] if self.half_io else []
        return graphcost.run(
            SHARED / self.onnx, self.device, runtime=self.runtime, precision=asked, insert=io, cost_models=[model]
        )

    def convolutions_ms(self) -> dict[str, float]:
        """What the profiler read for each convolution, by the name of its layer."""
        timed = [row for row in layers_of(self.name) if "Convolution" in row["LayerType"] and row["avg_ms"]]
        return {row["Name"]: float(row["avg_ms"]) for row in timed}

    def formats(self) -> dict[str, tuple[str, str]]:
        """By the name of a layer: what it reads first and what it writes."""
        layers = [row for row in layers_of(self.name) if row["LayerType"] not in ("NoOp", "Reformat")]
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
    return [
        Engine(name_of(row), row["onnx_file"], runtime_of(row), row["device"], row["precision"],
               "fp16" in row["io_precision"], int(row["n_reformat"]))
        for row in pairs()
    ]  # fmt: skip
