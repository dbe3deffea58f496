"""Records → IR: nodes with unique names, weights as types, functions inlined, captures of bodies as operands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from graphcost.errors import ModelError
from graphcost.importer.convert import attribute_of, constant_of, type_of, weight_type
from graphcost.importer.inlining import callee, functions_of, refuse_endless
from graphcost.importer.modernize import constant_node, modernize
from graphcost.importer.records import (
    AttributeRecord,
    FunctionRecord,
    GraphRecord,
    ModelRecord,
    NodeRecord,
    SparseTensorRecord,
    TensorRecord,
)
from graphcost.importer.scope import Scope
from graphcost.ir import Graph, Node, Value
from graphcost.names import Names
from graphcost.types import NONE, UNKNOWN, Attr, Constant, TensorType, Type


@dataclass(frozen=True)
class Frame:
    """Where the nodes being built come from: the file's own list, a body, or the call of a function."""

    opsets: Mapping[str, int]
    prefix: str = ""
    call: str = ""
    attributes: Mapping[str, AttributeRecord] = field(default_factory=dict)

    def node_name(self, name: str) -> str:
        """Nodes have names of their own over the whole model, so theirs say in which body or call they stand."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def value_name(self, name: str) -> str:
        """Values have names of their own in each graph, so theirs need only say which call made them."""
        return f"{self.call}/{name}" if self.call else name

    def inside(self, body: str) -> Frame:
        return replace(self, prefix=body, call="")

    def called(self, name: str, function: FunctionRecord, attributes: Mapping[str, AttributeRecord]) -> Frame:
        return Frame({**self.opsets, **function.opset_imports}, name, name, attributes)


@dataclass(frozen=True)
class Built:
    """A graph; the weights that were no initializers; the names that its nodes read but nothing defines; and the nodes
    of the file that are no nodes of the graph, each with the reason."""

    graph: Graph
    constants: frozenset[Value]
    undefined: tuple[str, ...]
    dissolved: Mapping[str, str]


def build_graph(record: ModelRecord, inputs: Mapping[str, Type], symbols: Mapping[str, int]) -> Built:
    """The graph of a model. `inputs` are the types of its inputs once sizes are chosen, `symbols` what the symbols in
    dimensions stand for."""
    refuse_endless(record)
    builder = _Builder(record, symbols)
    graph = builder.top(inputs)
    return Built(graph, frozenset(builder.constants), tuple(dict.fromkeys(builder.undefined)), builder.dissolved)


class _Builder:
    def __init__(self, record: ModelRecord, symbols: Mapping[str, int]) -> None:
        self.record = record
        self.symbols = symbols
        self.node_names = Names()
        self.functions = functions_of(record)
        self.undefined: list[str] = []
        self.dissolved: dict[str, str] = {}
        self.constants: list[Value] = []

    def top(self, inputs: Mapping[str, Type]) -> Graph:
        record = self.record.graph
        graph = Graph(record.name or "graph")
        scope = Scope(graph, Names())
        for name, kind in inputs.items():
            scope.define(name, graph.add_input(Value(scope.names.unique(name), kind)))
        self.fill(record, scope, Frame(self.record.opset_imports))
        return graph

    def fill(self, record: GraphRecord, scope: Scope, frame: Frame) -> None:
        """Weights, nodes and outputs of the graph of a scope, whose inputs stand already."""
        for weight in record.initializers:
            self.weight(weight, scope)
        for sparse in record.sparse_initializers:
            self.weight(sparse, scope)
        declared = {info.name: type_of(info.type, self.symbols) for info in (*record.value_info, *record.outputs)}
        self.nodes(in_order(record), scope, frame, declared)
        scope.graph.outputs = [scope.resolve(info.name) for info in record.outputs]
        self.undefined += scope.undefined

    def weight(self, tensor: TensorRecord | SparseTensorRecord, scope: Scope) -> None:
        if tensor.name not in scope.values:
            value = Value(scope.names.unique(tensor.name), weight_type(tensor), constant_of(tensor))
            scope.define(tensor.name, scope.graph.add_weight(value))

    def nodes(self, nodes: Iterable[NodeRecord], scope: Scope, frame: Frame, declared: Mapping[str, Type]) -> None:
        for index, node in enumerate(nodes):
            name = self.node_names.unique(frame.node_name(node.name or f"{node.op_type}_{index}"))
            function = callee(node, self.functions)
            if function is not None:
                self.call(node, name, function, scope, frame)
            elif node.op_type == "Constant" and node.domain == "":
                self.constant(node, name, scope, frame)
            else:
                self.node(node, name, scope, frame, declared)

    # One node

    def node(self, record: NodeRecord, name: str, scope: Scope, frame: Frame, declared: Mapping[str, Type]) -> None:
        operands = [scope.resolve(operand) if operand else None for operand in record.inputs]
        attrs = self.attrs(record, frame)
        op_type = record.op_type
        if record.domain == "":
            op_type = modernize(op_type, frame.opsets.get("", 1), operands, attrs, lambda c: self.made(c, name, scope))
        while operands and operands[-1] is None:
            operands.pop()
        own = len(operands)
        bodies = self.bodies(record, name, scope, frame, operands)
        if bodies and op_type in ("Loop", "Scan"):
            attrs["carried"] = carried(op_type, own, attrs)
        results = [self.result(output, scope, declared, frame) for output in record.outputs]
        op = f"{record.domain or 'onnx'}.{op_type}"
        scope.graph.append(Node(op, operands, results or [self.unused(name, scope)], attrs, name=name, bodies=bodies))

    def attrs(self, record: NodeRecord, frame: Frame) -> dict[str, Attr]:
        found: dict[str, Attr] = {}
        for key, attribute in self.given(record, frame).items():
            value = attribute_of(key, attribute.value)
            if value is not None:
                found[key] = value
        return found

    def given(self, record: NodeRecord, frame: Frame) -> dict[str, AttributeRecord]:
        """The attributes of a node; one that refers to an attribute of the function being called takes its value, and
        is absent where the call gives none."""
        if not frame.attributes and not any(a.reference for a in record.attributes.values()):
            return record.attributes
        found = {k: frame.attributes.get(a.reference) if a.reference else a for k, a in record.attributes.items()}
        return {key: attribute for key, attribute in found.items() if attribute is not None}

    def result(self, name: str, scope: Scope, declared: Mapping[str, Type], frame: Frame) -> Value:
        if not name:
            return Value(scope.names.unique("_unused"), NONE)
        value = Value(scope.names.unique(frame.value_name(name)), declared.get(name, UNKNOWN))
        scope.make(name, value)
        return value

    def unused(self, name: str, scope: Scope) -> Value:
        return Value(scope.names.unique(f"{name}_result"), NONE)

    def made(self, constant: Constant, name: str, scope: Scope) -> Value:
        """A weight for what an older opset said with an attribute."""
        value = Value(scope.names.unique(f"{name}_constant"), constant.type, constant)
        self.constants.append(value)
        return scope.graph.add_weight(value)

    def constant(self, record: NodeRecord, name: str, scope: Scope, frame: Frame) -> None:
        """A Constant node is a weight."""
        self.dissolved[name] = "a constant is stored as a weight"
        attrs = self.attrs(record, frame)
        data = constant_node(attrs)
        large = attrs.get("value") or attrs.get("sparse_value")
        kind = data.type if data else large if isinstance(large, TensorType) else UNKNOWN
        for output in record.outputs:
            value = Value(scope.names.unique(frame.value_name(output)), kind, data)
            self.constants.append(value)
            scope.define(output, scope.graph.add_weight(value))

    # Functions

    def call(self, record: NodeRecord, name: str, function: FunctionRecord, scope: Scope, frame: Frame) -> None:
        """Build the nodes of a function in the place of its call, under names that begin with the call's."""
        self.dissolved[name] = f"the call of function {function.name} is replaced by the nodes of the function"
        inner = Scope(scope.graph, scope.names)
        for formal, actual in zip(function.inputs, record.inputs):
            if actual:
                inner.define(formal, scope.resolve(actual))
        called = frame.called(name, function, {**function.defaults, **self.given(record, frame)})
        self.nodes(function.nodes, inner, called, {i.name: type_of(i.type, self.symbols) for i in function.value_info})
        self.undefined += inner.undefined
        for formal, actual in zip(function.outputs, record.outputs):
            if actual and formal in inner.values:
                scope.define(actual, inner.values[formal])
        self.rename(record.outputs, scope)

    def rename(self, outputs: Sequence[str], scope: Scope) -> None:
        """What a call returns bears the name that the caller gave it."""
        for output in outputs:
            value = scope.values.get(output)
            if value is not None and value.producer is not None and output not in scope.names:
                value.name = scope.names.unique(output)

    # Bodies

    def bodies(
        self, record: NodeRecord, name: str, scope: Scope, frame: Frame, operands: list[Value | None]
    ) -> list[Graph]:
        """The bodies of a node. What they capture is appended to `operands`, each value once."""
        graphs = {k: a.value for k, a in self.given(record, frame).items() if isinstance(a.value, GraphRecord)}
        own = own_slots(record.op_type, operands)
        if graphs and record.op_type == "Loop":
            operands += [None] * (2 - len(operands))
        captures = _Captures(scope, operands)
        found = []
        for key, graph in graphs.items():
            inner = self.body(key, graph, scope, frame.inside(f"{name}/{key}"))
            binds = [own[i] if i < len(own) else None for i in range(len(graph.inputs))]
            inner.graph.binds = (*binds, *map(captures.slot, inner.captured))
            found.append(inner.graph)
        return found

    def body(self, key: str, record: GraphRecord, scope: Scope, frame: Frame) -> Scope:
        inner = Scope(Graph(key), Names(), scope)
        for info in record.inputs:
            value = Value(inner.names.unique(info.name), type_of(info.type, self.symbols))
            inner.define(info.name, inner.graph.add_input(value))
        self.fill(record, inner, frame)
        return inner


