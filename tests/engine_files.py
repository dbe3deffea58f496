"""Files as trtexec writes them, made from the layer lists of real engines."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SHARED = Path(__file__).parents[2] / "shared"


@dataclass(frozen=True)
class Built:
    """A real engine, how it was built, and the file that it was built from."""

    engine: str
    onnx: str
    device: str
    runtime: str
    precision: str

    @property
    def options(self) -> dict[str, str]:
        return {"device": self.device, "runtime": self.runtime, "precision": self.precision}


def built() -> list[Built]:
    """Every engine that has a file."""
    return [Built(name_of(row), row["onnx_file"], row["device"], runtime_of(row), _asked(row)) for row in pairs()]


def pairs() -> list[dict[str, str]]:
    """The rows of pairs.csv: engines and the files that they were built from; none in a clone without ../shared."""
    table = SHARED / "engines" / "pairs.csv"
    if not table.exists():
        return []
    with table.open(newline="") as lines:
        return list(csv.DictReader(lines))


def name_of(row: Mapping[str, str]) -> str:
    return row["engine_file"].removesuffix(".tsv")


def runtime_of(row: Mapping[str, str]) -> str:
    """The runtime that stands for the version of a row, which often is not known exactly."""
    known = {"8.x": "8.5", "8.4-8.5": "8.5", "10.x": "10.3", "10.1.0": "10.3"}
    return f"tensorrt-{known[row['tensorrt_version']]}"


def _asked(row: Mapping[str, str]) -> str:
    return "as-exported" if "qdq" in row["precision"] else "fp16" if "fp16" in row["precision"] else "fp32"


def layers_of(engine: str) -> list[dict[str, str]]:
    """The engine's layers in its order: LayerType, Name, Inputs, Outputs, Params, Tactic, avg_ms."""
    with (SHARED / "engines" / "layers" / f"{engine}.tsv").open(newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def write_files(engine: str, folder: Path) -> tuple[Path, Path]:
    """The layer information and the profile of an engine, as JSON."""
    rows = layers_of(engine)
    layers = [
        {"Name": row["Name"], "LayerType": row["LayerType"], "Inputs": _tensors(row["Inputs"]),
         "Outputs": _tensors(row["Outputs"]), "TacticName": row["Tactic"]}
        for row in rows
    ]  # fmt: skip
    times = [{"name": row["Name"], "averageMs": float(row["avg_ms"])} for row in rows if row["avg_ms"]]
    return write(folder / "layers.json", layers), write(folder / "profile.json", [{"count": 100}, *times])


def write(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def _tensors(text: str | None) -> list[dict[str, object]]:
    found = re.findall(r"([\dx]+)\[(.*?)\]", text or "")
    return [{"Dimensions": [int(d) for d in dims.split("x")], "Format/Datatype": form} for dims, form in found]
