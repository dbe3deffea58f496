"""A profile of trtexec → measurements, one for each layer that is predicted as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from graphcost.errors import ModelError

from .measurement import LAYER_JOINT, Measurement

if TYPE_CHECKING:
    from graphcost.engine import Comparison, Match

_REASONS = {
    "merged differently": "merged differently than predicted",
    "only in engine": "nothing like it is predicted",
}


class LeftOut(NamedTuple):
    """A layer of the engine that is no measurement, and why."""

    layer: str
    reason: str


@dataclass(frozen=True)
class Profile:
    """The layers of a profile as measurements of scope `layer` and measure `profile`, and those that are none."""

    rows: tuple[Measurement, ...]
    left_out: tuple[LeftOut, ...]


def read_profile(
    path: str | Path,
    model: str | Path,
    device: str,
    *,
    precision: str,
    runtime: str = "",
    batch: int | None = None,
    shapes: str = "",
    layer_info: str | Path | None = None,
    source: str = "",
    family: str = "",
) -> Profile:
    """The layers of what `--exportProfile` wrote, lined up with predicted kernels as `graphcost compare` does it.

    A row names the ONNX nodes of its kernel, whatever the engine calls the layer. Reformats, layers that are merged
    otherwise than predicted and those without a time are left out by name. `layer_info` (`--exportLayerInfo`) helps
    where names alone do not tell the nodes. A profiled layer takes 2 to 7 µs more than it takes in the engine.
    ModelError where a file cannot be read or is something else.
    """
    from graphcost.engine import compare_engine

    if not Path(model).is_file():
        raise ModelError(f"no model {str(model)!r} for the profile {Path(path).name}")
    info = None if layer_info is None else Path(layer_info)
    compared = compare_engine(
        str(model), device, profile=Path(path), layer_info=info, runtime=runtime or None, precision=precision,
        batch=batch, shapes=[shapes] if shapes else [],
    )  # fmt: skip
    name, mode = _device(device)
    rows = [
        Measurement(
            device=name, power_mode=mode, runtime=runtime, precision=precision, batch=batch, model=Path(model).name,
            model_file=Path(model), shapes=shapes, scope="layer", layer=LAYER_JOINT.join(nodes), latency_ms=ms,
            measure="profile", source=source, family=family, where=f"{Path(path).name}, {layer}",
        )
        for layer, nodes, ms in _layers(compared)
    ]  # fmt: skip
    return Profile(tuple(rows), tuple(_left_out(compared)))


def _device(text: str) -> tuple[str, str]:
    """`nano@MAXN` → name and mode; the path of a file has no mode behind it."""
    name, _, mode = (text, "", "") if text.endswith(".toml") else text.rpartition("@")
    return (name, mode) if name else (text, "")


def _layers(compared: Comparison) -> Iterator[tuple[str, list[str], float]]:
    """Name in the engine, ONNX nodes and milliseconds of each layer that is predicted as it is."""
    for match in compared.matches:
        if match.measured and not _reason(match):
            assert match.measured_ms is not None, "no reason to leave it out"
            yield match.name, _nodes(match), match.measured_ms


def _nodes(match: Match) -> list[str]:
    return list(dict.fromkeys(node for kernel in match.predicted for node in kernel.origin))


def _reason(match: Match) -> str:
    """Why a layer is no measurement; empty where it is one."""
    if match.status in _REASONS:
        return _REASONS[match.status]
    if not match.measured_ms:
        return "no time"
    nodes = _nodes(match)
    return "" if nodes and not any(LAYER_JOINT in node for node in nodes) else "no ONNX node that can be named"


def _left_out(compared: Comparison) -> Iterator[LeftOut]:
    for match in compared.matches:
        yield from (LeftOut(layer.name, _reason(match)) for layer in match.measured if _reason(match))
    for apart in compared.apart:
        yield from (LeftOut(layer.name, f"one of the {apart.name}") for layer in apart.measured)
