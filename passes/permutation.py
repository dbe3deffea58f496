"""The arithmetic of transposes and reshapes: which dimensions move as one, and what two movements make together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from graphcost.ir import Node
from graphcost.types import Dim
from graphcost.work.sizes import integers

from .views import dims_of


class Block(NamedTuple):
    """Neighbouring axes of a source that a reshape turns into neighbouring axes of its target."""

    source: tuple[int, ...]
    target: tuple[int, ...]


def permutation_of(node: Node) -> tuple[int, ...] | None:
    """`perm` of a Transpose, spelled out; None where the rank is not known."""
    dims = dims_of(node.operand(0))
    if dims is None:
        return None
    return integers(node, "perm") or tuple(reversed(range(len(dims))))


def compose(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    """One permutation that does what two do one after the other."""
    return tuple(first[axis] for axis in second)


def moves_data(dims: Sequence[Dim], perm: Sequence[int]) -> bool:
    """Whether dimensions longer than one pass each other."""
    moved = [axis for axis in perm if dims[axis] != 1]
    return moved != sorted(moved)


def before_reshape(source: Sequence[Dim], target: Sequence[Dim], perm: Sequence[int]) -> tuple[int, ...] | None:
    """The permutation that does to the source of a reshape what `perm` does to its target.

    None where the two do not commute: where `perm` tears apart what the reshape has split or joined.
    """
    blocks = _blocks(source, target)
    if blocks is None:
        return None
    number_of = {axis: number for number, block in enumerate(blocks) for axis in block.target}
    moved = [axis for axis in perm if target[axis] != 1]
    order = [blocks[number] for number in dict.fromkeys(number_of[axis] for axis in moved)]
    if [axis for block in order for axis in block.target] != moved:
        return None
    return _between_units(source, [axis for block in order for axis in block.source])


def _between_units(dims: Sequence[Dim], order: Sequence[int]) -> tuple[int, ...]:
    """A permutation that brings axes into an order; those of length one stay where they are."""
    rest = iter(order)
    return tuple(axis if dims[axis] == 1 else next(rest) for axis in range(len(dims)))


def _blocks(source: Sequence[Dim], target: Sequence[Dim]) -> list[Block] | None:
    """The smallest runs of axes that hold the same elements on both sides, axes of length one left out."""
    left, right = _long_axes(source), _long_axes(target)
    blocks = []
    for axis, size in left:
        block = _block(axis, size, left, right)
        if block is None:
            return None
        blocks.append(block)
    return blocks if next(right, None) is None else None


def _long_axes(dims: Sequence[Dim]) -> Iterator[tuple[int, Dim]]:
    return ((axis, dim) for axis, dim in enumerate(dims) if dim != 1)


def _block(axis: int, size: Dim, left: Iterator[tuple[int, Dim]], right: Iterator[tuple[int, Dim]]) -> Block | None:
    """The block that begins with a source axis: the side that holds fewer elements takes its next axis, until both
    hold the same. Sizes that are not known fit only their equals."""
    sources, targets = [axis], list[int]()
    product: Dim = 1
    while size != product:
        if not isinstance(size, int) and targets or not isinstance(product, int):
            return None
        grows = isinstance(size, int) and size < product
        found = next(left if grows else right, None)
        if found is None:
            return None
        if grows:
            sources.append(found[0])
            size = size * found[1]
        else:
            targets.append(found[0])
            product = product * found[1]
    return Block(tuple(sources), tuple(targets))
