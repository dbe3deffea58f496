"""Reordering: never worse, always an order of the data flow, nearly always the best there is."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from effort import calls
from graphcost.passes.reorder import Reorder
from harness import make_context
from hypothesis import given, settings
from test_memory import IN_PLACE, Net, nets

from graphcost.analyses import MEMORY, WORK
from graphcost.ir import Graph, Node, Value
from graphcost.memory import find_order, liveness, reorder_gain_bytes, storages
from graphcost.memory.in_place import verify_in_place
from graphcost.memory.order import Program, program_of
from graphcost.memory.sethi_ullman import demanding_first
from graphcost.pipeline import Pipeline, Stage
from graphcost.types import NONE, UNKNOWN, TensorType


def program(graph: Graph) -> Program:
    plan = storages(graph, IN_PLACE)
    return program_of(plan, plan.activations, IN_PLACE)


def arranged(graph: Graph, order: Sequence[Node]) -> Graph:
    """The graph with its nodes in this order."""
    for node in order:
        last = next(reversed(graph))
        if node is not last:
            graph.move_before(last, node)
            graph.move_before(node, last)
    return graph


def peak_of(graph: Graph) -> int:
    return liveness(graph, IN_PLACE).peak_activation_bytes


def least_peak(made: Program) -> int:
    """The least peak of all orders: dynamic programming over sets of nodes that have run."""
    count = len(made.before)
    least = {frozenset(): 0}
    for _ in range(count):
        after: dict[frozenset[int], int] = {}
        for done, peak in least.items():
            for node in range(count):
                if node not in done and done.issuperset(made.before[node]):
                    more = done | {node}
                    after[more] = min(after.get(more, 1 << 60), max(peak, live_bytes(made, done, more)))
        least = after
    return least[frozenset(range(count))]


def live_bytes(made: Program, done: frozenset[int], more: frozenset[int]) -> int:
    """Bytes in use while the one node runs that `more` has and `done` has not."""
    begun = [piece for piece in made.pieces if piece.from_start or not more.isdisjoint(piece.makers)]
    return sum(piece.size_bytes for piece in begun if piece.to_end or not done.issuperset(piece.users))


def branches(seed: int) -> Net:
    """A network of branches inside branches."""
    net, random_ = Net(10), random.Random(seed)

    def block(value: Value, depth: int) -> Value:
        ends = []
        for _ in range(random_.randint(2, 3)):
            end = value
            for _ in range(random_.randint(1, 3)):
                inner = depth and random_.random() < 0.3
                end = block(end, depth - 1) if inner else net.run([end], random_.choice([1, 4, 16, 64]))
            ends.append(end)
        return net.run(ends, random_.choice([4, 16]))

    net.graph.outputs = [block(net.graph.inputs[0], 1)]
    return net


# The order


@settings(max_examples=100, deadline=None)
@given(nets())
def test_no_order_is_worse_or_breaks_the_flow_of_data(made):
    net, outputs = made
    net.graph.outputs = outputs
    found = find_order(net.graph, IN_PLACE)
    before = peak_of(net.graph)
    arranged(net.graph, found.nodes).verify()
    assert found.peak_before_bytes == before
    assert peak_of(net.graph) == found.peak_bytes <= before


def test_nearly_always_the_least_peak_is_found():
    """Random branches of up to 18 nodes, beside the exact answer."""
    networks = [net for net in map(branches, range(60)) if len(net.graph) <= 18]
    pairs = [(find_order(net.graph, IN_PLACE).peak_bytes, least_peak(program(net.graph))) for net in networks]
    assert len(pairs) > 20
    assert all(found >= least for found, least in pairs)
    assert sum(found == least for found, least in pairs) >= 0.95 * len(pairs)


def test_the_most_demanding_branch_runs_first():
    net = Net(1)
    small = net.run([net.run(net.graph.inputs, 10)], 4)
    large = net.run([net.run(net.graph.inputs, 100)], 4)
    net.graph.outputs = [net.run([small, large], 1)]
    assert [list(net.graph)[i].results[0].name for i in demanding_first(program(net.graph))] == [
        "v2", "v3", "v0", "v1", "v4",
    ]  # fmt: skip


def test_where_the_node_at_the_peak_touches_all_that_is_there_nothing_is_tried(monkeypatch):
    from graphcost.memory import reordering as room

    net = Net(100)
    net.graph.outputs = [net.run([net.run(net.graph.inputs, 50)], 10)]
    monkeypatch.delattr(room, "lower_peak")
    assert reorder_gain_bytes(liveness(net.graph, IN_PLACE), IN_PLACE) == 0


def test_what_is_overwritten_is_read_before():
    """Writing over `a` early would free memory, but `v1` still reads it."""
    net = Net(1)
    a = net.run(net.graph.inputs, 100)
    net.run([a], 300)
    grown = next(reversed(net.graph)).results[0]
    written = net.run([a], 100, "my.InPlace")
    small = net.run([written], 1)
    net.graph.outputs = [small, net.run([grown], 2)]
    arranged(net.graph, find_order(net.graph, IN_PLACE).nodes)
    verify_in_place(net.graph, IN_PLACE)
    made = program(net.graph)
    writer = [node.op for node in net.graph].index("my.InPlace")
    assert len(made.before[writer]) == 2


def test_sizes_that_are_not_known_count_for_nothing():
    net = Net(10)
    a = net.run(net.graph.inputs, UNKNOWN)
    net.run(net.graph.inputs, NONE)
    net.graph.outputs = [net.run([a], 5)]
    found = find_order(net.graph, IN_PLACE)
    assert (found.gain_bytes, found.nodes) == (0, tuple(net.graph))


def test_a_graph_without_nodes_keeps_its_order():
    assert find_order(Net(10).graph, IN_PLACE).nodes == ()


# The pass


def run_pass(graph: Graph) -> int:
    """How much the pass lowers the peak, every promise checked."""
    before = liveness(graph, make_context(graph).analyses.operators).peak_activation_bytes
    ctx = make_context(graph)
    ctx.get(WORK), ctx.get(MEMORY)
    Pipeline((Stage("", (Reorder(),)),), paranoid=True).run(graph, ctx)
    return before - ctx.get(MEMORY).peak_activation_bytes


@pytest.mark.parametrize("seed", range(10))
def test_the_pass_gains_what_was_promised_and_nothing_the_second_time(seed):
    graph = branches(seed).graph
    operators = make_context(graph).analyses.operators
    promised = reorder_gain_bytes(liveness(graph, operators), operators)
    assert run_pass(graph) == promised
    assert Reorder().run(graph, make_context(graph)).count == 0


def test_only_nodes_that_must_move_are_moved_and_told():
    net = Net(16)
    (x,) = net.graph.inputs
    grown = [net.run([x], 64) for _ in range(3)]
    shrunk = [net.run([value], 1) for value in grown]
    net.graph.outputs = [net.run(shrunk, 1)]
    ctx = make_context(net.graph)
    change = Reorder().run(net.graph, ctx)
    assert change.count == 2
    assert [entry.rule for entry in ctx.journal.did_] == ["reorder"] * 2
    assert ctx.journal.did_[0].text == "it runs elsewhere, so that the peak falls from 208 to 82 bytes"


def test_a_real_network_gains_by_another_order(shared, registry):
    """Both branches of ShuffleNet's first block begin at once; one after the other they need less."""
    from graphcost.api import run

    path = shared / "models" / "torchvision" / "shufflenet_v2_x2_0_224.onnx"
    report, reordered = run(path).report, run(path, insert=["reorder@end"]).report
    assert report.memory.reorder_gain_bytes > 0.08 * report.totals.peak_activation_bytes
    assert reordered.memory.reorder_gain_bytes == 0
    gain = report.totals.peak_activation_bytes - reordered.totals.peak_activation_bytes
    assert gain == report.memory.reorder_gain_bytes
    assert reordered.totals.macs == report.totals.macs


# Scale


def irregular(count: int) -> Graph:
    net, random_ = Net(64), random.Random(1)
    values = list(net.graph.inputs)
    for i in range(count):
        operands = {values[-1], values[-random_.randint(1, min(len(values), 9))]}
        values.append(net.run(sorted(operands, key=lambda v: v.name), 64 + 32 * (i % 7)))
    net.graph.outputs = values[-1:]
    return net.graph


def test_effort_grows_with_the_number_of_nodes_and_not_faster():
    def calls_per_node(count: int) -> float:
        graph = irregular(count)
        return calls(lambda: find_order(graph, IN_PLACE)) / count

    assert calls_per_node(20_000) <= 1.5 * calls_per_node(2_000)


# What tests are made of


def test_the_exact_answer_is_exact():
    net = Net(1)
    a, b = (net.run(net.graph.inputs, 64) for _ in range(2))
    net.graph.outputs = [net.run([net.run([a], 1), net.run([b], 1)], 1)]
    assert peak_of(net.graph) == 129
    assert least_peak(program(net.graph)) == 66
    assert isinstance(a.type, TensorType)
