"""One type for a value that may come from more than one place: two branches, or each turn of a loop."""

from __future__ import annotations

from graphcost.types import UNKNOWN, ContainerType, Dim, TensorType, Type, Unknown, bound


def unify(a: Type, b: Type, name: str) -> Type:
    """The type of a value that has type `a` or `b`; dimensions that differ become unknown, called after `name`."""
    if a == b:
        return a
    if isinstance(a, ContainerType) and isinstance(b, ContainerType) and a.kind == b.kind:
        return ContainerType(a.kind, unify(a.element, b.element, name))
    if not isinstance(a, TensorType) or not isinstance(b, TensorType):
        return UNKNOWN
    dtype = a.dtype if a.dtype == b.dtype else "?"
    if a.dims is None or b.dims is None or len(a.dims) != len(b.dims):
        return TensorType(dtype, None)
    pairs = enumerate(zip(a.dims, b.dims))
    return TensorType(dtype, tuple(_either(x, y, f"{name}.{axis}") for axis, (x, y) in pairs))


def _either(a: Dim, b: Dim, name: str) -> Dim:
    if a == b:
        return a
    high_a, high_b = bound(a), bound(b)
    return Unknown(name, None if high_a is None or high_b is None else max(high_a, high_b))


def unbounded(type: Type) -> Type:
    """The same type, unknown dimensions without their bounds."""
    if not isinstance(type, TensorType) or type.dims is None or type.is_static:
        return type
    return type.with_dims(d if isinstance(d, int) else Unknown(d.name) for d in type.dims)


def refine(found: Type, declared: Type) -> Type:
    """What inference found, completed from what the file declares where the two agree."""
    if not isinstance(found, TensorType):
        return found
    if found.dtype == "?" and found.dims is None and isinstance(declared, ContainerType):
        return declared
    if not isinstance(declared, TensorType):
        return found
    dtype = declared.dtype if found.dtype == "?" else found.dtype
    if found.dims is None:
        return TensorType(dtype, declared.dims)
    if declared.dims is None or len(declared.dims) != len(found.dims):
        return found.with_dtype(dtype)
    return TensorType(dtype, tuple(_narrower(f, d) for f, d in zip(found.dims, declared.dims)))


def _narrower(found: Dim, declared: Dim) -> Dim:
    """A declared number in the place of an unknown that may be so large."""
    if isinstance(found, int) or not isinstance(declared, int):
        return found
    return declared if found.max is None or declared <= found.max else found
