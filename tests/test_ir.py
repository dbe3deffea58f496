"""The IR: use lists that cannot lie, O(1) edits, order of execution, rules that verify() enforces."""

from __future__ import annotations

import pytest
from effort import calls

from graphcost.ir import Graph, InvalidIR, Node, Use, Value
from graphcost.origin import Origin
from graphcost.types import NONE, TensorType

F32 = TensorType("f32", (4,))


def chain(length: int) -> tuple[Graph, list[Node]]:
    """x → Relu → Relu → …"""
    value = Value("x", F32)
    graph, nodes = Graph("chain", [value]), []
    for number in range(length):
        result = Value(f"v{number}", F32)
        nodes.append(graph.append(Node("onnx.Relu", [value], [result])))
        value = result
    graph.outputs = [value]
    return graph, nodes


def skip(graph: Graph, node: Node) -> None:
    """Let the readers of a unary node read its operand, and remove it."""
    source = node.operands[0]
    assert source is not None
    node.results[0].replace_by(source)
    graph.remove(node)


# Uses


def test_a_value_knows_every_slot_that_reads_it() -> None:
    x = Value("x", F32)
    graph = Graph("g", [x])
    add = graph.append(Node("onnx.Add", [x, x], [Value("y", F32)]))
    graph.outputs = [x, add.results[0]]
    assert x.uses == (Use(add, 0), Use(add, 1), Use(graph.exit, 0))
    assert x.readers == (add, graph.exit)
    assert add.inputs == (x,)


def test_replace_by_moves_every_use_and_outputs_too() -> None:
    graph, (first, second) = chain(2)
    second.results[0].replace_by(first.results[0])
    assert graph.outputs == first.results
    assert second.results[0].use_count == 0


def test_uses_are_a_copy_so_the_graph_may_change_in_the_loop() -> None:
    graph, (first, *_) = chain(3)
    x = graph.inputs[0]
    for node, slot in first.results[0].uses:
        node.set_operand(slot, x)
    assert first.results[0].uses == ()
    graph.remove(first)
    graph.verify()


def test_set_operands_may_change_how_many_there_are() -> None:
    graph, (node, *_) = chain(2)
    x, w = graph.inputs[0], graph.add_weight(Value("w", F32))
    node.set_operands([x, None, w])
    assert node.operands == (x, None, w)
    assert node.operand(1) is None
    assert node.operand(9) is None
    assert w.uses == (Use(node, 2),)


def test_values_and_nodes_compare_by_identity() -> None:
    assert Value("x", F32) != Value("x", F32)
    assert len({Node("onnx.Relu", [], []), Node("onnx.Relu", [], [])}) == 2


# Order


def test_order_is_kept_by_insert_and_move() -> None:
    graph, (first, second, third) = chain(3)
    side = Node("onnx.Relu", [graph.inputs[0]], [Value("side", F32)])
    graph.insert_before(second, side)
    assert [n.name for n in graph] == ["v0", "side", "v1", "v2"]
    graph.move_before(first, side)
    graph.move_before(first, first)
    assert [n.name for n in graph] == ["side", "v0", "v1", "v2"]
    assert [n.name for n in reversed(graph)] == ["v2", "v1", "v0", "side"]
    graph.insert_after(third, Node("onnx.Relu", [graph.inputs[0]], [Value("last", F32)]))
    assert [n.name for n in graph][-1] == "last"
    assert len(graph) == 5


def test_removed_nodes_are_not_visited() -> None:
    graph, nodes = chain(5)
    seen = []
    for node in graph:
        seen.append(node.name)
        if node is nodes[1]:
            skip(graph, nodes[1])
            skip(graph, nodes[2])
    assert seen == ["v0", "v1", "v3", "v4"]


def test_nodes_inserted_behind_the_cursor_are_visited() -> None:
    graph, nodes = chain(2)
    seen = []
    for node in graph:
        seen.append(node.name)
        if node is nodes[0]:
            graph.insert_after(node, Node("onnx.Relu", [node.results[0]], [Value("new", F32)]))
            graph.insert_before(node, Node("onnx.Relu", [graph.inputs[0]], [Value("old", F32)]))
    assert seen == ["v0", "new", "v1"]


