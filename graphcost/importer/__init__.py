"""ONNX file → Graph. The only room that knows ONNX files; weights stay on disk.

    read_model (source, wire, decode)   bytes → records, raw tensor data skipped
    choose (sizes, expressions)         which size each input gets
    build_graph (build, modernize, …)   records → IR in the newest form of each operator
    infer / resize (graphcost.shapes)   types of all values
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphcost.errors import UnknownName
from graphcost.importer.build import build_graph
from graphcost.importer.convert import type_of
from graphcost.importer.parameters import ParameterCount, count_parameters
from graphcost.importer.records import ModelRecord, TypeRecord, ValueInfoRecord
from graphcost.importer.sizes import Chosen, Sizes, choose, parse_sizes
from graphcost.importer.source import read_model
from graphcost.ir import Graph
from graphcost.operators import Operators
from graphcost.shapes import Facts, infer, resize
from graphcost.types import TensorType, Type

__all__ = ["Imported", "Sizes", "load", "parse_sizes", "read_model"]


@dataclass(frozen=True)
class Imported:
    """A graph with every type that can be told, and what the file says of itself."""

    graph: Graph
    facts: Facts
    name: str
    path: str | None
    opset: Mapping[str, int]
    ir_version: int
    producer: str
    inputs: tuple[tuple[str, Type], ...]
    outputs: tuple[tuple[str, Type], ...]
    parameters: ParameterCount
    dissolved: Mapping[str, str]
    """Nodes of the file that are no nodes of the graph (constants, calls of functions), with the reason."""
    warnings: tuple[str, ...]


def load(source: str | os.PathLike[str] | bytes | Any, operators: Operators, sizes: Sizes | None = None) -> Imported:
    """Import a model: a path, the bytes of a file, an onnx.ModelProto or an onnx_graphsurgeon.Graph.

    Raises ModelError when it cannot be read, UsageError when the sizes do not fit its inputs, ResizeError when the
    graph holds the old sizes so that it cannot take them.
    """
    record = read_model(source)
    chosen = choose(_declared(record), sizes or Sizes())
    built = build_graph(record, _input_types(record, chosen), chosen.symbols)
    graph, facts = _typed(built.graph, chosen, operators, sizes or Sizes())
    graph.verify()
    _refuse_unused(sizes or Sizes(), chosen, graph)
    path = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
    return Imported(
        graph=graph,
        facts=facts,
        name=os.path.splitext(os.path.basename(path))[0] if path else record.graph.name or "model",
        path=path,
        opset=record.opset_imports,
        ir_version=record.ir_version,
        producer=record.producer,
        inputs=tuple((value.name, value.type) for value in graph.inputs),
        outputs=tuple((info.name, value.type) for info, value in zip(record.graph.outputs, graph.outputs)),
        parameters=count_parameters(graph),
        dissolved=built.dissolved,
        warnings=(*chosen.warnings, *(f"'{name}' is read, but nothing defines it" for name in built.undefined)),
    )


def _typed(graph: Graph, chosen: Chosen, operators: Operators, sizes: Sizes) -> tuple[Graph, Facts]:
    """Types for all values. Where other sizes are wanted, those of the file come first: its constants hold them."""
    facts = infer(graph, operators, sizes.dims)
    if not chosen.overridden:
        return graph, facts
    wanted = {name: dims for name, dims in chosen.inputs.items() if dims is not None}
    return resize(graph, wanted, operators, sizes.dims)


def _refuse_unused(sizes: Sizes, chosen: Chosen, graph: Graph) -> None:
    """A dimension that the user names must be there: a symbol of an input, or one that the data of a node decide."""
    nodes = {node.name for node in graph.walk()} if sizes.dims else set()
    for name in sizes.dims:
        if name not in chosen.declared_symbols and name not in nodes and name.rpartition(".")[0] not in nodes:
            raise UnknownName("dimension", name, chosen.declared_symbols)


def _inputs(record: ModelRecord) -> list[ValueInfoRecord]:
    """The declared inputs; old files list their weights there too."""
    weights = {tensor.name for tensor in record.graph.initializers}
    weights |= {tensor.name for tensor in record.graph.sparse_initializers}
    return [info for info in record.graph.inputs if info.name not in weights]


def _declared(record: ModelRecord) -> dict[str, Any]:
    return {info.name: info.type.dims if _is_tensor(info.type) else None for info in _inputs(record) if info.type}


def _is_tensor(type: TypeRecord | None) -> bool:
    return type is not None and type.kind in ("tensor", "sparse_tensor")


def _input_types(record: ModelRecord, chosen: Chosen) -> dict[str, Type]:
    """The types with which the graph is first built: the file's own sizes where it will be re-sized."""
    found: dict[str, Type] = {}
    for info in _inputs(record):
        kind = type_of(info.type, chosen.symbols)
        dims = chosen.inputs.get(info.name)
        if isinstance(kind, TensorType) and dims is not None:
            kind = kind.with_dims(_own(kind, dims) if info.name in chosen.overridden else dims)
        found[info.name] = kind
    return found


def _own(declared: TensorType, dims: tuple[int, ...]) -> tuple[int, ...]:
    """The file's own numbers, the chosen ones where it has none."""
    return tuple(d if isinstance(d, int) else size for d, size in zip(declared.dims or dims, dims))
