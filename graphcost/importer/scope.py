"""Which value a name of the file means, at each level of graphs within graphs."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphcost.errors import ModelError
from graphcost.ir import Graph, Value
from graphcost.names import Names
from graphcost.types import UNKNOWN


@dataclass
class Scope:
    """The names of one graph, or of one call of a function inside of it.

    A name that a body does not define is looked up outside: the value found there is *captured*, it becomes one more
    input of the body, and in the end one more operand of the node that holds the body. A function sees only its own.
    """

    graph: Graph
    names: Names
    outer: Scope | None = None
    values: dict[str, Value] = field(default_factory=dict)
    captured: list[str] = field(default_factory=list)
    undefined: list[str] = field(default_factory=list)
    made: set[str] = field(default_factory=set)

    def find(self, name: str) -> Value | None:
        found = self.values.get(name)
        if found is not None or self.outer is None:
            return found
        outside = self.outer.find(name)
        return None if outside is None else self._capture(name, outside)

    def define(self, name: str, value: Value) -> None:
        self.values[name] = value

    def make(self, name: str, value: Value) -> None:
        """Define what a node gives. Raises ModelError where another result has that name."""
        if name in self.made:
            raise ModelError(f"two results are called '{name}'; each needs a name of its own")
        self.made.add(name)
        self.values[name] = value

    def resolve(self, name: str) -> Value:
        """The value of a name. One that nobody defines becomes a weight of unknown type: the file is broken, but what
        does not depend on that name can still be told."""
        found = self.find(name)
        if found is None:
            found = self.graph.add_weight(Value(self.names.unique(name), UNKNOWN))
            self.define(name, found)
            self.undefined.append(name)
        return found

    def _capture(self, name: str, outside: Value) -> Value:
        inside = Value(self.names.unique(outside.name), outside.type, outside.constant)
        self.graph.add_input(inside)
        self.values[name] = inside
        self.captured.append(name)
        return inside
