"""Profiles of trtexec among the data of `graphcost fit`: whose they are, and what of them is used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphcost.errors import UsageError

if TYPE_CHECKING:
    from graphcost.measurements import Profile

    from .request import Request

OnnxModels = Annotated[
    list[Path] | None,
    typer.Option("--model", metavar="FILE", help="The model of the profiles; or one for each, in their order."),
]
LayerInfo = Annotated[
    list[Path] | None,
    typer.Option("--layer-info", metavar="FILE", help="What --exportLayerInfo wrote, one for each profile."),
]


def is_profile(file: Path) -> bool:
    """Whether a file of data is a profile; all others are tables."""
    return file.suffix.lower() == ".json"


def read_profiles(
    request: Request, files: Sequence[Path], models: Sequence[Path], layer_info: Sequence[Path]
) -> list[Profile]:
    """The profiles, each with its network: they do not say themselves what was measured, where and how."""
    from graphcost.measurements import read_profile

    _refuse(request, files, models, layer_info)
    networks = models if len(models) > 1 else [*models] * len(files)
    infos: Sequence[Path | None] = layer_info or [None] * len(files)
    profiles = [
        read_profile(
            file, network, request.device or "", precision=request.precision or "fp32", runtime=request.runtime or "",
            batch=request.batch, shapes=",".join(request.shapes), layer_info=info, source=file.name,
        )
        for file, network, info in zip(files, networks, infos)
    ]  # fmt: skip
    if empty := [file.name for file, profile in zip(files, profiles) if not profile.rows]:
        raise UsageError(f"no layer of {empty[0]} is predicted as it is: see `graphcost compare MODEL --profile FILE`")
    return profiles


def _refuse(request: Request, files: Sequence[Path], models: Sequence[Path], layer_info: Sequence[Path]) -> None:
    """UsageError for options without profiles, and for profiles of which something is not told."""
    if not files:
        if models or layer_info:
            raise UsageError("--model and --layer-info belong to profiles of trtexec: none is among the data (.json)")
        return
    if request.device is None:
        raise UsageError(f"{files[0].name} does not say where it was measured: give --device and --output")
    if len(models) not in (1, len(files)):
        raise UsageError(f"{files[0].name} does not name its network: give one --model for all, or one for each")
    if layer_info and len(layer_info) != len(files):
        raise UsageError(f"give one --layer-info for each of {len(files)} profiles, or none")


def left_out(profiles: Iterable[Profile]) -> list[str]:
    """The layers of profiles that are not used, a line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for profile in profiles:
        for layer, reason in profile.left_out:
            by_reason.setdefault(reason, []).append(layer)
    return [f"layers left out, {reason}: {', '.join(layers)}" for reason, layers in by_reason.items()]
