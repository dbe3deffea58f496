"""trtexec's `--exportLayerInfo` and `--exportProfile` files → Engine.

Layer info: a list of layers at the root, or `{"Layers": […], "Bindings": […]}`; a layer is an object, or only its name
(an engine built without `--profilingVerbosity=detailed`). Profile: `[{"count": N}, {"name", "averageMs", …}, …]`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

from graphcost.errors import ModelError, UsageError

from .layer import Engine, EngineLayer, EngineTensor

_ONNX = re.compile(r"\[ONNX Layer: ([^\x1e]*?)\](?=\x1e|\s|$)")
_PROFILE_NUMBER = re.compile(r" \[profile \d+\]$")


def load_engine(layer_info: Path | None, profile: Path | None) -> Engine:
    """The engine that one or both of trtexec's files describe. UsageError without a file, ModelError where one is
    missing, broken or something else."""
    if layer_info is None and profile is None:
        raise UsageError("give what trtexec wrote: --layer-info FILE (--exportLayerInfo), --profile FILE, or both")
    layers = [] if layer_info is None else _layers(_json(layer_info), layer_info)
    if profile is None:
        return Engine(tuple(layers), has_times=False)
    times = _times(_json(profile), profile)
    return _timed(layers, times) if layers else Engine(tuple(EngineLayer(n, time_ms=t) for n, t in times), True)


def _json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ModelError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{str(path)!r} is not JSON: {error}") from error


# Layer info


def _layers(document: object, path: Path) -> list[EngineLayer]:
    found = document.get("Layers") if isinstance(document, Mapping) else document
    if not isinstance(found, list) or not found or not all(map(_is_layer, found)):
        raise ModelError(
            f"{str(path)!r} is no layer information of trtexec: expected a list of layers, or an object with "
            '"Layers", as --exportLayerInfo writes'
        )
    return [_layer(item) for item in found]


def _is_layer(item: object) -> bool:
    return isinstance(item, str) or (isinstance(item, Mapping) and isinstance(item.get("Name"), str))


def _layer(item: str | Mapping[str, Any]) -> EngineLayer:
    if isinstance(item, str):
        return EngineLayer(_plain_name(item))
    return EngineLayer(
        name=_plain_name(item["Name"]),
        layer_type=str(item.get("LayerType") or ""),
        inputs=_tensors(item.get("Inputs")),
        outputs=_tensors(item.get("Outputs")),
        tactic=str(item.get("TacticName") or item.get("TacticValue") or ""),
        onnx=tuple(dict.fromkeys(_ONNX.findall(str(item.get("Metadata") or "")))),
    )


def _plain_name(name: str) -> str:
    """Without the number that engines with several optimisation profiles append."""
    return _PROFILE_NUMBER.sub("", name)


def _tensors(items: object) -> tuple[EngineTensor, ...]:
    listed = items if isinstance(items, list) else []
    return tuple(_tensor(item) for item in listed if isinstance(item, Mapping))


def _tensor(item: Mapping[str, Any]) -> EngineTensor:
    dims = item.get("Dimensions")
    whole = tuple(dim for dim in dims if isinstance(dim, int)) if isinstance(dims, list) else ()
    form = item.get("Format/Datatype") or item.get("Format") or item.get("Datatype")
    return EngineTensor(str(item.get("Name") or ""), whole, str(form or ""))


# Profile


def _times(document: object, path: Path) -> list[tuple[str, float]]:
    """Layers in order, each with its time in milliseconds."""
    rows = document if isinstance(document, list) else []
    counts = [row["count"] for row in rows if isinstance(row, Mapping) and isinstance(row.get("count"), int)]
    found = [_time(row, (counts or [0])[0]) for row in rows if isinstance(row, Mapping) and "name" in row]
    times = [(name, time_ms) for name, time_ms in found if time_ms is not None]
    if odd := [name for name, time_ms in times if not 0 <= time_ms < inf]:  # a NaN compares as neither
        raise ModelError(f"{str(path)!r}: the time of {odd[0]!r} is no number of milliseconds from 0")
    if not times:
        raise ModelError(
            f"{str(path)!r} is no profile of trtexec: expected a list of layers with name and averageMs, as "
            "--exportProfile writes"
        )
    return times


def _time(row: Mapping[str, Any], count: int) -> tuple[str, float | None]:
    """The median; else the average; else the sum over the runs, divided by their number."""
    name = _plain_name(str(row["name"]))
    for key in ("medianMs", "averageMs"):
        if isinstance(row.get(key), (int, float)):
            return name, float(row[key])
    whole = row.get("timeMs")
    return name, whole / count if isinstance(whole, (int, float)) and count else None


def _timed(layers: Sequence[EngineLayer], times: Iterable[tuple[str, float]]) -> Engine:
    """Layers with their times: by name, layers of one name in order."""
    waiting: dict[str, deque[float]] = defaultdict(deque)
    for name, time_ms in times:
        waiting[name].append(time_ms)
    timed = [replace(la, time_ms=waiting[la.name].popleft() if waiting[la.name] else None) for la in layers]
    others = [EngineLayer(name, time_ms=time_ms) for name, left in waiting.items() for time_ms in left]
    missing = sum(layer.time_ms is None for layer in timed)
    warnings = [f"{missing:,} of {len(timed):,} layers are not in the profile"] if missing else []
    warnings += [f"{len(others):,} layers of the profile are not in the layer information"] if others else []
    return Engine((*timed, *others), has_times=True, warnings=tuple(warnings))
