"""trtexec's --exportProfile JSON → measurements, one a layer: `[{"count": N}, {"name", "averageMs", …}, …]`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphcost.errors import ModelError, UsageError

from .measurement import Measurement

_TIMES = ("averageMs", "medianMs")
_FORM = '[{"count": N}, {"name": "…", "averageMs": …}, …]'


def read_profile(
    path: str | Path,
    model: str | Path,
    device: str,
    *,
    precision: str,
    runtime: str = "",
    batch: int | None = None,
    shapes: str = "",
    source: str = "",
    family: str = "",
) -> list[Measurement]:
    """The layers of a profile, in execution order, each a measurement of scope `layer` and measure `profile`.

    `layer` is the name that TensorRT gave it, which for a fused layer is its ONNX nodes joined by ` + `; the names of
    reformats and of Myelin regions name no ONNX node. A profiled layer takes 2 to 7 µs more than it takes in the
    engine. UsageError where the file is not a profile, ModelError where there is no such model.
    """
    file, model_file = Path(path), Path(model)
    if not model_file.is_file():
        raise ModelError(f"no model {str(model_file)!r} for the profile {file.name}")
    name, _, mode = device.partition("@")
    layers = [_layer(entry, f"{file.name}, entry {at}") for at, entry in enumerate(_entries(file)) if "name" in entry]
    return [
        Measurement(
            device=name, power_mode=mode, runtime=runtime, precision=precision, batch=batch, model=model_file.name,
            model_file=model_file, shapes=shapes, scope="layer", layer=layer, latency_ms=ms, measure="profile",
            source=source, family=family, where=where,
        )
        for layer, ms, where in layers
    ]  # fmt: skip


def _entries(file: Path) -> Sequence[Mapping[str, Any]]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not JSON: {error}") from error
    if not isinstance(document, list) or not all(isinstance(entry, Mapping) for entry in document):
        raise UsageError(f"{file} is not a profile of trtexec: {_FORM} is expected")
    return document


def _layer(entry: Mapping[str, Any], where: str) -> tuple[str, float, str]:
    """Name, milliseconds and place. Older versions give the average only, newer ones the median too."""
    ms = next((entry[key] for key in _TIMES if key in entry), None)
    if isinstance(ms, bool) or not isinstance(ms, (int, float)) or not 0 <= ms < math.inf:
        raise UsageError(f"{where}: {_TIMES[0]} is {ms!r}, not a number of milliseconds")
    return str(entry["name"]), float(ms), where