def test_all_nodes_may_be_removed_while_iterating_in_either_direction() -> None:
    for walk in (iter, reversed):
        graph, _ = chain(50)
        for node in walk(graph):
            skip(graph, node)
        assert len(graph) == 0
        assert graph.outputs == graph.inputs


def test_a_node_that_replaces_others_takes_their_results_over() -> None:
    graph, (first, second, third) = chain(3)
    result = second.results[0]
    fused = graph.replace([first, second], Node("my.Fused", [graph.inputs[0]], [result]))
    assert result.producer is fused
    assert third.operands == (result,)
    assert [n.op for n in graph] == ["my.Fused", "onnx.Relu"]
    graph.verify()


def test_edits_cost_the_same_in_a_large_graph() -> None:
    def calls_per_node(length: int) -> float:
        graph, nodes = chain(length)
        return calls(lambda: [skip(graph, node) for node in nodes[::2]]) / length

    assert calls_per_node(5_000) < 1.1 * calls_per_node(500)


# Epochs


def test_every_mutation_moves_the_epoch_here_and_around() -> None:
    inner, (node, *_) = chain(2)
    outer = Graph("outer", [Value("x", F32)])
    inner.binds = (0,)
    outer.append(Node("trt.kernel", outer.inputs, [Value("y", F32)], bodies=[inner]))
    for mutate in (
        lambda: node.set_attr("alpha", 1.0),
        lambda: node.set_attr("alpha", None),
        lambda: node.set_operand(0, inner.add_weight(Value("w", F32))),
        lambda: setattr(node, "origin", [Origin("a")]),
        lambda: setattr(node.results[0], "type", F32.with_dtype("f16")),
    ):
        inner_epoch, outer_epoch = inner.epoch, outer.epoch
        mutate()
        assert inner.epoch > inner_epoch
        assert outer.epoch > outer_epoch


def test_what_changes_nothing_leaves_the_epoch_alone() -> None:
    graph, (node, *_) = chain(2)
    epoch = graph.epoch
    node.set_operand(0, node.operands[0])
    node.results[0].type = TensorType("f32", (4,))
    assert graph.epoch == epoch


# Origins


def test_a_node_stands_for_itself_and_a_kernel_for_what_is_inside() -> None:
    graph, (first, second) = chain(2)
    assert first.origin == (Origin("v0"),)
    body = Graph("body", [Value("a", F32)], binds=[0])
    body.append(Node("onnx.Relu", body.inputs, [Value("b", F32)], name="relu", origin=[Origin("relu", 0.5)]))
    origin = [Origin("bn"), Origin("relu", 0.5)]
    kernel = Node("trt.kernel", graph.inputs, [second.results[0]], bodies=[body], origin=origin)
    assert kernel.origin == (Origin("bn"), Origin("relu", 1.0))


def test_a_kernel_knows_when_what_it_stands_for_changed() -> None:
    graph, (first, second) = chain(2)
    body = Graph("body", [Value("a", F32)], binds=[0])
    inner = body.append(Node("onnx.Relu", body.inputs, [Value("b", F32)], name="relu"))
    kernel = Node("trt.kernel", graph.inputs, [second.results[0]], bodies=[body])
    assert kernel.origin == (Origin("relu"),)
    inner.origin = [Origin("relu", 0.5)]
    assert kernel.origin == (Origin("relu", 0.5),)
    kernel.origin = [Origin("bn")]
    assert kernel.origin == (Origin("bn"), Origin("relu", 0.5))


# Bodies


