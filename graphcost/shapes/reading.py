"""Reading a node: operands as tensor types, attributes as the kind they must be, results as a list of types."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, repeat

from graphcost.ir import Node
from graphcost.operators import InferTypes, Known
from graphcost.types import BITS, NONE, UNKNOWN, ContainerType, Dim, TensorType, Type, Unknown, bound

from .errors import ShapeMismatch

Dims = tuple[Dim, ...]


def has(node: Node, slot: int) -> bool:
    """Whether an optional operand is there."""
    value = node.operand(slot)
    return value is not None and value.type != NONE


def tensor(node: Node, slot: int) -> TensorType:
    """The type of an operand; UNKNOWN when it is absent or no tensor (an optional tensor counts as its element)."""
    value = node.operand(slot)
    found = None if value is None else value.type
    if isinstance(found, ContainerType) and found.kind == "opt":
        found = found.element
    return found if isinstance(found, TensorType) else UNKNOWN


def dims(node: Node, slot: int) -> Dims | None:
    return tensor(node, slot).dims


def ranked(node: Node, slot: int, *ranks: int) -> Dims | None:
    """The dimensions of an operand, whose number must be one of `ranks`; None when they are not known."""
    found = dims(node, slot)
    if found is not None and len(found) not in ranks:
        accepted = " or ".join(map(str, ranks))
        raise ShapeMismatch(node, f"operand {slot} has {len(found)} dimensions where {accepted} are accepted")
    return found


def at_least(node: Node, slot: int, rank: int) -> Dims | None:
    """The dimensions of an operand that must have `rank` of them or more."""
    found = dims(node, slot)
    if found is not None and len(found) < rank:
        raise ShapeMismatch(node, f"operand {slot} has {len(found)} dimensions where {rank} or more are accepted")
    return found


def typed(node: Node, slot: int, dims: Dims | None) -> TensorType:
    """A tensor with the element type of an operand and other dimensions."""
    return TensorType(tensor(node, slot).dtype, dims)


def plain(node: Node, slot: int) -> TensorType:
    """The element type and the dimensions of an operand, without its format and quantization."""
    return typed(node, slot, dims(node, slot))


def integer(node: Node, key: str, default: int = 0) -> int:
    value = node.attrs.get(key, default)
    return value if isinstance(value, int) else default


def count(node: Node, key: str, default: int = 1) -> int:
    """An integer attribute that must be one or more."""
    value = integer(node, key, default)
    if value < 1:
        raise ShapeMismatch(node, f"attribute {key} is {value} where 1 or more is accepted")
    return value


def integers(node: Node, key: str) -> tuple[int, ...]:
    """A list of integers; empty when the attribute is absent."""
    value = node.attrs.get(key)
    return tuple(v for v in value if isinstance(v, int)) if isinstance(value, tuple) else ()


def word(node: Node, key: str, default: str = "") -> str:
    value = node.attrs.get(key, default)
    return value if isinstance(value, str) else default


def element_type(node: Node, key: str, default: str) -> str:
    """An element type given as attribute; `default` when it is absent, left undefined or none that there is."""
    value = word(node, key, default)
    return value if value != "?" and value in BITS else default


def length(node: Node, key: str) -> int | None:
    """How many entries a list attribute has; None when it is absent."""
    value = node.attrs.get(key)
    return len(value) if isinstance(value, tuple) else None


def known_dims(node: Node, known: Known, slot: int) -> Dims | None:
    """The integers that an operand holds, in a row; None when nobody knows them."""
    array = known(node.operand(slot))
    if array is None:
        return None
    return tuple(d if isinstance(d, Unknown) else int(d) for d in array.reshape(-1).tolist())


def known_dim(node: Node, known: Known, slot: int) -> Dim | None:
    """The one integer that an operand holds."""
    values = known_dims(node, known, slot)
    return values[0] if values else None


def known_integer(node: Node, known: Known, slot: int) -> int | None:
    value = known_dim(node, known, slot)
    return value if isinstance(value, int) else None


def spell(shape: Iterable[Dim]) -> str:
    """Dimensions or axes as a sentence shows them."""
    return f"[{','.join(map(str, shape))}]"


def axis_of(node: Node, axis: int, rank: int) -> int:
    """An axis counted from the front."""
    if not -rank <= axis < rank:
        raise ShapeMismatch(node, f"axis {axis} is outside a tensor of {rank} dimensions")
    return axis % rank


def at(found: Dims, axis: int, dim: Dim) -> Dims:
    """The same dimensions with another one at `axis`."""
    return (*found[:axis], dim, *found[axis + 1 :])


def agree(node: Node, a: Dim, b: Dim, what: str) -> Dim:
    """Two dimensions that must be equal, as one: the one that is known."""
    if not isinstance(a, int):
        return b if isinstance(b, int) else a
    if isinstance(b, int) and a != b:
        raise ShapeMismatch(node, f"{what} differ: {a} and {b}")
    return a


def broadcast(node: Node, *shapes: Dims | None) -> Dims | None:
    """Numpy's rule over several shapes; None when one of them is not known."""
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        return None
    rank = max(map(len, known), default=0)
    result: Dims = (1,) * rank
    for shape in known:
        result = tuple(_broadcast_dim(node, a, b) for a, b in zip(result, (1,) * (rank - len(shape)) + shape))
    return result


def _broadcast_dim(node: Node, a: Dim, b: Dim) -> Dim:
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    if isinstance(a, int) and isinstance(b, int):
        raise ShapeMismatch(node, f"dimensions {a} and {b} do not broadcast")
    if isinstance(a, Unknown) and isinstance(b, Unknown):
        high = None if a.max is None or b.max is None else max(a.max, b.max)
        return Unknown(f"max({a.name},{b.name})", high)
    return a if isinstance(a, int) else b


def data_dependent(node: Node, most: Dim | None = None) -> Unknown:
    """A dimension that only the data decides, named after its node, at most `most`."""
    return Unknown(node.name, None if most is None else bound(most))


MOST_DIMS = 64
"""No runtime takes tensors of more dimensions; a file that asks for more is broken. Source: numpy's NPY_MAXDIMS."""


def unknown_dims(node: Node, rank: int | None, most: int | None = None) -> Dims | None:
    """So many dimensions that nobody knows, each at most `most`; None where their number is not known either."""
    if rank is None or rank > MOST_DIMS:
        return None
    return tuple(Unknown(f"{node.name}.{axis}", most) for axis in range(rank))


def give(node: Node, *types: Type) -> list[Type]:
    """One type for each result: NONE where nobody asked for it, UNKNOWN where `types` ends too early."""
    given = [NONE if r.type == NONE else t for r, t in zip(node.results, chain(types, repeat(UNKNOWN)))]
    for found in given:
        if isinstance(found, TensorType) and any(isinstance(d, int) and d < 0 for d in found.dims or ()):
            raise ShapeMismatch(node, f"the result would be {found}, but no dimension can be negative")
    return given


def like(*slots: int) -> InferTypes:
    """A shape function whose results, in order, have the types of these operands."""

    def infer(node: Node, known: Known) -> list[Type]:
        return give(node, *(plain(node, slot) for slot in slots))

    return infer
