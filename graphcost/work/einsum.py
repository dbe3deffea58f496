"""Einsum, counted as PyTorch and ONNX Runtime run it: operands joined two by two, from left to right.

An index that only one of the two has, and that nobody needs later, is summed away first. What the two share and nobody
needs later is contracted: multiply-adds. Two operands that contract nothing are multiplied elementwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort, UnknownWork

from .sizes import operand_shape, text


def einsum(node: Node) -> Effort:
    """Operands are joined two by two, from left to right: what the two share and nobody needs later is contracted, as
    multiply-adds; without such an index they are multiplied elementwise, and what only one has and nobody needs is
    summed away before.

    Not counted: what a better order of the operands saves.
    """
    terms, output, sizes = _sized(node)
    macs = elementwise = 0
    left: Sequence[str] = tuple(dict.fromkeys(terms[0]))
    for position, right in enumerate(terms[1:], start=2):
        needed = {*output, *(index for term in terms[position:] for index in term)}
        left, joined = _join(left, right, needed, sizes)
        macs, elementwise = macs + joined.macs, elementwise + joined.elementwise_ops
    return Effort(macs, elementwise + _summed_away(left, set(output), sizes))


Product: TypeAlias = "tuple[int, int, int, int]"
"""Batch, rows, columns and summed length."""


def products_of(node: Node) -> Iterator[Product]:
    """The matrix products, in the order in which operands are joined: one for each pair that contracts something."""
    terms, output, sizes = _sized(node)
    left: Sequence[str] = tuple(dict.fromkeys(terms[0]))
    for position, right in enumerate(terms[1:], start=2):
        needed = {*output, *(index for term in terms[position:] for index in term)}
        shared, both = set(left) & set(right), dict.fromkeys((*left, *right))
        kept = [index for index in both if index in needed]
        summed = _count([index for index in both if index in shared - needed], sizes)
        if shared - needed:
            rows, columns = ([i for i in kept if i in side and i not in shared] for side in (set(left), set(right)))
            batch = _count([index for index in kept if index in shared], sizes)
            yield batch, _count(rows, sizes), _count(columns, sizes), summed
        left = kept


def _sized(node: Node) -> tuple[list[list[str]], list[str], Mapping[str, int]]:
    """The indices of each operand and of the result, and how long each index is."""
    terms, output = _equation(text(node, "equation"), [len(operand_shape(node, i)) for i in range(len(node.operands))])
    sizes: dict[str, int] = {}
    for slot, term in enumerate(terms):
        for index, dim in zip(term, operand_shape(node, slot)):
            sizes[index] = max(sizes.get(index, 1), dim)
    return terms, output, sizes


def _join(
    left: Sequence[str], right: Sequence[str], needed: set[str], sizes: Mapping[str, int]
) -> tuple[Sequence[str], Effort]:
    """The indices that are left after two operands were joined, and what that took."""
    summed = _summed_away(left, needed | set(right), sizes) + _summed_away(right, needed | set(left), sizes)
    shared = set(left) & set(right)
    indices = [i for i in dict.fromkeys((*left, *right)) if i in needed or i in shared]
    products = _count(indices, sizes)
    kept = [i for i in indices if i in needed]
    if len(kept) == len(indices):
        return kept, Effort(0, summed + products)
    return kept, Effort(products, summed)


def _summed_away(indices: Sequence[str], needed: set[str], sizes: Mapping[str, int]) -> int:
    """Sums that remove the indices which nobody needs."""
    distinct = dict.fromkeys(indices)
    kept = [i for i in distinct if i in needed]
    return _count(distinct, sizes) - _count(kept, sizes)


def _count(indices: Sequence[str] | Mapping[str, None], sizes: Mapping[str, int]) -> int:
    return math.prod(sizes[index] for index in indices)


def _equation(equation: str, ranks: Sequence[int]) -> tuple[list[list[str]], list[str]]:
    """The indices of each operand and of the result; without `->` the result has those that occur once, sorted."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    if left.count(",") + 1 != len(ranks):
        raise UnknownWork(f"equation {equation!r} does not have {len(ranks)} operands")
    terms = [_indices(term, rank) for term, rank in zip(left.split(","), ranks)]
    dots = max(([i for i in term if i.startswith(".")] for term in terms), key=len)
    if arrow:
        return terms, [i for c in right.replace("...", ".") for i in (dots if c == "." else [c])]
    letters = left.replace(",", "").replace(".", "")
    return terms, [*dots, *sorted(c for c in set(letters) if letters.count(c) == 1)]


def _indices(term: str, rank: int) -> list[str]:
    """One name for each dimension. Those of an ellipsis are counted from the right, as broadcasting aligns them."""
    letters = term.replace("...", ".")
    covered = rank - (len(letters) - ("." in letters))
    if covered < 0 or (covered and "." not in letters):
        raise UnknownWork(f"term {term!r} of the equation does not fit {rank} dimensions")
    dots = [f".{i}" for i in range(covered, 0, -1)]
    return [index for letter in letters for index in (dots if letter == "." else [letter])]


EINSUM: Mapping[str, CountWork] = {"onnx.Einsum": einsum}
