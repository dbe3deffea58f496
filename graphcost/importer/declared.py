"""What a file declares of its inputs, and the types that they get once sizes are chosen."""

from __future__ import annotations

from graphcost.errors import UnknownName, UsageError
from graphcost.importer.convert import type_of
from graphcost.importer.records import DimRecord, ModelRecord, TypeRecord, ValueInfoRecord
from graphcost.importer.sizes import Chosen, Sizes
from graphcost.ir import Graph
from graphcost.types import TensorType, Type


def declared_inputs(record: ModelRecord) -> list[ValueInfoRecord]:
    """The declared inputs; old files list their weights there too."""
    weights = {tensor.name for tensor in record.graph.initializers}
    weights |= {tensor.name for tensor in record.graph.sparse_initializers}
    return [info for info in record.graph.inputs if info.name not in weights]


def declared_dims(record: ModelRecord) -> dict[str, tuple[DimRecord, ...] | None]:
    """Dimensions by input; None where the rank is not declared or the input is no tensor."""
    inputs = declared_inputs(record)
    return {info.name: _dims_of(info.type) for info in inputs if info.type}


def _dims_of(type: TypeRecord) -> tuple[DimRecord, ...] | None:
    """The dimensions of a tensor; those of the tensors in a container where each has a number or a name."""
    if type.element is None:
        return type.dims if _is_tensor(type) else None
    inner = _dims_of(type.element)
    return None if inner is None or None in inner else inner


def _is_tensor(type: TypeRecord | None) -> bool:
    return type is not None and type.kind in ("tensor", "sparse_tensor")


def input_types(record: ModelRecord, chosen: Chosen) -> dict[str, Type]:
    """The types with which the graph is first built: the file's own sizes where it will be re-sized."""
    found: dict[str, Type] = {}
    for info in declared_inputs(record):
        kind = type_of(info.type, chosen.symbols)
        dims = chosen.inputs.get(info.name)
        if isinstance(kind, TensorType) and dims is not None:
            kind = kind.with_dims(_own(kind, dims) if info.name in chosen.overridden else dims)
        found[info.name] = kind
    return found


def _own(declared: TensorType, dims: tuple[int, ...]) -> tuple[int, ...]:
    """The file's own numbers, the chosen ones where it has none."""
    return tuple(d if isinstance(d, int) else size for d, size in zip(declared.dims or dims, dims))


def refuse_unused(sizes: Sizes, chosen: Chosen, graph: Graph) -> None:
    """A dimension that the user names must be there: a symbol of an input, or one that the data of a node decide."""
    nodes = {node.name for node in graph.walk()} if sizes.dims else set()
    for name in sizes.dims:
        if name not in chosen.declared_symbols and name not in nodes and name.rpartition(".")[0] not in nodes:
            if not chosen.declared_symbols:
                raise UsageError(f"unknown dimension {name!r}: the inputs leave none open (--shapes changes them)")
            raise UnknownName("dimension", name, chosen.declared_symbols)
