"""What the commands of this room take: a table of measured steps, the folder of their models, the device."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path


def parser_of(doc: str | None, every: int) -> argparse.ArgumentParser:
    """ROWS MODELS --device D --every N, with the text of a module as help."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("--device", default="tx2")
    parser.add_argument("--every", type=int, default=every, help="take every N-th row")
    return parser


def measured_steps(given: argparse.Namespace) -> list[dict[str, str]]:
    """The rows whose network has a file and whose time is sound."""
    with given.rows.open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["onnx"] and row["latency_ok"] == "True"][:: given.every]
