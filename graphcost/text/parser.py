"""Tokens → graph: a recursive descent, one method for each form."""

from __future__ import annotations

import json
import re

from graphcost.ir import Graph, Node, Value
from graphcost.origin import Origin
from graphcost.types import Attr

from .cursor import Cursor
from .lexer import TextError, Token
from .types import read_attr, read_constant, read_type

__all__ = ["TextError", "parse_graph", "parse_target"]

_TARGET = re.compile(r";\s*target:\s*(.+)")


def parse_graph(text: str) -> Graph:
    """The graph that a text describes. Raises TextError, which says where and what was expected."""
    parser = _Parser(text)
    graph = parser.graph()
    parser.expect("end")
    return graph


def parse_target(text: str) -> str | None:
    """The target that the text names in a `; target: …` line before its graph, if it does."""
    for line in text.splitlines():
        if found := _TARGET.match(line.strip()):
            return found[1].strip()
        if line.strip() and not line.lstrip().startswith(";"):
            return None
    return None


class _Parser(Cursor):
    """`scope` holds the values that the graph or body being read has defined so far."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.scope: dict[str, Value] = {}

    def graph(self) -> Graph:
        self.expect("graph")
        graph = Graph(self.name(), self.several(self.declaration, "(", ")"))
        self.expect("{")
        self.contents(graph)
        self.expect("}")
        return graph

    def contents(self, graph: Graph) -> None:
        """Weights and nodes, up to and including `return`."""
        while self.next.text == "weight" and self.after_next.kind == "value":
            self.take()
            graph.add_weight(self.declaration())
        while not self.accept("return"):
            graph.append(self.node())
        graph.outputs = self.returned()

    def returned(self) -> list[Value]:
        found: list[Value] = []
        while self.next.kind == "value":
            found.append(self.defined(self.take()))
            if not self.accept(","):
                break
        return found

    def node(self) -> Node:
        results: list[Value] = []
        while self.next.kind == "value":
            results.append(self.result())
            self.expect(",", "=")
        op = self.name()
        operands = self.several(self.operand, "(", ")")
        attrs = self.attrs()
        name = self.name() if self.accept("@") else ""
        origin = self.several(self.origin, "[", "]") if self.accept("from") else None
        bodies = self.bodies(operands) if self.accept("{") else []
        return Node(op, operands, results, attrs, name=name, bodies=bodies, origin=origin)

    def attrs(self) -> dict[str, Attr]:
        found: dict[str, Attr] = {}
        while self.after_next.text == "=" and self.next.kind in ("word", "string", "number"):
            key = self.name()
            self.expect("=")
            found[key] = read_attr(self)
        return found

    def origin(self) -> Origin:
        name = self.name()
        return Origin(name, float(self.expect("number").text) if self.accept(":") else 1.0)

    def bodies(self, operands: list[Value | None]) -> list[Graph]:
        found: list[Graph] = []
        while self.accept("^"):
            found.append(self.body(operands))
        self.expect("}")
        return found

    def body(self, operands: list[Value | None]) -> Graph:
        """A body opens a scope of its own; the values to which its inputs are bound are those outside."""
        name = "" if self.next.text == "(" else self.name()
        outer, self.scope = self.scope, {}
        pairs = self.several(lambda: self.body_input(operands, outer), "(", ")")
        binds = [number if slot == _IN_ORDER else slot for number, (_, slot) in enumerate(pairs)]
        graph = Graph(name, [value for value, _ in pairs], binds)
        self.contents(graph)
        self.scope = outer
        return graph

    def body_input(self, operands: list[Value | None], outer: dict[str, Value]) -> tuple[Value, int | None]:
        """An input of a body and the operand slot that it stands for."""
        token = self.expect("value")
        slot = self.slot(operands, outer) if self.accept("=") else _IN_ORDER
        return self.define(token, constant=True), slot

    def slot(self, operands: list[Value | None], outer: dict[str, Value]) -> int | None:
        if self.accept("_"):
            return None
        token = self.expect("value")
        value = outer.get(_name_of(token))
        if self.accept("@"):
            return self.integer()
        if value is None or value not in operands:
            raise self.error(f"{token.text} is not an operand of the node", token)
        return operands.index(value)

    def declaration(self) -> Value:
        """An input or a weight: `%x: f32[3]`, `%s: i64[2] = [1,-1]`."""
        return self.define(self.expect("value"), constant=True)

    def result(self) -> Value:
        return self.define(self.expect("value"), constant=False)

    def define(self, token: Token, *, constant: bool) -> Value:
        self.expect(":")
        kind = read_type(self)
        data = read_constant(self, kind) if constant and self.accept("=") else None
        value = Value(_name_of(token), kind, data)
        if value.name in self.scope:
            raise self.error(f"{token.text} is defined twice", token)
        self.scope[value.name] = value
        return value

    def operand(self) -> Value | None:
        return None if self.accept("_") else self.defined(self.expect("value"))

    def defined(self, token: Token) -> Value:
        value = self.scope.get(_name_of(token))
        if value is None:
            raise self.error(f"{token.text} is not defined", token)
        return value


_IN_ORDER = -1
"""The slot of a body input that the text leaves to the order."""


def _name_of(token: Token) -> str:
    return str(json.loads(token.text[1:])) if token.text[1] == '"' else token.text[1:]
