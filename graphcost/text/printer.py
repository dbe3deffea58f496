"""Graph → text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from graphcost.ir import Graph, Node, Value, default_origin
from graphcost.types import Attr, Constant, ContainerType, TensorType

Note = Callable[[Node], str]

_PLAIN = re.compile(r"[A-Za-z0-9_.]+")
_INDENT = "  "


def print_graph(graph: Graph, note: Note | None = None, target: str | None = None) -> str:
    """The text of a graph. `note` may add a comment to each node; `target` becomes the first line."""
    lines = [f"; target: {target}"] if target else []
    lines.append(f"graph {quoted(graph.name)}({', '.join(map(_typed, graph.inputs))}) {{")
    lines += _contents(graph, note, _INDENT)
    lines.append("}")
    return "\n".join(lines) + "\n"


def quoted(name: str) -> str:
    """A name as it is when plain, else as a JSON string."""
    return name if _PLAIN.fullmatch(name) else json.dumps(name)


def _contents(graph: Graph, note: Note | None, pad: str) -> Iterator[str]:
    for weight in graph.weights:
        yield f"{pad}weight {_typed(weight)}"
    for node in graph:
        yield from _node(node, note, pad)
    yield f"{pad}return {', '.join(map(_ref, graph.exit.operands))}".rstrip()


def _node(node: Node, note: Note | None, pad: str) -> Iterator[str]:
    head = ", ".join(map(_typed, node.results))
    call = f"{quoted(node.op)}({', '.join(map(_ref, node.operands))})"
    line = pad + (f"{head} = " if head else "") + call + _attrs(node) + _name(node) + _origin(node)
    comment = f"  ; {text}" if note and (text := note(node)) else ""
    if not node.bodies:
        yield line + comment
        return
    yield line + " {"
    for body in node.bodies:
        yield f"{pad}{_INDENT}^{quoted(body.name) if body.name else ''}({_binds(node, body)})"
        yield from _contents(body, note, pad + _INDENT)
    yield pad + "}" + comment


def _attrs(node: Node) -> str:
    return "".join(f" {quoted(key)}={attr_text(value)}" for key, value in sorted(node.attrs.items()))


def _name(node: Node) -> str:
    implied = node.results[0].name if node.results else node.op
    return "" if node.name == implied else f" @{quoted(node.name)}"


def _origin(node: Node) -> str:
    if node.own_origin == default_origin(node.name, node.bodies):
        return ""
    shares = (quoted(o.name) + ("" if o.share == 1.0 else f":{o.share!r}") for o in node.own_origin)
    return f" from [{', '.join(shares)}]"


def _binds(node: Node, body: Graph) -> str:
    if body.binds == tuple(range(len(node.operands))):
        return ", ".join(map(_typed, body.inputs))
    bound = (f"{_ref(value)} = {_slot(node, slot)}{_type(value)}" for value, slot in zip(body.inputs, body.binds))
    return ", ".join(bound)


def _slot(node: Node, slot: int | None) -> str:
    if slot is None:
        return "_"
    value = node.operands[slot]
    return _ref(value) + (f"@{slot}" if node.operands.count(value) > 1 else "")


def _ref(value: Value | None) -> str:
    return "_" if value is None else f"%{quoted(value.name)}"


def _typed(value: Value) -> str:
    return _ref(value) + _type(value)


def _type(value: Value) -> str:
    if value.constant is None:
        return f": {value.type}"
    plain = str(value.constant).removeprefix(str(value.type) + " ")
    return f": {value.type} = {plain}"


def attr_text(value: Attr) -> str:
    """An attribute as text: 3, 0.5, "s", [1,2], const(i64[2] [1,2]), type(f32[3])."""
    if isinstance(value, tuple):
        return "[" + ",".join(map(attr_text, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, Constant):
        return f"const({value})"
    if isinstance(value, (TensorType, ContainerType)):
        return f"type({value})"
    return str(value).lower() if isinstance(value, bool) else repr(value)
