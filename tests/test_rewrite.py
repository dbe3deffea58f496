"""Rewriting: what patterns find, what they refuse and why, what a kernel looks like, and what the driver does."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from random import Random
from textwrap import dedent

import pytest

from graphcost.ir import Graph, InvalidIR, Node, Value
from graphcost.journal import Journal
from graphcost.operators import Operators as Tables
from graphcost.origin import Origin
from graphcost.rewrite import (
    Anchor,
    Applied,
    FusionRule,
    Match,
    Reject,
    Versions,
    anything,
    apply_rules,
    bypass,
    const,
    either,
    find,
    merge_horizontal,
    optional,
    outline,
    rules_for,
    trace,
)
from graphcost.target import make_target
from graphcost.text import parse_graph, print_graph
from graphcost.types import TensorType

F32 = TensorType("f32", (8,))


def rule(**fields) -> FusionRule:
    return FusionRule(**{"name": "r", "kernel": "trt.k", "priority": 0, "evidence": "a test", **fields})


CONV_RELU = rule(
    name="conv-relu",
    kernel="trt.conv_act",
    pattern=lambda op, x, w, b: op.Relu(op.Conv(x, w, optional(b))),
)
TAIL = rule(
    name="tail",
    kernel="trt.conv_pointwise",
    anchor=Anchor(frozenset({"onnx.Conv"}), frozenset({"onnx.Relu", "onnx.Add", "onnx.Sigmoid", "onnx.Mul"}), limit=3),
)


def graph_of(body: str, inputs: str = "%x: f32[8]") -> Graph:
    graph = parse_graph(f"graph g({inputs}) {{\n{body}\n}}")
    graph.verify()
    return graph


def text_of(graph: Graph) -> str:
    graph.verify()
    return print_graph(graph)


def node_of(graph: Graph, name: str) -> Node:
    return next(node for node in graph if node.name == name)


def nodes_of(graph: Graph, *names: str) -> list[Node]:
    return [node_of(graph, name) for name in names]


def rewritten(before: str, after: str, *rules: FusionRule) -> tuple[Journal, Applied]:
    """Apply the rules to one text and compare with the other."""
    graph, journal = parse_graph(dedent(before)), Journal()
    applied = apply_rules(graph, rules, journal)
    assert text_of(graph) == dedent(after).lstrip()
    assert applied.count == len(journal.did_)
    return journal, applied


def reasons(journal: Journal, name: str) -> list[str]:
    return [entry.reason for entry in journal.refused_ if name in entry.origins]


def refusal(pattern, graph: Graph, root: str, **options) -> Reject:
    with pytest.raises(Reject) as caught:
        find(trace(pattern), node_of(graph, root), **options)
    return caught.value


def match(pattern, graph: Graph, root: str, **options) -> Match:
    return find(trace(pattern), node_of(graph, root), **options)


# Patterns


def test_a_pattern_binds_its_parameters_by_name_and_lists_its_nodes_in_order():
    graph = graph_of("%a: f32[8] = onnx.Neg(%x)\n%b: f32[8] = onnx.Relu(%a)\nreturn %b")
    found = match(lambda op, x: op.Relu(op.Neg(x)), graph, "b")
    assert found["x"].name == "x"
    assert [node.name for node in found.nodes] == ["a", "b"]
    assert found.last is node_of(graph, "b")


def test_one_name_twice_is_one_value():
    graph = graph_of(
        "%s: f32[8] = onnx.Sigmoid(%x)\n%y: f32[8] = onnx.Mul(%x, %s)\n%t: f32[8] = onnx.Sigmoid(%y)\n"
        "%z: f32[8] = onnx.Mul(%x, %t)\nreturn %y, %z"
    )
    silu = lambda op, x: op.Mul(x, op.Sigmoid(x))  # noqa: E731
    assert match(silu, graph, "y")["x"].name == "x"
    assert "one name stands for both %x and %y" in refusal(silu, graph, "z").reason


@pytest.mark.parametrize("operands", ["%x, %s", "%s, %x"])
def test_a_commutative_operator_matches_in_both_orders(operands: str):
    graph = graph_of(f"%s: f32[8] = onnx.Sigmoid(%x)\n%y: f32[8] = onnx.Mul({operands})\nreturn %y")
    assert match(lambda op, x: op.Mul(x, op.Sigmoid(x)), graph, "y")["x"].name == "x"


def test_an_operator_that_does_not_commute_matches_in_its_own_order_only():
    graph = graph_of("%s: f32[8] = onnx.Neg(%x)\n%y: f32[8] = onnx.Sub(%s, %x)\nreturn %y")
    assert match(lambda op, x: op.Sub(op.Neg(x), x), graph, "y")
    assert refusal(lambda op, x: op.Sub(x, op.Neg(x)), graph, "y").reason == "%x is made by nobody, not by onnx.Neg"


def test_an_optional_operand_may_be_absent_and_any_other_may_not():
    graph = graph_of(
        "weight %w: f32[8]\n%y: f32[8] = onnx.Conv(%x, %w)\n%z: f32[8] = onnx.Conv(%y, %w, %w)\n"
        "%v: f32[8] = onnx.Clip(%z, _, %w)\nreturn %v"
    )
    conv = lambda op, x, w, b: op.Conv(x, w, optional(b))  # noqa: E731
    assert match(conv, graph, "y").get("b") is None
    assert match(conv, graph, "z")["b"].name == "w"
    assert match(lambda op, x, high: op.Clip(x, None, high), graph, "v")["high"].name == "w"
    assert "absent" in refusal(lambda op, x, low, high: op.Clip(x, low, high), graph, "v").reason


def test_operands_beyond_those_of_the_pattern_are_refused_unless_it_ends_with_an_ellipsis():
    graph = graph_of("weight %w: f32[8]\n%y: f32[8] = onnx.Conv(%x, %w, %w)\nreturn %y")
    assert refusal(lambda op, x, w: op.Conv(x, w), graph, "y").reason == "y has 3 operands, the pattern 2"
    assert match(lambda op, x, w: op.Conv(x, w, ...), graph, "y")


def test_a_constant_is_compared_with_tolerance():
    graph = graph_of("weight %h: f16[] = [0.4998]\n%y: f32[8] = onnx.Mul(%h, %x)\nreturn %y")
    assert match(lambda op, x: op.Mul(x, const(0.5)), graph, "y")["x"].name == "x"
    assert refusal(lambda op, x: op.Mul(x, const(0.5, tolerance=1e-6)), graph, "y").reason.endswith(
        "is not the constant 0.5"
    )


def test_attributes_are_compared_or_tested():
    graph = graph_of("%y: f32[8] = onnx.Softmax(%x) axis=-1\nreturn %y")
    assert match(lambda op, x: op.Softmax(x, axis=-1), graph, "y")
    assert match(lambda op, x: op.Softmax(x, axis=lambda axis: axis in (-1, 3)), graph, "y")
    assert refusal(lambda op, x: op.Softmax(x, axis=1), graph, "y").reason == (
        "y has axis=-1, which the pattern excludes"
    )


def test_alternatives_are_tried_in_order_and_taken_back_when_the_rest_does_not_fit():
    graph = graph_of("%a: f32[8] = onnx.Neg(%x)\n%b: f32[8] = onnx.Relu(%a)\n%y: f32[8] = onnx.Sub(%b, %a)\nreturn %y")
    pattern = lambda op, x: op.Sub(either(op.Relu(op.Neg(x)), op.Relu(x)), x)  # noqa: E731
    found = match(pattern, graph, "y")
    assert found["x"].name == "a"
    assert [node.name for node in found.nodes] == ["b", "y"]


def test_a_leaf_may_ask_something_of_its_value():
    graph = graph_of("weight %w: f32[8]\n%y: f32[8] = onnx.Add(%w, %x)\nreturn %y")
    pattern = lambda op, x: op.Add(x, anything("w", lambda value: value.is_weight, "a weight"))  # noqa: E731
    assert match(pattern, graph, "y")["x"].name == "x"


def test_a_pattern_can_name_nodes_and_speak_of_several_results_of_one():
    graph = graph_of(
        "%a: f32[4], %b: f32[4] = onnx.Split(%x) axis=0\n%n: f32[4] = onnx.Neg(%b)\n"
        "%y: f32[8] = onnx.Concat(%n, %a) axis=0\nreturn %y"
    )

    def rotate(op, x):
        parts = op.Split(x, ...).named("split")
        return op.Concat(op.Neg(parts.result(1)), parts.result(0))

    assert match(rotate, graph, "y").named["split"].op == "onnx.Split"


def test_an_operator_of_another_domain_goes_by_its_full_name():
    graph = graph_of("%y: f32[8] = com.microsoft.Gelu(%x)\nreturn %y")
    assert match(lambda op, x: op["onnx.Gelu", "com.microsoft.Gelu"](x), graph, "y")


def test_an_inner_value_that_others_read_refuses_the_match_unless_the_rule_shares():
    graph = graph_of("%a: f32[8] = onnx.Neg(%x)\n%b: f32[8] = onnx.Relu(%a)\nreturn %a, %b")
    pattern = lambda op, x: op.Relu(op.Neg(x))  # noqa: E731
    found = refusal(pattern, graph, "b")
    assert found.reason == "%a is read elsewhere, so it must be written to memory"
    assert found.node is node_of(graph, "a")
    assert match(pattern, graph, "b", shares=True)


def test_the_refusal_tells_of_the_attempt_that_got_furthest():
    graph = graph_of("%a: f32[8] = onnx.Exp(%x)\n%b: f32[8] = onnx.Neg(%a)\n%c: f32[8] = onnx.Relu(%b)\nreturn %c")
    found = refusal(lambda op, x: op.Relu(either(op.Abs(x), op.Neg(op.Log(x)))), graph, "c")
    assert found.reason == "%a is made by onnx.Exp, not by onnx.Log"
    assert [node.name for node in found.matched] == ["b", "c"]
    assert found.node is node_of(graph, "a")


def test_a_pattern_must_begin_with_an_operator():
    with pytest.raises(ValueError, match="must begin with an operator"):
        trace(lambda op, x: either(op.Relu(x), x))


# Anchors


def anchored(body: str, name: str = "c") -> Match:
    graph = graph_of("weight %w: f32[8]\n" + body)
    assert TAIL.anchor is not None
    return TAIL.anchor.find(node_of(graph, name))


def test_an_anchor_takes_in_what_follows_it_up_to_its_limit():
    found = anchored(
        "%c: f32[8] = onnx.Conv(%x, %w)\n%a: f32[8] = onnx.Add(%c, %x)\n%r: f32[8] = onnx.Relu(%a)\n"
        "%s: f32[8] = onnx.Sigmoid(%r)\n%t: f32[8] = onnx.Relu(%s)\nreturn %t"
    )
    assert [node.name for node in found.nodes] == ["c", "a", "r", "s"]
    assert found.stopped is not None
    assert found.stopped.reason == "t would be one more than the 3 nodes that this kernel takes in"


@pytest.mark.parametrize("operands", ["%c, %s", "%s, %c"])
def test_branches_that_meet_again_are_taken_together(operands: str):
    found = anchored(
        f"%c: f32[8] = onnx.Conv(%x, %w)\n%s: f32[8] = onnx.Sigmoid(%c)\n%y: f32[8] = onnx.Mul({operands})\nreturn %y"
    )
    assert [node.name for node in found.nodes] == ["c", "s", "y"]


def test_a_branch_that_does_not_come_back_is_left_alone():
    found = anchored(
        "%c: f32[8] = onnx.Conv(%x, %w)\n%r: f32[8] = onnx.Relu(%c)\n%s: f32[8] = onnx.Sigmoid(%r)\n"
        "%p: f32[8] = onnx.MaxPool(%r)\nreturn %s, %p"
    )
    assert [node.name for node in found.nodes] == ["c", "r"]
    assert found.stopped is not None
    assert found.stopped.reason == "p is onnx.MaxPool, which this kernel cannot take in"


def test_an_anchor_with_nothing_to_take_in_says_what_stands_in_its_way():
    with pytest.raises(Reject) as caught:
        anchored("%c: f32[8] = onnx.Conv(%x, %w)\n%p: f32[8] = onnx.MaxPool(%c)\nreturn %p")
    assert caught.value.reason == "p is onnx.MaxPool, which this kernel cannot take in"


def test_a_condition_can_end_what_an_anchor_takes_in():
    def no_add(node: Node, taken: tuple[Node, ...]) -> None:
        if node.op == "onnx.Add":
            raise Reject(f"{node.name} adds behind {taken[-1].name}", node)

    graph = graph_of(
        "weight %w: f32[8]\n%c: f32[8] = onnx.Conv(%x, %w)\n%r: f32[8] = onnx.Relu(%c)\n"
        "%a: f32[8] = onnx.Add(%r, %x)\nreturn %a"
    )
    anchor = Anchor(frozenset({"onnx.Conv"}), frozenset({"onnx.Relu", "onnx.Add"}), fits=no_add)
    found = anchor.find(node_of(graph, "c"))
    assert [node.name for node in found.nodes] == ["c", "r"]
    assert found.stopped is not None
    assert found.stopped.reason == "a adds behind r"


# Outlining


def test_outlining_makes_a_kernel_that_keeps_names_readers_and_origins():
    graph = graph_of(
        "weight %w: f32[8]\n%c: f32[8]:chw2 = onnx.Conv(%x, %w) @conv1\n%r: f32[8]:chw2 = onnx.Relu(%c) @relu1\n"
        "%p: f32[8] = onnx.MaxPool(%r)\nreturn %p"
    )
    kernel = outline(graph, nodes_of(graph, "conv1", "relu1"), "trt.conv_act", {"tactic": "t"}, "conv1 + relu1")
    assert [origin.name for origin in kernel.origin] == ["conv1", "relu1"]
    assert text_of(graph) == dedent("""\
        graph g(%x: f32[8]) {
          weight %w: f32[8]
          %r: f32[8]:chw2 = trt.conv_act(%x, %w) tactic="t" @"conv1 + relu1" {
            ^(%x: f32[8], %w: f32[8])
            %c: f32[8] = onnx.Conv(%x, %w) @conv1
            %r: f32[8] = onnx.Relu(%c) @relu1
            return %r
          }
          %p: f32[8] = onnx.MaxPool(%r)
          return %p
        }
        """)


def test_a_kernel_has_a_result_for_each_value_that_others_read():
    graph = graph_of("%a: f32[8] = onnx.Neg(%x)\n%b: f32[8] = onnx.Relu(%a)\nreturn %b, %a")
    outline(graph, nodes_of(graph, "a", "b"), "k", name="k")
    assert text_of(graph) == dedent("""\
        graph g(%x: f32[8]) {
          %a: f32[8], %b: f32[8] = k(%x) @k {
            ^(%x: f32[8])
            %a: f32[8] = onnx.Neg(%x)
            %b: f32[8] = onnx.Relu(%a)
            return %a, %b
          }
          return %b, %a
        }
        """)


def test_a_constant_is_still_known_inside_the_kernel():
    graph = graph_of("weight %n: i64[1] = [-1]\n%a: f32[8] = onnx.Reshape(%x, %n)\nreturn %a")
    kernel = outline(graph, nodes_of(graph, "a"), "k")
    assert [value.constant is not None for value in kernel.bodies[0].inputs] == [False, True]


def test_absent_operands_stay_absent_inside():
    graph = graph_of("%a: f32[8] = onnx.Clip(%x, _, %x)\nreturn %a")
    kernel = outline(graph, nodes_of(graph, "a"), "k")
    inner = next(iter(kernel.bodies[0]))
    assert inner.operands == (kernel.bodies[0].inputs[0], None, kernel.bodies[0].inputs[0])


def test_a_kernel_that_is_fused_again_gives_its_nodes_so_bodies_do_not_nest():
    graph = graph_of(
        "weight %w: f32[8]\n%c: f32[8] = onnx.Conv(%x, %w)\n%r: f32[8] = onnx.Relu(%c)\n"
        "%a: f32[8] = onnx.Add(%r, %x)\nreturn %a"
    )
    first = outline(graph, nodes_of(graph, "c", "r"), "trt.conv_act")
    first.results[0].type = TensorType("f16", (8,))
    second = outline(graph, [first, node_of(graph, "a")], "trt.conv_add", name="both")
    assert [origin.name for origin in second.origin] == ["c", "r", "a"]
    assert text_of(graph) == dedent("""\
        graph g(%x: f32[8]) {
          weight %w: f32[8]
          %a: f32[8] = trt.conv_add(%x, %w) @both {
            ^(%x: f32[8], %w: f32[8])
            %c: f32[8] = onnx.Conv(%x, %w)
            %r: f32[8] = onnx.Relu(%c)
            %a: f32[8] = onnx.Add(%r, %x)
            return %a
          }
          return %a
        }
        """)


def test_what_a_kernel_stands_for_beside_its_body_is_kept():
    graph = graph_of("%a: f32[8] = onnx.Neg(%x)\n%b: f32[8] = onnx.Neg(%a)\nreturn %b")
    first = outline(graph, nodes_of(graph, "a"), "k")
    first.origin = [Origin("bn")]
    second = outline(graph, [first, node_of(graph, "b")], "k2")
    assert sorted(origin.name for origin in second.origin) == ["a", "b", "bn"]


def test_control_flow_keeps_its_body_inside_a_kernel():
    graph = graph_of(
        "%y: f32[8] = onnx.If(%c, %x) {\n^then_branch(%a = %x: f32[8])\nreturn %a\n^else_branch(%b = %x: f32[8])\n"
        "return %b\n}\n%z: f32[8] = onnx.Relu(%y)\nreturn %z",
        "%x: f32[8], %c: bool[]",
    )
    kernel = outline(graph, nodes_of(graph, "y", "z"), "k")
    assert [len(node.bodies) for node in kernel.bodies[0]] == [2, 0]
    graph.verify()


def test_a_set_with_a_path_that_leaves_and_comes_back_is_refused_and_nothing_changes():
    graph = graph_of("%a: f32[8] = onnx.Neg(%x)\n%b: f32[8] = onnx.Exp(%a)\n%c: f32[8] = onnx.Add(%a, %b)\nreturn %c")
    before = text_of(graph)
    with pytest.raises(Reject, match="c needs a node outside that needs the kernel"):
        outline(graph, nodes_of(graph, "a", "c"), "k")
    assert text_of(graph) == before


def test_a_reader_that_would_run_before_the_kernel_is_moved_behind_it():
    graph = graph_of(
        "%a: f32[8] = onnx.Neg(%x)\n%r: f32[8] = onnx.Exp(%a)\n%s: f32[8] = onnx.Abs(%x)\n%t: f32[8] = onnx.Log(%r)\n"
        "%b: f32[8] = onnx.Add(%a, %s)\nreturn %b, %t"
    )
    outline(graph, nodes_of(graph, "a", "b"), "k", name="k")
    graph.verify()
    assert [node.name for node in graph] == ["s", "k", "r", "t"]


def test_outlining_refuses_nodes_that_stand_elsewhere_or_twice_or_in_the_wrong_order():
    graph = graph_of("%a: f32[8] = onnx.Neg(%x)\n%b: f32[8] = onnx.Exp(%x)\nreturn %a, %b")
    a, b = nodes_of(graph, "a", "b")
    with pytest.raises(InvalidIR, match="given once"):
        outline(graph, [], "k")
    with pytest.raises(InvalidIR, match="given once"):
        outline(graph, [a, a], "k")
    with pytest.raises(InvalidIR, match="does not stand in graph"):
        outline(graph, [node_of(graph.clone(), "a")], "k")
    with pytest.raises(InvalidIR, match="order of execution"):
        outline(graph, [b, a], "k")


@pytest.mark.parametrize("seed", range(200))
def test_any_set_of_nodes_is_outlined_into_a_valid_graph_or_refused_without_a_trace(seed: int):
    random = Random(seed)
    graph = scattered(random, 12)
    names = sorted(node.name for node in graph)
    for mutate in (outline, merge_horizontal, outline):
        before = print_graph(graph)
        chosen = set(random.sample(list(graph), min(len(graph), random.randint(1, 5))))
        try:
            mutate(graph, [node for node in graph if node in chosen], "k", name=f"k{len(before)}")
        except Reject:
            assert print_graph(graph) == before
        graph.verify()
        assert parse_graph(print_graph(graph)).verify() is None
        assert sorted(origin.name for node in graph for origin in node.origin) == names


def scattered(random: Random, count: int) -> Graph:
    """Nodes with one or two results that read whatever stands before them."""
    graph = Graph("scattered", [Value("x", F32)])
    values = list(graph.inputs)
    for number in range(count):
        results = [Value(f"v{number}_{index}", F32) for index in range(random.randint(1, 2))]
        operands = [random.choice([*values[-5:], None]) for _ in range(random.randint(1, 3))]
        graph.append(Node("onnx.Op", operands, results, name=f"n{number}"))
        values += results
    graph.outputs = random.sample(values, 3)
    return graph


def test_outlining_a_few_nodes_does_not_walk_a_large_graph(monkeypatch):
    graph = chain(1000)
    nodes = list(graph)[500:503]
    monkeypatch.setattr(Graph, "__iter__", lambda self: pytest.fail("walked") if self is graph else iter(()))
    monkeypatch.setattr(Graph, "before", lambda self, node: pytest.fail("walked"))
    outline(graph, nodes, "k")
    assert len(graph) == 998


# Kernels side by side


def test_horizontal_merging_reads_a_shared_input_once_and_gives_all_results():
    graph = graph_of(
        "weight %w: f32[8]\nweight %v: f32[8]\n%a: f32[8] = onnx.Conv(%x, %w)\n%r: f32[8] = onnx.Relu(%a)\n"
        "%b: f32[8] = onnx.Conv(%x, %v)\nreturn %r, %b"
    )
    merge_horizontal(graph, nodes_of(graph, "a", "b"), "trt.conv_merged", name="a || b")
    assert text_of(graph) == dedent("""\
        graph g(%x: f32[8]) {
          weight %w: f32[8]
          weight %v: f32[8]
          %a: f32[8], %b: f32[8] = trt.conv_merged(%x, %w, %v) @"a || b" {
            ^(%x = %x: f32[8], %w = %w: f32[8])
            %a: f32[8] = onnx.Conv(%x, %w)
            return %a
            ^(%x = %x: f32[8], %v = %v: f32[8])
            %b: f32[8] = onnx.Conv(%x, %v)
            return %b
          }
          %r: f32[8] = onnx.Relu(%a)
          return %r, %b
        }
        """)


def test_nodes_of_which_one_needs_another_are_not_merged():
    graph = graph_of("%a: f32[8] = onnx.Neg(%x)\n%b: f32[8] = onnx.Exp(%a)\n%c: f32[8] = onnx.Log(%b)\nreturn %b, %c")
    with pytest.raises(Reject, match="b reads %a of another, so they cannot run side by side"):
        merge_horizontal(graph, nodes_of(graph, "a", "b"), "k")
    with pytest.raises(Reject, match="c needs a node outside"):
        merge_horizontal(graph, nodes_of(graph, "a", "c"), "k")


def test_merged_kernels_can_be_merged_and_fused_further():
    graph = graph_of(
        "%a: f32[8] = onnx.Neg(%x)\n%b: f32[8] = onnx.Exp(%x)\n%c: f32[8] = onnx.Log(%x)\nreturn %a, %b, %c"
    )
    first = merge_horizontal(graph, nodes_of(graph, "a", "b"), "k", name="ab")
    second = merge_horizontal(graph, [first, node_of(graph, "c")], "k", name="abc")
    graph.verify()
    assert [value.name for value in second.results] == ["a", "b", "c"]
    assert [origin.name for origin in second.origin] == ["a", "b", "c"]
    assert second.inputs == graph.inputs


# Leaving a node out


def test_bypassing_gives_the_readers_another_value():
    graph = graph_of("%a: f32[8] = onnx.Identity(%x)\n%b: f32[8] = onnx.Neg(%a)\nreturn %b")
    bypass(graph, node_of(graph, "a"), graph.inputs[0])
    assert text_of(graph) == "graph g(%x: f32[8]) {\n  %b: f32[8] = onnx.Neg(%x)\n  return %b\n}\n"


def test_bypassing_keeps_the_name_of_an_output():
    graph = graph_of("%b: f32[8] = onnx.Neg(%x)\n%out: f32[8] = onnx.Identity(%b)\nreturn %out")
    bypass(graph, node_of(graph, "out"), node_of(graph, "b").results[0])
    assert [value.name for value in graph.outputs] == ["out"]
    graph.verify()


def test_bypassing_does_not_rename_an_input_or_another_output():
    graph = graph_of("%a: f32[8] = onnx.Neg(%x)\n%b: f32[8] = onnx.Identity(%a)\n%c: f32[8] = onnx.Identity(%x)\n"
                     "return %a, %b, %c")  # fmt: skip
    bypass(graph, node_of(graph, "b"), node_of(graph, "a").results[0])
    bypass(graph, node_of(graph, "c"), graph.inputs[0])
    assert [value.name for value in graph.outputs] == ["a", "a", "x"]
    graph.verify()


# Rules


def test_a_rule_without_evidence_is_an_error():
    with pytest.raises(ValueError, match="rule r has no evidence"):
        rule(evidence=" ", pattern=lambda op, x: op.Relu(x))


def test_a_rule_has_a_pattern_or_an_anchor_and_not_both():
    with pytest.raises(ValueError, match="either a pattern or an anchor"):
        rule()
    with pytest.raises(ValueError, match="either a pattern or an anchor"):
        rule(pattern=lambda op, x: op.Relu(x), anchor=TAIL.anchor)


def test_a_rule_is_frozen():
    with pytest.raises(FrozenInstanceError):
        CONV_RELU.name = "other"


@pytest.mark.parametrize(
    ("fields", "target", "reason"),
    [
        ({"runtimes": (Versions("tensorrt", (8, 5)),)}, ("orin-nano", None, None), None),
        (
            {"runtimes": (Versions("tensorrt", (8, 5)),)},
            ("nano", None, None),
            "r holds for tensorrt from 8.5, not for tensorrt-8.2",
        ),
        (
            {"runtimes": (Versions("tensorrt", before=(10,)),)},
            ("orin-nano", None, None),
            "r holds for tensorrt before 10, not for tensorrt-10.3",
        ),
        ({"precisions": frozenset({"fp16", "int8"})}, ("nano", None, "fp16"), None),
        (
            {"precisions": frozenset({"fp16", "int8"})},
            ("nano", None, "fp32"),
            "r holds for precision fp16 or int8, not for fp32",
        ),
        ({"architectures": frozenset({"sm_53"})}, ("nano", None, None), None),
        ({"architectures": frozenset({"sm_53"})}, ("orin-nano", None, None), "r holds for sm_53, not for sm_87"),
        ({"architectures": frozenset({"sm_53"})}, (None, None, None), "r holds for sm_53, not for an unknown device"),
    ],
)
def test_a_rule_says_for_which_targets_it_holds(fields, target, reason):
    made, goal = rule(pattern=lambda op, x: op.Relu(x), **fields), make_target(*target)
    assert rules_for((made,), goal) == (() if reason else (made,))
    if reason:
        with pytest.raises(Reject, match=reason):
            made.refuse_target(goal)


# The driver

BEFORE = """
    graph g(%x: f32[8]) {
      weight %w: f32[8]
      %c: f32[8] = onnx.Conv(%x, %w)
      %r: f32[8] = onnx.Relu(%c)
      %d: f32[8] = onnx.Conv(%r, %w)
      %s: f32[8] = onnx.Relu(%d)
      return %s, %d
    }
    """


def test_a_rule_is_applied_where_it_matches_and_refused_with_a_reason_where_it_does_not():
    after = """
    graph g(%x: f32[8]) {
      weight %w: f32[8]
      %r: f32[8] = trt.conv_act(%x, %w) @"c + r" {
        ^(%x: f32[8], %w: f32[8])
        %c: f32[8] = onnx.Conv(%x, %w)
        %r: f32[8] = onnx.Relu(%c)
        return %r
      }
      %d: f32[8] = onnx.Conv(%r, %w)
      %s: f32[8] = onnx.Relu(%d)
      return %s, %d
    }
    """
    journal, applied = rewritten(BEFORE, after, CONV_RELU)
    assert applied.count == 1
    assert [(entry.rule, entry.origins, entry.text) for entry in journal.did_] == [
        ("conv-relu", ("c", "r"), "c + r fused into trt.conv_act")
    ]
    assert reasons(journal, "d") == reasons(journal, "s") == ["%d is read elsewhere, so it must be written to memory"]
    assert reasons(journal, "c") == []


def test_the_condition_of_a_rule_refuses_with_its_own_reason():
    def only_small(match: Match) -> None:
        raise Reject(f"{match.last.name} is too large", match.last)

    graph, journal = parse_graph(dedent(BEFORE)), Journal()
    picky = rule(name="picky", pattern=lambda op, x, w: op.Relu(op.Conv(x, w)), when=only_small)
    assert apply_rules(graph, [picky], journal).count == 0
    assert graph.epoch == parse_graph(dedent(BEFORE)).epoch
    assert reasons(journal, "c") == ["r is too large"]


def test_what_ended_an_anchored_match_is_told_beside_what_was_done():
    graph, journal = parse_graph(dedent(BEFORE)), Journal()
    apply_rules(graph, [TAIL], journal)
    assert [entry.text for entry in journal.did_] == ["c + r fused into trt.conv_pointwise"]
    assert reasons(journal, "d") == [
        "d is onnx.Conv, which this kernel cannot take in",
        "its result is an output of the graph",
    ]


def test_the_rule_of_the_higher_priority_wins_wherever_it_stands_in_the_list():
    small = rule(name="small", kernel="small", priority=1, pattern=lambda op, x: op.Neg(x))
    large = rule(name="large", kernel="large", priority=2, pattern=lambda op, x: op.Abs(op.Neg(x)))
    for rules in ([small, large], [large, small]):
        graph = graph_of("%a: f32[8] = onnx.Neg(%x)\n%b: f32[8] = onnx.Abs(%a)\nreturn %b")
        apply_rules(graph, rules, Journal())
        assert [node.op for node in graph] == ["large"]


def test_of_rules_with_one_priority_the_first_of_the_list_wins():
    first = rule(name="first", kernel="first", pattern=lambda op, x: op.Neg(x))
    second = rule(name="second", kernel="second", pattern=lambda op, x: op.Neg(x))
    graph = graph_of("%a: f32[8] = onnx.Neg(%x)\nreturn %a")
    apply_rules(graph, [first, second], Journal())
    assert [node.op for node in graph] == ["first"]


def test_a_kernel_that_a_rule_makes_is_looked_at_again():
    pair = rule(name="pair", kernel="neg", pattern=lambda op, x: op["onnx.Neg", "neg"](op["onnx.Neg", "neg"](x)))
    graph = chain(17)
    assert apply_rules(graph, [pair], Journal()).count == 16
    assert [node.op for node in graph] == ["neg"]
    assert len(next(iter(graph)).bodies[0]) == 17


def test_a_rule_that_would_make_what_is_there_already_ends():
    same = rule(name="same", kernel="onnx.Neg", pattern=lambda op, x: op.Neg(x))
    graph, journal = chain(1), Journal()
    assert apply_rules(graph, [same], journal).count == 0
    assert [entry.reason for entry in journal.refused_] == ["v0 is onnx.Neg already"]


def test_a_rule_that_shares_makes_a_kernel_with_several_results():
    sharing = rule(name="sharing", pattern=lambda op, x, w: op.Relu(op.Conv(x, w)), shares=True)
    graph = parse_graph(dedent(BEFORE))
    apply_rules(graph, [sharing], Journal())
    graph.verify()
    assert [[value.name for value in node.results] for node in graph] == [["r"], ["d", "s"]]


def test_the_same_graph_gives_the_same_text_each_time():
    def run() -> str:
        graph = parse_graph(dedent(BEFORE))
        apply_rules(graph, [TAIL, CONV_RELU], Journal())
        return text_of(graph)

    assert len({run() for _ in range(5)}) == 1


def test_fusion_conserves_flops_and_never_moves_more_bytes():
    work = pytest.importorskip("graphcost.work")
    tables = Tables(work=work.WORK)
    graph = graph_of(
        "weight %w: f32[4,3,3,3]\nweight %h: f32[] = [0.5]\n"
        "%c: f32[1,4,8,8] = onnx.Conv(%x, %w) pads=[1,1,1,1]\n%r: f32[1,4,8,8] = onnx.Relu(%c)\n"
        "%m: f32[1,4,8,8] = onnx.Mul(%r, %h)\nreturn %m",
        "%x: f32[1,3,8,8]",
    )
    before = work.graph_work(graph, tables)
    apply_rules(graph, [TAIL], Journal())
    after = work.graph_work(graph, tables)
    assert len(graph) == 1
    assert after.unknown is None
    assert after.work.flops == before.work.flops > 0
    assert after.work.bytes == before.work.bytes - 4 * 1 * 4 * 8 * 8 * 4


POINTWISE = frozenset(f"onnx.{name}" for name in ("Add", "Mul", "Relu", "Sigmoid", "Clip", "HardSwish", "Div", "Erf"))
CONTRACTIONS = frozenset({"onnx.Conv", "onnx.Gemm", "onnx.MatMul"})


@pytest.mark.parametrize("name", ["resnet50.ts17", "efficientnet_b0.ts17", "swin_tiny_patch4_window7_224.ts17"])
def test_fusion_conserves_the_flops_of_real_networks(name: str, shared, registry):
    from graphcost.importer import load
    from graphcost.work import graph_work

    graph = load(shared / "models" / f"{name}.onnx", registry.operators).graph
    before, nodes = graph_work(graph, registry.operators).work, len(graph)
    fused = apply_rules(graph, [rule(anchor=Anchor(CONTRACTIONS, POINTWISE))], Journal())
    after = graph_work(graph, registry.operators).work
    graph.verify()
    assert fused.count > 10
    assert len(graph) < nodes
    assert (after.macs, after.elementwise_ops) == (before.macs, before.elementwise_ops)
    assert after.bytes < before.bytes
    assert sum(origin.share for node in graph for origin in node.origin) == nodes


def chain(count: int) -> Graph:
    """x → Neg → Neg → … → return."""
    graph = Graph("chain", [Value("x", F32)])
    value = graph.inputs[0]
    for number in range(count):
        value = graph.append(Node("onnx.Neg", [value], [Value(f"v{number}", F32)])).results[0]
    graph.outputs = [value]
    return graph


def blocks(count: int) -> Graph:
    """`count` blocks of convolution, x * sigmoid(x), and an Add of what came before; one weight for all."""
    graph = Graph("blocks", [Value("x", F32)])
    weight, value = graph.add_weight(Value("w", F32)), graph.inputs[0]

    def append(op: str, *operands: Value) -> Value:
        return graph.append(Node(op, operands, [Value(f"v{len(graph)}", F32)])).results[0]

    for _ in range(count):
        conv = append("onnx.Conv", value, weight)
        value = append("onnx.Add", append("onnx.Mul", conv, append("onnx.Sigmoid", conv)), value)
    graph.outputs = [value]
    return graph


def test_the_number_of_attempts_grows_with_the_graph_and_not_faster():
    swish = rule(name="swish", kernel="pwn", priority=2, pattern=lambda op, x: op.Mul(x, op.Sigmoid(x)))
    conv = rule(
        name="conv", kernel="conv", priority=1, anchor=Anchor(frozenset({"onnx.Conv"}), frozenset({"pwn", "onnx.Add"}))
    )
    small, large = (apply_rules(blocks(count), [swish, conv], Journal()) for count in (250, 2_500))
    assert (small.count, large.count) == (500, 5_000)
    assert large.attempts <= 10 * small.attempts
