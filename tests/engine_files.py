"""Files as trtexec writes them, made from the layer lists of real engines."""

from __future__ import annotations

import csv
import json
import re
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
    """Every engine that has a file; none in a clone without ../shared."""
    table = SHARED / "engines" / "pairs.csv"
    if not table.exists():
        return []
    with table.open(newline="") as lines:
        return [_built(row) for row in csv.DictReader(lines)]


def _built(row: dict[str, str]) -> Built:
    known = {"8.x": "8.5", "8.4-8.5": "8.5", "10.x": "10.3", "10.1.0": "10.3"}
    precision = row["precision"]
    asked = "as-exported" if "qdq" in precision else "fp16" if "fp16" in precision else "fp32"
    version = known[row["tensorrt_version"]]
    return Built(row["engine_file"].removesuffix(".tsv"), row["onnx_file"], row["device"], f"tensorrt-{version}", asked)


def write_files(engine: str, folder: Path) -> tuple[Path, Path]:
    """The layer information and the profile of an engine, as JSON."""
    with (SHARED / "engines" / "layers" / f"{engine}.tsv").open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
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
