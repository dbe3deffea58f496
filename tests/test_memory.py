"""Memory: storages, liveness, the arena, writes in place."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from effort import calls
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcost.ir import Graph, InvalidIR, Node, Value
from graphcost.memory import ALIASES, ArenaPlan, MemoryProfile, Storages, arena, liveness, plan_arena, plans, storages
from graphcost.memory.in_place import verify_in_place
from graphcost.operators import Alias, Operators, Relation
from graphcost.types import NONE, UNKNOWN, Attr, TensorType, Type

IN_PLACE = Operators(aliases={**ALIASES, "my.InPlace": lambda node: (Alias(0, 0, Relation.IN_PLACE),)})


def u8(size: int) -> TensorType:
    """A type of so many bytes."""
    return TensorType("u8", (size,))


class Net:
    """A graph under construction: every value has a size in bytes."""

    def __init__(self, *inputs: int) -> None:
        self.graph = Graph("net", [Value(f"in{i}", u8(size)) for i, size in enumerate(inputs)])

    def weight(self, size: int) -> Value:
        return self.graph.add_weight(Value(f"w{len(self.graph.weights)}", u8(size)))

    def run(self, operands: Sequence[Value], type: Type | int, op: str = "my.Op", **attrs: Attr) -> Value:
        result = Value(f"v{len(self.graph)}", u8(type) if isinstance(type, int) else type)
        return self.graph.append(Node(op, operands, [result], attrs)).results[0]

    def profile(self, *outputs: Value) -> MemoryProfile:
        self.graph.outputs = outputs
        self.graph.verify()
        return liveness(self.graph, IN_PLACE)

    def storages(self, *outputs: Value) -> Storages:
        self.graph.outputs = outputs
        return storages(self.graph, IN_PLACE)


# Liveness


def test_a_node_holds_what_it_reads_and_writes_and_what_others_still_need():
    net = Net(100)
    (x,) = net.graph.inputs
    a = net.run([x], 40)
    b = net.run([a], 30)
    c = net.run([b, a], 10)
    found = net.profile(c)
    assert found.timeline == (140, 70, 80)
    assert (found.peak_activation_bytes, found.peak_at) == (140, a.producer)
    assert [(h.name, h.size_bytes) for h in found.holders] == [("in0", 100), ("v0", 40)]
    assert not found.is_lower_bound


def test_outputs_live_to_the_end_and_inputs_to_their_last_reader():
    net = Net(100, 7)
    x, y = net.graph.inputs
    a = net.run([x], 40)
    b = net.run([y], 30)
    c = net.run([b], 5)
    assert net.profile(a, c).timeline == (100 + 7 + 40, 40 + 7 + 30, 40 + 30 + 5)


def test_a_result_that_nobody_reads_lives_while_its_node_runs():
    net = Net(10)
    net.run(net.graph.inputs, 1000)
    assert net.profile(net.run(net.graph.inputs, 1)).timeline == (1010, 11)


def test_weights_are_counted_once_and_only_where_they_are_read():
    net = Net(10)
    (x,) = net.graph.inputs
    w, _unread = net.weight(500), net.weight(900)
    alias = net.run([w], 500, "onnx.Identity")
    a = net.run([x, w], 20)
    found = net.profile(net.run([a, alias], 20))
    assert found.weight_bytes == 500
    assert found.timeline == (10, 30, 40)


def test_views_share_the_storage_of_what_they_show():
    net = Net(10)
    (x,) = net.graph.inputs
    a = net.run([x], 100)
    view = net.run([a], TensorType("u8", (10, 10)), "onnx.Reshape")
    b = net.run([view], 1)
    found = net.profile(b)
    assert found.timeline == (110, 100, 101)
    assert found.storages.storage_of[a] is found.storages.storage_of[view]


def test_a_concat_view_is_written_part_by_part():
    net = Net(10)
    (x,) = net.graph.inputs
    a = net.run([x], 30)
    b = net.run([x], 50)
    c = net.run([a, b], 80, "trt.concat_view", axis=0)
    found = net.profile(net.run([c], 1))
    assert found.timeline == (90, 90, 80, 81)
    assert [found.storages.offset_bytes(v) for v in (a, b, c)] == [0, 30, 0]


def test_a_slice_view_keeps_the_whole_alive():
    net = Net(10)
    (x,) = net.graph.inputs
    whole = net.run([x], TensorType("f32", (2, 6, 4)))
    part = net.run([whole], TensorType("f32", (2, 2, 4)), "trt.slice_view", axis=1, start=3)
    found = net.profile(net.run([part], 1))
    assert found.timeline == (202, 192, 193)
    assert found.storages.offset_bytes(part) == 3 * 4 * 4


def test_a_value_that_would_lie_at_two_places_is_refused():
    net = Net(10)
    (x,) = net.graph.inputs
    a, b = net.run([x], 30), net.run([x], 50)
    net.run([a, b], 80, "trt.concat_view", axis=0)
    net.run([b, a], 80, "trt.concat_view", axis=0)
    with pytest.raises(InvalidIR, match="v3: %v1 cannot lie at two places of the storage of %v3|%v0 cannot lie"):
        net.storages()


def test_a_size_that_is_not_known_is_listed_and_the_peak_is_a_lower_bound():
    net = Net(10)
    a = net.run(net.graph.inputs, UNKNOWN)
    found = net.profile(net.run([a], 5))
    assert [storage.name for storage in found.unknown] == ["v0"]
    assert found.is_lower_bound
    assert found.peak_activation_bytes == 10


def test_a_result_that_nobody_asked_for_has_no_storage():
    net = Net(10)
    net.run(net.graph.inputs, NONE)
    assert len(net.storages().pieces) == 1


def test_a_graph_without_nodes_holds_its_inputs():
    net = Net(10)
    found = net.profile(*net.graph.inputs)
    assert (found.peak_activation_bytes, found.peak_at, found.timeline) == (10, None, ())


# Bodies


def body(size: int, slot: int | None, op: str = "my.Op") -> Graph:
    """input (10 bytes) -> size -> 5"""
    x = Value("bx", u8(10))
    made = Graph("body", [x], [slot])
    made.append(Node(op, [x], [Value("b0", u8(size))]))
    made.outputs = [made.append(Node(op, [made.inputs[0]], [Value("b1", u8(5))])).results[0]]
    return made


def test_a_branch_needs_what_lies_between_its_inputs_and_its_outputs():
    net = Net(10, 1)
    x, condition = net.graph.inputs
    result = Value("y", u8(5))
    net.graph.append(Node("onnx.If", [condition, x], [result], bodies=[body(100, 1), body(300, 1)]))
    found = net.profile(result)
    assert found.timeline == (10 + 1 + 5 + 300,)
    assert found.holders[0].name == "inside y"


def test_an_iteration_of_a_loop_needs_its_new_state_beside_the_old():
    net = Net(10)
    result = Value("y", u8(5))
    inside = body(3, 2)
    net.graph.append(Node("onnx.Loop", [None, None, *net.graph.inputs], [result], bodies=[inside]))
    assert net.profile(result).timeline == (10 + 5 + 5,)


def test_what_lies_inside_a_kernel_needs_no_memory_but_its_own_weights_do():
    net = Net(10)
    result = Value("y", u8(5))
    inside = body(100, 0)
    next(iter(inside)).set_operands([*inside.inputs, inside.add_weight(Value("bw", u8(77)))])
    net.graph.append(Node("trt.kernel", net.graph.inputs, [result], bodies=[inside]))
    found = net.profile(result)
    assert (found.timeline, found.weight_bytes) == ((15,), 77)


# The arena


def assert_sound(plan: Storages, made: ArenaPlan, alignment: int = 1) -> None:
    """Every storage has its place, and no two lie over each other while both are needed."""
    pieces = [p for p in plan.activations if p.size_bytes]
    assert set(made.offsets) == set(pieces)
    assert all(offset % alignment == 0 for offset in made.offsets.values())
    for i, a in enumerate(pieces):
        assert made.offsets[a] + a.size_bytes <= made.size_bytes
        for b in pieces[:i]:
            together = a.first <= b.last and b.first <= a.last
            start_a, start_b = made.offsets[a], made.offsets[b]
            apart = start_a + a.size_bytes <= start_b or start_b + b.size_bytes <= start_a
            assert apart or not together
    assert made.size_bytes >= made.lower_bound_bytes


def test_a_chain_needs_no_more_than_its_two_largest_neighbours():
    net = Net(100)
    value = net.graph.inputs[0]
    for size in (80, 60, 90, 20, 70):
        value = net.run([value], size)
    made = plan_arena(net.storages(value), alignment_bytes=1)
    assert made.size_bytes == made.lower_bound_bytes == 180


def test_offsets_are_aligned_and_sizes_padded():
    net = Net(1)
    made = plan_arena(net.storages(net.run(net.graph.inputs, 257)))
    assert sorted(made.offsets.values()) == [0, 512]
    assert (made.size_bytes, made.lower_bound_bytes) == (768, 258)


def test_an_empty_graph_needs_no_arena():
    made = plan_arena(Net().storages())
    assert (made.offsets, made.size_bytes, made.lower_bound_bytes) == ({}, 0, 0)


@st.composite
def nets(draw: st.DrawFn) -> tuple[Net, list[Value]]:
    """Random DAGs: any value read by anyone, views, outputs anywhere."""
    net = Net(*draw(st.lists(st.integers(0, 50), min_size=1, max_size=3)))
    values = list(net.graph.inputs)
    for _ in range(draw(st.integers(0, 25))):
        operands = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3))
        if draw(st.integers(0, 4)) == 0:
            values.append(net.run(operands[:1], operands[0].type, "onnx.Identity"))
        else:
            values.append(net.run(operands, draw(st.integers(0, 100))))
    return net, draw(st.lists(st.sampled_from(values), min_size=1, max_size=4, unique=True))


def brute_force(net: Net, outputs: Sequence[Value]) -> list[int]:
    """Bytes at each node, by the definition: a root is in memory from its making to the last reading of any view."""
    nodes = list(net.graph)
    root = {v: v for v in net.graph.inputs}
    for node in nodes:
        root[node.results[0]] = root[node.inputs[0]] if node.op == "onnx.Identity" else node.results[0]
    at = {v: time for time, node in enumerate(nodes) for v in node.results}
    timeline = []
    for now in range(len(nodes)):
        live = set()
        for value, owner in root.items():
            born = at.get(value, 0)
            uses = [time for time, node in enumerate(nodes) if value in node.inputs]
            dies = len(nodes) - 1 if value in outputs else max([born, *uses])
            if at.get(owner, 0) <= now <= dies:
                live.add(owner)
        timeline.append(sum(v.type.size_bytes or 0 for v in live))
    return timeline


@settings(max_examples=150, deadline=None)
@given(nets())
def test_the_timeline_is_what_the_definition_says(made):
    net, outputs = made
    found = net.profile(*outputs)
    assert list(found.timeline) == brute_force(net, outputs)
    assert sum(h.size_bytes for h in found.holders) == found.peak_activation_bytes


@settings(max_examples=150, deadline=None)
@given(nets(), st.sampled_from([1, 4, 256]))
def test_by_no_strategy_do_two_storages_overlap_while_both_are_needed(made, alignment):
    net, outputs = made
    plan = net.storages(*outputs)
    made_plans = list(plans(plan, alignment))
    for one in made_plans:
        assert_sound(plan, one, alignment)
    chosen = plan_arena(plan, alignment)
    assert chosen.size_bytes == min(one.size_bytes for one in made_plans)
    assert chosen.is_smallest or all(not one.is_smallest for one in made_plans)


def test_where_much_lives_together_only_best_fit_plans(monkeypatch):
    net = Net(10)
    outputs = [net.run(net.graph.inputs, 10) for _ in range(20)]
    plan = net.storages(*outputs)
    assert plan_arena(plan).strategy == "by-size"
    monkeypatch.setattr(arena, "_EFFORT", 100)
    assert plan_arena(plan).strategy == "best-fit"
    assert_sound(plan, plan_arena(plan), arena.CUDA_ALIGNMENT_BYTES)


def test_what_came_too_late_comes_first_the_next_time():
    net = Net(1)
    values = list(net.graph.inputs)
    reads = [([0], 6), ([1, 0], 2), ([2, 0], 2), ([3], 6), ([2], 2), ([5, 2], 1), ([5, 3], 6)]
    for operands, size in reads:
        values.append(net.run([values[i] for i in operands], size))
    made = list(plans(net.storages(values[-1]), 1))
    assert min(one.size_bytes for one in made if "repair" not in one.strategy) == 12
    chosen = plan_arena(net.storages(values[-1]), 1)
    assert (chosen.size_bytes, chosen.is_smallest, chosen.strategy) == (10, True, "by-breadth+repair")


def test_tensors_that_never_meet_take_turns_in_a_shared_block():
    net = Net(100)
    value = net.graph.inputs[0]
    for size in (80, 60, 90, 20):
        value = net.run([value], size)
    by_strategy = {made.strategy: made.size_bytes for made in plans(net.storages(value), 1)}
    assert by_strategy["shared-blocks"] == 100 + 80 + 60  # 90 comes after 100, and 20 after 80


@pytest.mark.parametrize(
    "name", ["swin_tiny_patch4_window7_224.ts17", "bert_mini4.ts17", "torchvision/shufflenet_v2_x1_5_224"]
)
def test_the_arena_of_a_real_network_is_as_small_as_its_peak(name, shared, registry):
    from graphcost.importer import load

    operators = registry.operators
    found = liveness(load(shared / "models" / f"{name}.onnx", operators).graph, operators)
    made = plan_arena(found.storages)
    assert not found.is_lower_bound
    assert made.is_smallest
    assert found.peak_activation_bytes == made.lower_bound_bytes <= made.size_bytes <= made.lower_bound_bytes * 1.001


# In place


def test_a_write_over_a_value_that_nobody_needs_is_allowed_and_saves_memory():
    net = Net(1)
    a = net.run(net.graph.inputs, 100)
    b = net.run([a], 100, "my.InPlace")
    found = net.profile(net.run([b], 2))
    verify_in_place(net.graph, IN_PLACE)
    assert found.timeline == (101, 100, 102)


@pytest.mark.parametrize("through_a_view", [False, True])
def test_a_write_over_a_value_that_is_read_later_is_refused(through_a_view):
    net = Net(1)
    a = net.run(net.graph.inputs, 100)
    old = net.run([a], TensorType("u8", (10, 10)), "onnx.Reshape") if through_a_view else a
    b = net.run([a], 100, "my.InPlace")
    net.graph.outputs = [net.run([b, old], 2)]
    with pytest.raises(InvalidIR, match=f"{b.name} overwrites %{old.name}, which is read later"):
        verify_in_place(net.graph, IN_PLACE)


def test_a_write_over_an_output_is_refused():
    net = Net(1)
    a = net.run(net.graph.inputs, 100)
    net.graph.outputs = [a, net.run([a], 100, "my.InPlace")]
    with pytest.raises(InvalidIR, match="overwrites %v0"):
        verify_in_place(net.graph, IN_PLACE)


def test_parts_of_one_storage_may_be_overwritten_one_by_one():
    net = Net(1)
    whole = net.run(net.graph.inputs, 100)
    left = net.run([whole], 40, "trt.slice_view", axis=0)
    right = net.run([whole], 60, "trt.slice_view", axis=0, start=40)
    new = net.run([left], 40, "my.InPlace")
    net.graph.outputs = [net.run([new, right], 1)]
    verify_in_place(net.graph, IN_PLACE)
    net.run([whole], 1)
    with pytest.raises(InvalidIR, match="overwrites %v0"):
        verify_in_place(net.graph, IN_PLACE)


# Scale


def calls_per_node(count: int) -> float:
    """A residual network of so many nodes: sizes repeat, one value in four is read again a few nodes later."""
    net = Net(64)
    values = [net.graph.inputs[0]]
    for i in range(count):
        operands = [values[-1], values[max(len(values) - 5, 0)]] if i % 4 == 0 else values[-1:]
        values.append(net.run(operands, 64 + 32 * (i % 7)))
    net.graph.outputs = values[-1:]
    return calls(lambda: plan_arena(liveness(net.graph, IN_PLACE).storages)) / count


def test_effort_grows_with_the_number_of_nodes_and_not_faster():
    assert calls_per_node(20_000) <= 1.5 * calls_per_node(2_000)
