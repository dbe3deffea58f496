"""ONNX file → Graph. The only room that knows ONNX files; weights stay on disk.

    read_model (source, wire, decode)   bytes → records, raw tensor data skipped
    choose (sizes, expressions)         which size each input gets
    build_graph (build, modernize, …)   records → IR in the newest form of each operator
    infer / resize (graphcost.shapes)   types of all values
    Template (template)                 one model at many sizes, read and built once
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphcost.importer.build import build_graph
from graphcost.importer.declared import declared_dims, input_types, refuse_unused
from graphcost.importer.parameters import ParameterCount, count_parameters
from graphcost.importer.sizes import Chosen, Sizes, choose, parse_sizes
from graphcost.importer.source import read_model
from graphcost.importer.template import Template
from graphcost.ir import Graph
from graphcost.operators import Operators
from graphcost.shapes import Facts, infer, resize
from graphcost.types import Type

__all__ = ["Imported", "Sizes", "Template", "load", "parse_sizes", "read_model"]


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
    symbols: Mapping[str, int] = field(default_factory=dict)
    """The symbols of the dimensions that the file leaves open, and what each was taken for."""
    scopes: Mapping[str, str] = field(default_factory=dict)
    """By the name of a node, the modules of the network around it, where the exporter wrote them down."""


def load(source: str | os.PathLike[str] | bytes | Any, operators: Operators, sizes: Sizes | None = None) -> Imported:
    """Import a model: a path, the bytes of a file, an onnx.ModelProto or an onnx_graphsurgeon.Graph.

    Raises ModelError when it cannot be read, UsageError when the sizes do not fit its inputs, ResizeError when the
    graph holds the old sizes so that it cannot take them.
    """
    record = read_model(source)
    chosen = choose(declared_dims(record), sizes or Sizes())
    built = build_graph(record, input_types(record, chosen), chosen.symbols)
    parameters = count_parameters(built.graph, built.constants)
    graph, facts = _typed(built.graph, chosen, operators, (sizes or Sizes()).dims)
    graph.verify()
    refuse_unused(sizes or Sizes(), chosen, graph)
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
        parameters=parameters,
        dissolved=built.dissolved,
        warnings=(*chosen.warnings, *(f"'{name}' is read, but nothing defines it" for name in built.undefined)),
        symbols={name: chosen.symbols[name] for name in chosen.declared_symbols},
        scopes={node.name: node.scopes for node in record.graph.nodes if node.scopes},
    )


def _typed(graph: Graph, chosen: Chosen, operators: Operators, dims: Mapping[str, int]) -> tuple[Graph, Facts]:
    """Types for all values. Where other sizes are wanted, those of the file come first: its constants hold them."""
    facts = infer(graph, operators, dims)
    return (graph, facts) if not chosen.overridden else resize(graph, chosen.known_inputs, operators, dims, facts)