def test_a_body_has_its_own_scope_and_a_clone_shares_nothing() -> None:
    graph, _ = chain(2)
    body = Graph("body", [Value("a", F32)], binds=[0])
    body.append(Node("onnx.Relu", body.inputs, [Value("b", F32)]))
    body.outputs = [next(iter(body)).results[0]]
    graph.append(Node("trt.kernel", graph.inputs, [Value("k", F32)], {"n": 1}, bodies=[body]))
    copy = graph.clone()
    copy.verify()
    assert [n.name for n in copy.walk()] == [n.name for n in graph.walk()]
    assert not set(copy.walk()) & set(graph.walk())
    for node in copy:
        node.set_attr("n", 2)
    assert [n.attrs.get("n") for n in graph] == [None, None, 1]


def test_networkx_gets_an_edge_for_each_operand_that_a_node_makes() -> None:
    graph, (first, second) = chain(2)
    made = graph.to_networkx()
    assert list(made.edges(data="slot")) == [(first, second, 0)]
    assert made.nodes[first]["op"] == "onnx.Relu"


# verify()


def test_a_value_that_is_read_is_not_removed() -> None:
    graph, (first, *_) = chain(2)
    weight = graph.add_weight(Value("w", F32))
    first.set_operand(0, weight)
    with pytest.raises(InvalidIR, match="%v0 cannot be removed: v1 still reads it"):
        graph.remove(first)
    with pytest.raises(InvalidIR, match="%w cannot be removed: v0 still reads it"):
        graph.remove_weight(weight)


def test_a_node_stands_in_one_graph_once() -> None:
    graph, (first, *_) = chain(2)
    with pytest.raises(InvalidIR, match="already stands in a graph"):
        graph.append(first)
    with pytest.raises(InvalidIR, match="does not stand in graph other"):
        Graph("other").remove(Node("onnx.Relu", [], []))


def test_order_must_be_topological() -> None:
    graph, (first, second) = chain(2)
    graph.move_before(first, second)
    with pytest.raises(InvalidIR, match="v1: operand %v0 is not defined before use"):
        graph.verify()


def test_names_must_be_unique() -> None:
    graph, (_, second) = chain(2)
    second.results[0].name = "v0"
    with pytest.raises(InvalidIR, match="the name %v0 is taken"):
        graph.verify()
    graph.add_weight(Value("x", F32))
    with pytest.raises(InvalidIR, match="two inputs or weights share a name"):
        graph.verify()


def test_an_output_must_be_defined() -> None:
    graph, _ = chain(2)
    graph.outputs = [Value("nowhere", F32)]
    with pytest.raises(InvalidIR, match="output %nowhere.* has no definition"):
        graph.verify()


def test_a_result_has_one_producer() -> None:
    graph, (first, _) = chain(2)
    graph.append(Node("onnx.Relu", graph.inputs, first.results, name="thief"))
    with pytest.raises(InvalidIR, match="%v0 is the result of another node"):
        graph.verify()


@pytest.mark.parametrize(
    ("binds", "reason"), [((), "has 1 inputs and 0 binds"), ((3,), "bound to slot 3, which is empty")]
)
def test_bodies_are_bound_to_operands_that_exist(binds: tuple[int, ...], reason: str) -> None:
    graph, _ = chain(1)
    body = Graph("body", [Value("a", F32)], binds=binds)
    body.outputs = body.inputs
    graph.append(Node("trt.kernel", graph.inputs, [Value("k", F32)], bodies=[body]))
    with pytest.raises(InvalidIR, match=reason):
        graph.verify()


def test_a_body_is_verified_again_once_it_changed() -> None:
    graph, _ = chain(1)
    body, (first, second) = chain(2)
    body.binds = (0,)
    graph.append(Node("trt.kernel", graph.inputs, [Value("k", NONE)], bodies=[body]))
    graph.verify()
    body.move_before(first, second)
    with pytest.raises(InvalidIR, match="not defined before use"):
        graph.verify()


def test_a_body_is_verified_too() -> None:
    graph, _ = chain(1)
    body, (first, second) = chain(2)
    body.binds = (0,)
    body.move_before(first, second)
    graph.append(Node("trt.kernel", graph.inputs, [Value("k", NONE)], bodies=[body]))
    with pytest.raises(InvalidIR, match="not defined before use"):
        graph.verify()
