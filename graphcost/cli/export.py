"""`--export-layer-info`, `--export-profile`, `--annotate`: what was predicted, in files of other tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from graphcost.api import Run
    from graphcost.instruments import OnnxNodes

LayerInfoFile = Annotated[
    Path | None,
    typer.Option(
        "--export-layer-info", "--exportLayerInfo", metavar="FILE", help="Write the layers as trtexec would, as JSON."
    ),
]
ProfileFile = Annotated[
    Path | None,
    typer.Option(
        "--export-profile", "--exportProfile", metavar="FILE", help="Write their times as trtexec would, as JSON."
    ),
]
AnnotatedFile = Annotated[
    Path | None,
    typer.Option("--annotate", metavar="FILE", help="Write a copy of the model whose nodes say their cost."),
]


def write_engine_files(run: Run, layer_info: Path | None, profile: Path | None) -> None:
    """Write what was asked for."""
    from graphcost.engine import write

    from .output import emit

    if layer_info is not None:
        emit(write.layer_info(run), layer_info)
    if profile is not None:
        emit(write.profile(run), profile)


def nodes_for(target: Path | None) -> list[OnnxNodes]:
    """The instrument that an annotated copy needs, if one was asked for."""
    if target is None:
        return []
    from graphcost.instruments import OnnxNodes

    return [OnnxNodes()]


def write_annotated_model(run: Run, seen: Sequence[OnnxNodes], model: str, target: Path | None) -> None:
    """Write the copy of the model, if one was asked for."""
    if target is None:
        return
    from graphcost.annotation import model_notes, node_notes
    from graphcost.importer.annotate import write_annotated

    write_annotated(model, target, node_notes(run.report, seen[0].nodes), model_notes(run.report))