@dataclass
class _Captures:
    """The operand slots of what the bodies of one node capture."""

    scope: Scope
    operands: list[Value | None]
    slots: dict[Value, int] = field(default_factory=dict)

    def slot(self, name: str) -> int:
        value = self.scope.resolve(name)
        if value not in self.slots:
            self.slots[value] = len(self.operands)
            self.operands.append(value)
        return self.slots[value]


def carried(op_type: str, own: int, attrs: Mapping[str, Attr]) -> int:
    """How many of the `own` operands of a Loop or Scan go from turn to turn: what follows is scanned or captured."""
    scanned = attrs.get("num_scan_inputs", 0)
    return max(own - (2 if op_type == "Loop" else scanned if isinstance(scanned, int) else 0), 0)


def own_slots(op_type: str, operands: Sequence[Value | None]) -> list[int | None]:
    """The operand slots that the declared inputs of a body stand for; None where the operator itself supplies them
    (the iteration number of a Loop) or the operand is absent."""
    slots: list[int | None] = [slot if value is not None else None for slot, value in enumerate(operands)]
    if op_type == "Loop":
        return [None, *slots[1:]]
    return slots if op_type in ("Scan", "SequenceMap") else []


def in_order(record: GraphRecord) -> Sequence[NodeRecord]:
    """The nodes so that each stands behind what it reads: as in the file, if the file keeps to it as ONNX demands."""
    makers = {output: node for node in record.nodes for output in node.outputs if output}
    made: set[str] = set()
    for node in record.nodes:
        if any(name in makers and name not in made for name in node.inputs):
            return _sorted(record, makers)
        made.update(node.outputs)
    return record.nodes


def _sorted(record: GraphRecord, makers: Mapping[str, NodeRecord]) -> list[NodeRecord]:
    """Depth first, in the order of the file where that is free. Captures of bodies are not looked at."""
    done: dict[int, NodeRecord] = {}
    open_: set[int] = set()
    for root in record.nodes:
        stack = [root]
        while stack:
            node = stack[-1]
            if id(node) in done:
                stack.pop()
                continue
            open_.add(id(node))
            waits = [makers[name] for name in node.inputs if name in makers and id(makers[name]) not in done]
            if not waits:
                done[id(stack.pop())] = node
            elif any(id(other) in open_ for other in waits):
                raise ModelError(f"the graph has a cycle through node '{node.name or node.op_type}'")
            else:
                stack += reversed(waits)
    return list(done.values())
