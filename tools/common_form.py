"""Measurements that were published in forms of their own, in the common form; and the models of their rows.

    python tools/common_form.py ../shared/data/latency build/measurements

writes nano_fp32_synthetic_cnn.csv and nasbench201_nano_fp16.csv there. Their rows have `-` for a model: give this file
as the generator, `graphcost accuracy FILE --generator tools/common_form.py`. It calls the two scripts that come with
the data, which stand beside it; a column of each row says where.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import math
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

COLUMNS = ("device", "power_mode", "runtime", "precision", "batch", "model", "shapes", "scope", "layer", "latency_ms",
           "measure", "source", "family", "use")  # fmt: skip

LONGEST_MS = 2000.0
"""Beyond it networks come near the 4 GB of the board, swap, and measure its disk."""


def main(data: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "nano_fp32_synthetic_cnn.csv", synthetic(data))
    write(folder / "nasbench201_nano_fp16.csv", nasbench(data))


def write(file: Path, rows: Iterator[dict[str, str]]) -> None:
    kept = list(rows)
    extra = [name for name in kept[0] if name not in COLUMNS]
    with file.open("w", newline="", encoding="utf-8") as text:
        writer = csv.DictWriter(text, [*COLUMNS, *extra], restval="")
        writer.writeheader()
        writer.writerows(kept)
    print(f"{file}: {len(kept):,} rows")


def synthetic(data: Path) -> Iterator[dict[str, str]]:
    """Convolutions in a row, on the Nano in FP32; the family is the subset that its authors drew."""
    common = {"device": "nano", "power_mode": "MAXN", "runtime": "tensorrt", "precision": "fp32", "batch": "1",
              "model": "-", "scope": "network", "measure": "with_copies",
              "generator": str((data / "synthetic_cnn.py").resolve())}  # fmt: skip
    made = ("network", "net_type", "L", "F", "kernels", "paddings", "input_shape")
    for row in _rows(data / "nano_fp32_synthetic_cnn.csv.gz"):
        latency_ms = float(row["latency_ms"] or math.inf)
        if row["paddings"] and latency_ms <= LONGEST_MS:
            own = {"source": row["source"], "family": row["subset"], "latency_ms": row["latency_ms"], "use": "bar"}
            yield {**common, **own, "shapes": f"input:{row['input_shape']}", **{name: row[name] for name in made}}


def nasbench(data: Path) -> Iterator[dict[str, str]]:
    """NAS-Bench-201 cells on the Nano in FP16. The measure is not stated; wall is presumed. Nor is the version: 6 has
    the kernels, one for each addition, that explain the latencies (docs/latency.md)."""
    common = {"device": "nano", "power_mode": "MAXN", "runtime": "tensorrt-6.0", "precision": "fp16", "batch": "1",
              "model": "-", "shapes": "input:1x3x32x32", "scope": "network", "measure": "wall", "source": "Eagle",
              "family": "nasbench201", "use": "bar",
              "generator": str((data / "nasbench201_cell.py").resolve())}  # fmt: skip
    for row in _rows(data / "nasbench201_fifth.csv.gz"):
        if row["eagle_jetson_nano_fp16_ms"]:
            own = {"latency_ms": row["eagle_jetson_nano_fp16_ms"], "network": f"cell {row['arch_index']}"}
            yield {**common, **own, "arch_str": row["arch_str"]}


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with gzip.open(file, "rt", newline="", encoding="utf-8") as text:
        yield from csv.DictReader(text)


def model_of(row: Mapping[str, str]) -> bytes:
    """The ONNX file of a row that this script wrote."""
    if row.get("arch_str"):
        return _cells(row["generator"]).build(row["arch_str"], none="prune").SerializeToString()
    return _script(row["generator"]).build_row(row).SerializeToString()


@cache
def _cells(path: str) -> ModuleType:
    """The script of the cells, with ReLU behind the convolution. NAS-Bench-201 has it before; what was measured on the
    Nano has not: no kernel is spent on a ReLU where the sum before it is needed without, no addition joins a
    convolution, and convolutions of one input are one kernel even where their results are added (docs/latency.md)."""
    module = _script(path)

    class ReluBehind(module.Writer):
        def relu_conv_bn(self, tag: str, x: str, *sizes: int) -> str:
            return self.op("Relu", f"{tag}.relu", [self.conv(f"{tag}.conv", x, *sizes)])

    module.Writer = ReluBehind
    return module


@cache
def _script(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
