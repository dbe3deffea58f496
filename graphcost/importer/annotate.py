"""A copy of an ONNX file with notes on its nodes, as metadata that viewers such as Netron show."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphcost.errors import ModelError, UsageError
from graphcost.files import write_bytes_atomic

_HAS_NODE_METADATA = 10  # the version of the IR that brought metadata_props to nodes (onnx 1.16)

Notes = Mapping[str, str]


def write_annotated(source: str | os.PathLike[str], target: Path, nodes: Mapping[str, Notes], model: Notes) -> None:
    """Write a copy of `source` with the notes of each node, found by the name of a tensor that it makes, and of the
    model. Weights are copied as they are; those outside of the file stay where they are.

    Raises UsageError where the copy would replace the model, ModelError where the file cannot be read.
    """
    if target.exists() and os.path.samefile(source, target):
        raise UsageError(f"--annotate writes a copy: {str(target)!r} is the model itself, give another file")
    proto = _load(source)
    for node in proto.graph.node:
        note = next((nodes[tensor] for tensor in node.output if tensor in nodes), None)
        _add(node.metadata_props, note or {})
    _add(proto.metadata_props, model)
    proto.ir_version = max(proto.ir_version, _HAS_NODE_METADATA)
    write_bytes_atomic(target, proto.SerializeToString())


def _load(source: str | os.PathLike[str]) -> Any:
    import onnx

    try:
        return onnx.load(os.fspath(source), load_external_data=False)
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {os.fspath(source)!r}: {error}") from error


def _add(properties: Any, notes: Notes) -> None:
    """Set keys; those that are there already from an earlier copy are replaced, others kept."""
    kept = [(item.key, item.value) for item in properties if item.key not in notes]
    del properties[:]
    for key, value in [*kept, *notes.items()]:
        properties.add(key=key, value=value)
