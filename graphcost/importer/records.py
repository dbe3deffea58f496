"""What an ONNX file says, without its weights: plain records, named as in onnx.proto, read once and turned into the IR.

The default operator domain is `""` everywhere, also where the file spells it `ai.onnx`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

DimRecord: TypeAlias = "int | str | None"
"""An extent, the name of a symbol, or None: the file does not say."""

TensorData: TypeAlias = "tuple[int, ...] | tuple[float, ...] | tuple[complex, ...] | tuple[bool, ...] | tuple[str, ...]"

AttributeValue: TypeAlias = (
    "int | float | str | TensorRecord | SparseTensorRecord | GraphRecord | TypeRecord | tuple[int, ...] "
    "| tuple[float, ...] | tuple[str, ...] | tuple[TensorRecord, ...] | tuple[SparseTensorRecord, ...] "
    "| tuple[GraphRecord, ...] | tuple[TypeRecord | None, ...] | None"
)


@dataclass(slots=True)
class TensorRecord:
    """A weight or a constant: its type, and its values only where it is small enough for a shape or a scale.

    `dtype` is "?" where the file names none that is known. `stored` says that the file holds the values, `external`
    that another file does, which is never opened; a stripped tensor is neither.
    """

    name: str
    dtype: str
    dims: tuple[int, ...]
    data: TensorData | None
    stored: bool
    external: bool

    @property
    def elements(self) -> int:
        return math.prod(self.dims)


@dataclass(slots=True)
class SparseTensorRecord:
    """A tensor of shape `dims` given by its non-zero `values` and where they stand; its name is that of `values`."""

    values: TensorRecord
    indices: TensorRecord
    dims: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.values.name


@dataclass(slots=True)
class TypeRecord:
    """The type of a value.

    `kind` is tensor, sparse_tensor, sequence, optional, map or opaque. `dtype` is that of a tensor, or of the keys of
    a map; `dims` is None where the rank is unknown; `element` is the type inside a sequence, an optional or a map.
    """

    kind: str
    dtype: str = "?"
    dims: tuple[DimRecord, ...] | None = None
    element: TypeRecord | None = None


@dataclass(slots=True)
class ValueInfoRecord:
    """A value's name and what the file says of its type, None where it says nothing."""

    name: str
    type: TypeRecord | None


@dataclass(slots=True)
class AttributeRecord:
    """An attribute of a node, or the default of a function's attribute.

    `kind` is one of onnx's types in lower case (int, floats, graph, type_proto, …). Inside a function, `reference` is
    the attribute of the function whose value is meant; `value` is then None. It is None also where a text or a list is
    so long (a megabyte) that it is data and no setting.
    """

    name: str
    kind: str
    value: AttributeValue
    reference: str = ""


@dataclass(slots=True)
class NodeRecord:
    """One operator as the file lists it; an absent optional operand is an empty name. `scopes` are the modules of the
    network around it, as torch's exporter writes them: `['', 'layer1', 'layer1.0', 'relu_1']`."""

    op_type: str
    domain: str
    name: str
    overload: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, AttributeRecord]
    scopes: str = ""


@dataclass(slots=True)
class GraphRecord:
    """A graph: that of the model, or the body of an If, a Loop or a Scan."""

    name: str
    nodes: list[NodeRecord]
    initializers: list[TensorRecord]
    sparse_initializers: list[SparseTensorRecord]
    inputs: list[ValueInfoRecord]
    outputs: list[ValueInfoRecord]
    value_info: list[ValueInfoRecord]


@dataclass(slots=True)
class FunctionRecord:
    """A model-local function. `attributes` are the names a call must give, `defaults` those it may leave out."""

    name: str
    domain: str
    overload: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[str, ...]
    defaults: dict[str, AttributeRecord]
    nodes: list[NodeRecord]
    opset_imports: dict[str, int]
    value_info: list[ValueInfoRecord]


@dataclass(slots=True)
class ModelRecord:
    """A whole file. `producer` is the exporter's name and version, such as `pytorch 2.3.0`."""

    ir_version: int
    producer: str
    opset_imports: dict[str, int]
    graph: GraphRecord
    functions: list[FunctionRecord]
    metadata: dict[str, str]
