"""Patterns: the expression that a rule looks for, traced from a function.

    lambda op, x, w: op.Relu(op.Conv(x, w))                    # parameters are names: match["x"]
    lambda op, x: op.Mul(x, op.Sigmoid(x))                     # one name twice: the same value; Mul matches both orders
    lambda op, x, w, b: op.Conv(x, w, optional(b), group=1)    # an operand that may be absent; an attribute
    lambda op, x: either(op.Relu(x), op.Clip(x, ...))          # alternatives; ... lets further operands follow
    lambda op, x: op.Mul(x, const(0.5))                        # a scalar that is known
    lambda op, x: op["com.microsoft.Gelu", "onnx.Gelu"](x)     # operators by their full names

Matching reads the graph and never changes it. Patterns are compared by identity: one that stands twice in an
expression stands for one value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import permutations
from math import isclose
from types import EllipsisType, MappingProxyType
from typing import NamedTuple, TypeAlias

from graphcost.ir import Node, Value
from graphcost.types import Attr

COMMUTATIVE = frozenset(
    f"onnx.{name}" for name in ("Add", "Mul", "Min", "Max", "Sum", "Mean", "And", "Or", "Xor", "Equal")
)  # fmt: skip
"""Operators whose two operands may be exchanged."""

AttrTest: TypeAlias = "Callable[[Attr | None], bool]"
Test: TypeAlias = "Callable[[Value], bool]"


class Miss(NamedTuple):
    """Why a pattern cannot stand for a value. The sentence is only made when somebody wants to read it."""

    form: str
    words: tuple[object, ...]
    node: Node | None = None

    def sentence(self) -> str:
        return self.form.format(*self.words)


class Goal(NamedTuple):
    """A pattern that is to stand for a value, None being an operand that is absent."""

    want: Pattern
    value: Value | None


Goals: TypeAlias = "tuple[Goal, ...]"
Ways: TypeAlias = "tuple[Goals, ...] | Miss"
"""What else must hold for a pattern to stand for a value: each way is enough. Or why there is none."""


@dataclass(frozen=True, eq=False)
class Pattern:
    """A place in an expression, standing for a value."""

    def ways(self, value: Value | None) -> Ways:
        raise NotImplementedError

    def roots(self) -> frozenset[str]:
        """The operators whose result this can be; empty for any."""
        return frozenset()

    def parts(self) -> tuple[Pattern, ...]:
        """The patterns of which this one is made."""
        return ()


@dataclass(frozen=True, eq=False)
class Leaf(Pattern):
    """Any value, or any that passes a test. `what` describes such a value in refusals."""

    name: str = ""
    test: Test | None = None
    what: str = ""

    def ways(self, value: Value | None) -> Ways:
        if value is None:
            return Miss("an operand is absent that the pattern calls {}", (self.name or self.what,))
        if self.test is not None and not self.test(value):
            return Miss("%{} is not {}", (value.name, self.what), value.producer)
        return ((),)


@dataclass(frozen=True, eq=False)
class Absent(Pattern):
    """An operand that is not there."""

    def ways(self, value: Value | None) -> Ways:
        return ((),) if value is None else Miss("operand %{} must be absent", (value.name,), value.producer)


@dataclass(frozen=True, eq=False)
class Either(Pattern):
    """The first of several patterns that fits. `optional` lets the operand be absent."""

    options: tuple[Pattern, ...]

    def ways(self, value: Value | None) -> Ways:
        return tuple((Goal(option, value),) for option in self.options)

    def parts(self) -> tuple[Pattern, ...]:
        return self.options

    def roots(self) -> frozenset[str]:
        roots = [option.roots() for option in self.options]
        return frozenset().union(*roots) if all(roots) else frozenset()


@dataclass(frozen=True, eq=False)
class Call:
    """A node of one of several operators. `open`: it may have more operands than the pattern says."""

    ops: tuple[str, ...]
    operands: tuple[Pattern, ...]
    attrs: Mapping[str, Attr | AttrTest]
    open: bool = False
    name: str = ""

    def orders(self, node: Node) -> tuple[tuple[Value | None, ...], ...]:
        """The orders in which the operands of the node may be read, padded with None for those that are absent."""
        padding = len(self.operands) - len(node.operands)
        operands = (*node.operands, *(None,) * padding)[: len(self.operands)]
        if node.op in COMMUTATIVE and len(operands) == 2 and operands[0] is not operands[1]:
            return tuple(permutations(operands))
        return (operands,)

    def miss(self, node: Node) -> Miss | None:
        """Why this node cannot be the one, as far as can be said without looking at its operands."""
        if not self.open and any(v is not None for v in node.operands[len(self.operands) :]):
            counts = (node.name, len(node.operands), len(self.operands))
            return Miss("{} has {} operands, the pattern {}", counts, node)
        for key, wanted in self.attrs.items():
            found = node.attrs.get(key)
            if not (wanted(found) if callable(wanted) else found == wanted):
                return Miss("{} has {}={}, which the pattern excludes", (node.name, key, found), node)
        return None


@dataclass(frozen=True, eq=False)
class Result(Pattern):
    """A result of a node. `read_once`: by one operand only."""

    call: Call
    index: int = 0
    read_once: bool = False

    def result(self, index: int) -> Result:
        """Another result of the same node."""
        return replace(self, index=index)

    def named(self, name: str) -> Result:
        """The same with a name for the node, under which the match gives it."""
        return replace(self, call=replace(self.call, name=name))

    def once(self) -> Result:
        """The same if nobody else reads the result."""
        return replace(self, read_once=True)

    def ways(self, value: Value | None) -> Ways:
        if value is None:
            return Miss("an operand is absent where the pattern has {}", self.call.ops)
        node = value.producer
        if node is None or node.op not in self.call.ops:
            maker = "nobody" if node is None else node.op
            return Miss("%{} is made by {}, not by {}", (value.name, maker, " or ".join(self.call.ops)), node)
        if node.results[self.index : self.index + 1] != (value,):
            return Miss("%{} is another result of {} than the pattern has", (value.name, node.name), node)
        if self.read_once and value.use_count > 1:
            return Miss("%{} has {} readers", (value.name, value.use_count), node)
        miss = self.call.miss(node)
        return miss or tuple(tuple(map(Goal, self.call.operands, order)) for order in self.call.orders(node))

    def roots(self) -> frozenset[str]:
        return frozenset(self.call.ops)

    def parts(self) -> tuple[Pattern, ...]:
        return self.call.operands


@dataclass(frozen=True)
class Operators:
    """`op` inside a pattern: `op.Relu(x)` is the result of an onnx.Relu, `op["trt.conv_act"](x)` of any operator."""

    def __getattr__(self, name: str) -> Callable[..., Result]:
        return self[f"onnx.{name}"]

    def __getitem__(self, ops: str | tuple[str, ...]) -> Callable[..., Result]:
        names = (ops,) if isinstance(ops, str) else ops

        def call(*operands: Pattern | EllipsisType | None, **attrs: Attr | AttrTest) -> Result:
            listed = tuple(_ABSENT if o is None else o for o in operands if not isinstance(o, EllipsisType))
            return Result(Call(names, listed, MappingProxyType(attrs), open=Ellipsis in operands))

        return call


_ABSENT = Absent()


def depth(pattern: Pattern) -> int:
    """The longest chain of nodes in an expression."""
    known: dict[Pattern, int] = {}

    def of(part: Pattern) -> int:
        if part not in known:
            inner = max(map(of, part.parts()), default=0)
            known[part] = inner + isinstance(part, Result)
        return known[part]

    return of(pattern)


def operators_of(pattern: Pattern) -> frozenset[str]:
    """Every operator of an expression."""
    found: dict[Pattern, None] = {pattern: None}
    waiting = [pattern]
    for part in waiting:  # grows while it is walked
        inner = [p for p in part.parts() if p not in found]
        found.update(dict.fromkeys(inner))
        waiting.extend(inner)
    return frozenset(op for part in found if isinstance(part, Result) for op in part.call.ops)


def either(*options: Pattern) -> Pattern:
    """The first of the alternatives that fits."""
    return options[0] if len(options) == 1 else Either(options)


def optional(pattern: Pattern) -> Pattern:
    """An operand that may be absent."""
    return Either((pattern, _ABSENT))


def anything(name: str = "", test: Test | None = None, what: str = "anything") -> Leaf:
    """Any value that passes the test; several values may bear the same name only if they are the same pattern."""
    return Leaf(name, test, what)


def const(number: float, tolerance: float = 1e-3) -> Leaf:
    """A known scalar. The tolerance is relative (absolute for 0), and wide enough for a constant stored as f16."""
    return Leaf("", lambda value: _is_close(value, number, tolerance), f"the constant {number:g}")


def scalar_of(value: Value) -> float | None:
    """The number that a value is known to hold, if it has one element."""
    data = value.constant
    if data is None or len(data.values) != 1 or isinstance(data.values[0], str):
        return None
    return float(data.values[0])


def _is_close(value: Value, number: float, tolerance: float) -> bool:
    found = scalar_of(value)
    return found is not None and isclose(found, number, rel_tol=tolerance, abs_tol=tolerance if number == 0 else 0.0)


def trace(function: Callable[..., Pattern]) -> Pattern:
    """The expression that a pattern function builds: called once with `op` and a leaf for each further parameter."""
    from inspect import signature

    names = list(signature(function).parameters)[1:]
    root = function(Operators(), *map(Leaf, names))
    if not root.roots():
        raise ValueError("a pattern must begin with an operator, in each of its alternatives")
    return root
