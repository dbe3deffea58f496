"""How large a model becomes once the calls of its functions are replaced by their nodes: a small file can grow without
end where functions call functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphcost.errors import ModelError
from graphcost.importer.records import FunctionRecord, GraphRecord, ModelRecord, NodeRecord

MAX_NODES = 250_000
"""More nodes than the functions of any network make; what the file lists itself is not limited."""

MAX_CALLS = 100
"""Calls of functions within functions; ONNX forbids recursion, so no honest file comes near."""

FunctionKey = tuple[str, str, str]


def functions_of(record: ModelRecord) -> dict[FunctionKey, FunctionRecord]:
    return {(function.domain, function.name, function.overload): function for function in record.functions}


def callee(node: NodeRecord, functions: Mapping[FunctionKey, FunctionRecord]) -> FunctionRecord | None:
    """The function that a node calls; None for an operator."""
    return functions.get((node.domain, node.op_type, node.overload))


def refuse_endless(record: ModelRecord) -> None:
    """Raise ModelError where the functions call themselves or make too many nodes."""
    functions = functions_of(record)
    if functions and _Growth(functions).of(record.graph.nodes, 0) > MAX_NODES:
        raise ModelError(f"the functions of the model stand for more than {MAX_NODES:,} nodes")


class _Growth:
    """Nodes that functions make, each function counted once."""

    def __init__(self, functions: Mapping[FunctionKey, FunctionRecord]) -> None:
        self.functions = functions
        self.sizes: dict[int, int] = {}

    def of(self, nodes: Iterable[NodeRecord], depth: int) -> int:
        """What the calls among these nodes and in their bodies make."""
        return sum(self._made_by(node, depth) for node in nodes)

    def _made_by(self, node: NodeRecord, depth: int) -> int:
        bodies = [a.value for a in node.attributes.values() if isinstance(a.value, GraphRecord)]
        made = sum(self.of(body.nodes, depth) for body in bodies)
        function = callee(node, self.functions)
        return made if function is None else made + self._size(function, depth)

    def _size(self, function: FunctionRecord, depth: int) -> int:
        if depth >= MAX_CALLS:
            raise ModelError(f"function {function.name}: calls are nested deeper than {MAX_CALLS}")
        if id(function) not in self.sizes:
            own = sum(1 + _inside(node) for node in function.nodes)
            self.sizes[id(function)] = own + self.of(function.nodes, depth + 1)
        return self.sizes[id(function)]


def _inside(node: NodeRecord) -> int:
    """Nodes in the bodies of a node."""
    bodies = [a.value for a in node.attributes.values() if isinstance(a.value, GraphRecord)]
    return sum(1 + _inside(inner) for body in bodies for inner in body.nodes)
