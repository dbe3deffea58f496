"""Write tests/evidence: which layers real TensorRT engines have, in a small form of our own.

    python tools/engine_evidence.py ../shared/engines tests/evidence

Facts only: names and types of layers, the ONNX nodes that a name spells, element types and formats at the border; no
times, no tactics. The networks go along as graphs in text form, structure without weights. The engines are those of
NVIDIA's trt-engine-explorer and of fuzzylabs' edge-vision-power-estimation, both Apache-2.0.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

import graphcost
from graphcost.text import print_graph

SOURCES = {
    "trex": "NVIDIA/TensorRT, tools/experimental/trt-engine-explorer, Apache-2.0",
    "fuzzy": "fuzzylabs/edge-vision-power-estimation, Apache-2.0",
}
EXAMPLES = {"resnet18_224.onnx": "../../examples/models/resnet18.onnx"}
"""Networks that the repository has already, relative to the folder of the evidence."""
RUNTIMES = {"8.x": "8.5", "8.4-8.5": "8.5", "10.x": "10.3", "10.1.0": "10.3"}
_BORDER = re.compile(r"\[(?P<format>[^:\]]+)(?::(?P<dtype>[^\]]+))?\]")


def main(engines: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with (engines / "pairs.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            write(engines, row, target)


def write(engines: Path, row: dict[str, str], target: Path) -> None:
    """One engine: `ENGINE.json`, and the graph of its network beside it."""
    engine = row["engine_file"].removesuffix(".tsv")
    head = {
        "engine": engine,
        "source": SOURCES[engine.partition("_")[0]],
        "model": model_beside(engines.parent / row["onnx_file"], target),
        "target": f"{row['device']} {runtime(row['tensorrt_version'])} {precision(row['precision'])} inference",
        "tail_from": row["tail_from"],
    }
    named = json.loads((engines / "groups" / f"{engine}.groups.json").read_text())["layers"]
    with (engines / "layers" / row["engine_file"]).open(newline="") as lines:
        listed = list(csv.DictReader(lines, delimiter="\t"))
    layers = [layer(group, line) for group, line in zip(named, listed, strict=True)]
    (target / f"{engine}.json").write_text(text(head, layers), encoding="utf-8")


def model_beside(onnx: Path, target: Path) -> str:
    """Where the network of an engine is, as seen from the evidence."""
    if onnx.name in EXAMPLES:
        return EXAMPLES[onnx.name]
    name = f"{onnx.stem}.gcir"
    (target / name).write_text(print_graph(graphcost.run(onnx, pipeline="").graph), encoding="utf-8")
    return name


def runtime(version: str) -> str:
    """The nearest that is modelled; 8.x was read from the names of tactics."""
    return f"tensorrt-{RUNTIMES[version]}"


def precision(built: str) -> str:
    return "as-exported" if "qdq" in built else "fp16" if "fp16" in built else "fp32"


def layer(group: dict[str, Any], line: dict[str, str]) -> dict[str, Any]:
    return {
        "name": line["Name"],
        "type": line["LayerType"],
        "nodes": group["named"],
        "beside": group["absorbed"],
        "reads": borders(line["Inputs"]),
        "writes": borders(line["Outputs"]),
    }


def borders(text: str) -> list[str]:
    """Element type and format of each tensor: `Int8:CHW32`."""
    found = _BORDER.finditer(text)
    return [f"{match['dtype']}:{match['format']}" if match["dtype"] else match["format"] for match in found]


def text(head: dict[str, str], layers: list[dict[str, Any]]) -> str:
    """JSON with one layer a line."""
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in layers)
    return f'{json.dumps(head, indent=1)[:-2]},\n "layers": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
