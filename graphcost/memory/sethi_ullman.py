"""An order that finishes the most demanding branch first.

Sethi and Ullman (The Generation of Optimal Code for Arithmetic Expressions, 1970) evaluate first the operand that needs
most beside what it leaves; that is optimal for trees with results of one size, and a good guess for networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .order import Program


def demanding_first(program: Program) -> list[int]:
    """A topological order: depth first from the ends of the graph, of the operands of a node the most demanding first.
    O(n log n)."""
    operands, roots = _ranked(program)
    order: list[int] = []
    seen = [False] * len(operands)
    for root in roots:
        order += _finished(root, operands, seen)
    return order


def _ranked(program: Program) -> tuple[list[list[int]], list[int]]:
    """The operands of each node and the ends of the graph, the most demanding first. `need` is what a node and all
    before it take at most when they run alone, `left` what stays of it."""
    left = _left_bytes(program)
    need: list[int] = []

    def ranked(nodes: Iterable[int]) -> list[int]:
        return sorted(nodes, key=lambda node: left[node] - need[node])

    operands: list[list[int]] = []
    for node, before in enumerate(program.before):
        operands.append(ranked(before))
        need.append(_need(operands[-1], need, left, left[node]))
    read = {operand for before in program.before for operand in before}
    return operands, ranked(node for node in range(len(operands)) if node not in read)


def _left_bytes(program: Program) -> list[int]:
    """Bytes of what each node makes."""
    left = [0] * len(program.before)
    for piece in program.pieces:
        if piece.makers:
            left[piece.makers[0]] += piece.size_bytes
    return left


def _need(operands: Sequence[int], need: Sequence[int], left: Sequence[int], made: int) -> int:
    kept = most = 0
    for operand in operands:
        most = max(most, kept + need[operand])
        kept += left[operand]
    return max(most, kept + made)


def _finished(root: int, operands: Sequence[Sequence[int]], seen: list[bool]) -> list[int]:
    """What has to run until `root` has, but for what already did."""
    order: list[int] = []
    todo = [(root, False)]
    while todo:
        node, is_ready = todo.pop()
        if is_ready:
            order.append(node)
        elif not seen[node]:
            seen[node] = True
            todo.append((node, True))
            todo += [(operand, False) for operand in reversed(operands[node]) if not seen[operand]]
    return order
