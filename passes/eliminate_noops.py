"""Operations that do nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import UNCHANGED, Change, Context, Pass

from .ledger import PRESERVED, Ledger, executed_graphs
from .noops import NOOPS, Noop
from .values import is_output


@dataclass(frozen=True)
class EliminateNoops(Pass):
    """Remove nodes whose result is one of their operands: Identity, Dropout in inference, casts to the same type,
    reshapes to the same shape, sums with zero, products with one, a Concat of one.

    The readers then read the operand; an output keeps its name. A node stays where it alone stands between an output
    and an input, a weight or another output.

    Operators that are named in `keep` stay: an eager framework runs them all the same.

    Evidence: ShuffleErasure and "Scale no-op erased (+0, *1, ^1)" in TensorRT's build logs and fusion catalogue.
    """

    name: ClassVar[str] = "eliminate-noops"
    keep: tuple[str, ...] = ()

    def run(self, graph: Graph, ctx: Context) -> Change:
        ledger = Ledger(self.name, graph, ctx)
        nodes = (node for part in executed_graphs(graph) for node in part if node.op not in self.keep)
        count = sum(_eliminate(node, ledger) for node in nodes)
        ledger.close()
        return Change(count, PRESERVED) if count else UNCHANGED


def _eliminate(node: Node, ledger: Ledger) -> bool:
    noop = _recognize(node)
    if noop is None:
        return False
    source = node.operands[noop.slot]
    assert source is not None
    return leave_out(node, source, noop.reason, ledger)


def leave_out(node: Node, source: Value, reason: str, ledger: Ledger) -> bool:
    """Let `source` be read instead of the node's first result; otherwise the journal has the reason."""
    result = node.results[0]
    if (kept := _why_kept(node, result, source)) is not None:
        ledger.refuse(node, kept)
        return False
    ledger.touch(node)
    ledger.touch_readers(node)
    _take_place(result, source)
    ledger.remove(node, reason)
    return True


def _recognize(node: Node) -> Noop | None:
    rule = NOOPS.get(node.op)
    return rule(node) if rule is not None else None


def _why_kept(node: Node, result: Value, source: Value) -> str | None:
    if any(other.use_count for other in node.results[1:]):
        return f"its other result %{node.results[1].name} is read"
    if not is_output(result):
        return None
    if source.producer is None:
        kind = "weight" if source.is_weight else "input"
        return f"it alone stands between {kind} %{source.name} and output %{result.name}"
    return f"outputs %{source.name} and %{result.name} would be one value" if is_output(source) else None


def _take_place(result: Value, source: Value) -> None:
    """`source` is read instead of `result`, and is called like it if that was an output."""
    if is_output(result):
        source.name, result.name = result.name, source.name
    result.replace_by(source)
