"""Other sizes for graphs whose constants hold the old ones: what exporters write, and the law on models."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphcost.errors import ResizeError
from graphcost.ir import Graph
from graphcost.operators import Operators
from graphcost.shapes import EVALUATORS, SHAPES, infer, resize
from graphcost.shapes.factors import Factor, regroup
from graphcost.text import parse_graph, print_graph
from graphcost.types import TensorType

OPERATORS = Operators(SHAPES, EVALUATORS)
Perms = dict[int, list[int]]
NO_PERMS: Perms = {}


def graph_of(inputs: str, body: str) -> Graph:
    lines = [line.strip() for line in body.strip().splitlines()]
    last = "%y" if "%y:" in body else lines[-1].split(":")[0]
    graph = parse_graph(f"graph g({inputs}) {{\n" + "\n".join(lines) + f"\nreturn {last}\n}}")
    infer(graph, OPERATORS)
    return graph


def resized(inputs: str, body: str, **sizes: tuple[int, ...]) -> dict[str, str]:
    """The types of all values after a change of the named inputs; the graph must still be a sound one."""
    made, _ = resize(graph_of(inputs, body), sizes, OPERATORS)
    made.verify()
    return {value.name: str(value.type) for value in made.values()}


def reshaped(was: str, targets: list[list[int]], now: tuple[int, ...], perms: Perms = NO_PERMS) -> str:
    """The last type of a chain of Reshapes with stored targets, a Transpose before those that `perms` names."""
    lines, last = [], "x"
    for i, target in enumerate(targets):
        if i in perms:
            lines.append(f"%p{i}: ?[*] = onnx.Transpose(%{last}) perm={perms[i]}")
            last = f"p{i}"
        lines.insert(0, f"weight %t{i}: i64[{len(target)}] = {target}")
        lines.append(f"%r{i}: ?[*] = onnx.Reshape(%{last}, %t{i})")
        last = f"r{i}"
    return resized(f"%x: {was}", "\n".join(lines), x=now)[last]


# Reshape


@pytest.mark.parametrize(
    ("was", "target", "now", "expected"),
    [
        ("f32[1,512,1,1]", [1, -1], (8, 512, 1, 1), "f32[8,512]"),
        ("f32[1,512,1,1]", [1, 512], (8, 512, 1, 1), "f32[8,512]"),
        ("f32[1,512,1,1]", [-1, 512], (8, 512, 1, 1), "f32[8,512]"),
        ("f32[1,512,1,1]", [0, -1], (8, 512, 1, 1), "f32[8,512]"),
        ("f32[32,512,1,1]", [32, 512], (8, 512, 1, 1), "f32[8,512]"),
        ("f32[1,144,80,80]", [1, 144, -1], (8, 144, 80, 80), "f32[8,144,6400]"),
        ("f32[1,144,80,80]", [1, 144, 6400], (2, 144, 40, 40), "f32[2,144,1600]"),
        ("f32[1,116,28,28]", [1, 2, 58, 28, 28], (8, 116, 28, 28), "f32[8,2,58,28,28]"),
        ("f32[1,4,3,5,5]", [1, 2, 2, 3, 5, 5], (8, 4, 3, 5, 5), "f32[8,2,2,3,5,5]"),
        ("f32[1,56,56,96]", [1, 8, 7, 8, 7, 96], (8, 56, 56, 96), "f32[8,8,7,8,7,96]"),
        ("f32[1,56,56,96]", [1, 8, 7, 8, 7, 96], (1, 112, 112, 96), "f32[1,16,7,16,7,96]"),
        ("f32[1,8,8,7,7,96]", [64, 49, 96], (8, 8, 8, 7, 7, 96), "f32[512,49,96]"),
        ("f32[1,256]", [1, 1, 256], (8, 256), "f32[8,1,256]"),
        ("f32[1,96,1,1]", [1, 1, 96], (8, 96, 1, 1), "f32[8,1,96]"),
        ("f32[197,1,768]", [197, 12, 64], (197, 8, 768), "f32[197,96,64]"),
        ("f32[197,1,768]", [197, 768], (197, 8, 768), "f32[1576,768]"),
        ("f32[1,768]", [768], (8, 768), "f32[6144]"),
    ],
)
def test_a_stored_target_follows_its_operand(was: str, target: list[int], now: tuple[int, ...], expected: str):
    assert reshaped(was, [target], now) == expected


def test_windows_are_merged_into_the_batch_and_taken_apart_again():
    targets = [[1, 8, 7, 8, 7, 96], [64, 49, 96], [1, 8, 8, 7, 7, 96], [1, 3136, 96]]
    order = [0, 1, 3, 2, 4, 5]
    assert reshaped("f32[1,56,56,96]", targets, (8, 56, 56, 96), {1: order, 3: order}) == "f32[8,3136,96]"


def test_heads_are_merged_with_the_batch_as_multihead_attention_does():
    """(L, N, E) → (L, N·h, d) → (N·h, L, d) → (N, h, L, d); back from (L, N·h, d) to (L·N, E)."""
    taken_apart = reshaped("f32[197,1,768]", [[197, 12, 64], [1, 12, 197, 64]], (197, 8, 768), {1: [1, 0, 2]})
    joined = reshaped("f32[197,1,768]", [[197, 12, 64], [197, 768]], (197, 8, 768))
    assert (taken_apart, joined) == ("f32[8,12,197,64]", "f32[1576,768]")


def test_a_change_keeps_its_place_through_operators_between_two_reshapes():
    body = """weight %s: i64[3] = [64,49,96]
        weight %t: i64[6] = [1,8,8,7,7,32]
        weight %w: f32[96,32]
        %a: ?[*] = onnx.Reshape(%x, %s)
        %b: ?[*] = onnx.MatMul(%a, %w)
        %c: ?[*] = onnx.Softmax(%b)
        %y: ?[*] = onnx.Reshape(%c, %t)"""
    assert resized("%x: f32[1,8,8,7,7,96]", body, x=(3, 8, 8, 7, 7, 96))["y"] == "f32[3,8,8,7,7,32]"


def test_the_batch_is_the_inner_part_where_equal_parts_are_joined():
    body = """weight %t: i64[3] = [2,1,6]
        %a: ?[*] = onnx.Concat(%x, %x) axis=0
        %y: ?[*] = onnx.Reshape(%a, %t)"""
    assert resized("%x: f32[1,6]", body, x=(8, 6))["y"] == "f32[2,8,6]"


def test_a_target_with_computed_and_stored_entries_changes_the_stored_ones():
    body = """weight %one: i64[1] = [1]
        weight %rest: i64[1] = [-1]
        weight %i: i64[1] = [1]
        %s: ?[*] = onnx.Shape(%x)
        %c: ?[*] = onnx.Gather(%s, %i)
        %t: ?[*] = onnx.Concat(%one, %c, %rest) axis=0
        %y: ?[*] = onnx.Reshape(%x, %t)"""
    assert resized("%x: f32[1,6,5,5]", body, x=(8, 6, 7, 7))["y"] == "f32[8,6,49]"


def test_a_computed_target_is_left_alone():
    body = """weight %r: i64[1] = [-1]
        weight %i: i64[1] = [0]
        %s: ?[*] = onnx.Shape(%x)
        %c: ?[*] = onnx.Gather(%s, %i)
        %t: ?[*] = onnx.Concat(%c, %r) axis=0
        %y: ?[*] = onnx.Reshape(%x, %t)"""
    graph = graph_of("%x: f32[1,6,5,5]", body)
    made, _ = resize(graph, {"x": (8, 6, 5, 5)}, OPERATORS)
    assert len(made.weights) == len(graph.weights)
    assert str(made.outputs[0].type) == "f32[8,150]"


def test_a_stored_target_that_two_nodes_share_changes_for_the_one_whose_operand_changed():
    body = """weight %t: i64[2] = [1,6]
        weight %w: f32[1,2,3]
        %a: ?[*] = onnx.Reshape(%x, %t)
        %b: ?[*] = onnx.Reshape(%w, %t)
        %y: ?[*] = onnx.Add(%a, %b)"""
    found = resized("%x: f32[1,2,3]", body, x=(8, 2, 3))
    assert (found["t"], found["a"], found["b"], found["y"]) == ("i64[2]", "f32[8,6]", "f32[1,6]", "f32[8,6]")


def test_the_original_is_not_touched():
    graph = graph_of("%x: f32[1,4]", "weight %t: i64[1] = [4]\n%y: ?[*] = onnx.Reshape(%x, %t)")
    before = print_graph(graph)
    resize(graph, {"x": (8, 4)}, OPERATORS)
    assert print_graph(graph) == before


# Other stored sizes


def test_a_slice_up_to_the_old_size_goes_up_to_the_new_one():
    body = """weight %b: i64[1] = [0]
        weight %e: i64[1] = [640]
        weight %a: i64[1] = [2]
        weight %s: i64[1] = [2]
        %y: ?[*] = onnx.Slice(%x, %b, %e, %a, %s)"""
    assert resized("%x: f32[1,3,640]", body, x=(1, 3, 320))["y"] == "f32[1,3,160]"


def test_a_slice_of_some_elements_keeps_its_number():
    body = """weight %b: i64[1] = [0]
        weight %e: i64[1] = [1]
        weight %a: i64[1] = [1]
        %y: ?[*] = onnx.Slice(%x, %b, %e, %a)"""
    assert resized("%x: f32[1,197,8]", body, x=(1, 394, 8))["y"] == "f32[1,1,8]"


def test_slices_and_splits_of_joined_batches_follow_the_batch():
    body = """weight %b: i64[1] = [1]
        weight %e: i64[1] = [2]
        weight %a: i64[1] = [0]
        weight %p: i64[2] = [1,1]
        %j: ?[*] = onnx.Concat(%x, %x) axis=0
        %s: ?[*] = onnx.Slice(%j, %b, %e, %a)
        %y: ?[*], %z: ?[*] = onnx.Split(%j, %p) axis=0"""
    found = resized("%x: f32[1,6]", body, x=(8, 6))
    assert [found[name] for name in "syz"] == ["f32[8,6]"] * 3


def test_an_expand_to_the_old_size_follows_its_operand():
    body = "weight %t: i64[5] = [1,2,4,64,32]\n%y: ?[*] = onnx.Expand(%x, %t)"
    assert resized("%x: f32[1,2,1,64,32]", body, x=(8, 2, 1, 128, 32))["y"] == "f32[8,2,4,128,32]"


def test_sizes_of_a_resize_stay_in_proportion():
    body = "weight %t: i64[4] = [1,8,14,14]\n%y: ?[*] = onnx.Resize(%x, _, _, %t)"
    assert resized("%x: f32[1,8,7,7]", body, x=(4, 8, 10, 12))["y"] == "f32[4,8,20,24]"


def test_sizes_of_a_resize_that_is_added_to_a_larger_image_follow_that():
    body = """weight %t: i64[4] = [1,8,14,14]
        %p: ?[*] = onnx.GlobalAveragePool(%x)
        %r: ?[*] = onnx.Resize(%p, _, _, %t)
        %y: ?[*] = onnx.Add(%x, %r)"""
    assert resized("%x: f32[1,8,14,14]", body, x=(1, 8, 28, 28))["r"] == "f32[1,8,28,28]"


def test_a_strided_view_follows_what_it_reads():
    body = """weight %t: i64[1] = [-1]
        weight %table: i64[1,768,1,1]
        %f: ?[*] = onnx.Reshape(%x, %t)
        %y: ?[*] = onnx.Gather(%f, %table)"""
    assert resized("%x: f32[1,768,1,1]", body, x=(8, 768, 1, 1))["y"] == "f32[8,768,1,1]"


# Stored tensors


@pytest.mark.parametrize("maker", ["", "%c: ?[*] = onnx.Expand(%w, %t)", "%c: ?[*] = onnx.Identity(%w)"])
def test_a_class_token_is_repeated_for_the_batch(maker: str):
    token = "%c" if maker else "%w"
    body = f"""weight %w: f32[1,1,768]
        weight %t: i64[3] = [1,-1,-1]
        {maker}
        %y: ?[*] = onnx.Concat({token}, %x) axis=1""".replace("[1,-1,-1]", "[1,1,768]")
    assert resized("%x: f32[1,196,768]", body, x=(8, 196, 768))["y"] == "f32[8,197,768]"


def test_a_class_token_expanded_to_the_old_batch_is_expanded_to_the_new_one():
    body = """weight %w: f32[1,1,8]
        weight %t: i64[3] = [32,1,8]
        %c: ?[*] = onnx.Expand(%w, %t)
        %y: ?[*] = onnx.Concat(%c, %x) axis=1"""
    found = resized("%x: f32[32,196,8]", body, x=(4, 196, 8))
    assert (found["c"], found["y"]) == ("f32[4,1,8]", "f32[4,197,8]")


def test_the_first_state_of_a_recurrent_layer_is_repeated_for_the_batch():
    body = """weight %w: f32[1,32,4]
        weight %r: f32[1,32,8]
        weight %h: f32[1,1,8]
        %y: ?[*], %n: ?[*], %m: ?[*] = onnx.LSTM(%x, %w, %r, _, _, %h, %h) hidden_size=8"""
    made, _ = resize(graph_of("%x: f32[5,1,4]", body), {"x": (5, 3, 4)}, OPERATORS)
    lstm = next(node for node in made if node.op == "onnx.LSTM")
    assert [str(operand.type) for operand in lstm.operands[5:] if operand] == ["f32[1,3,8]"] * 2
    assert str(lstm.results[0].type) == "f32[5,1,3,8]"


def test_stored_queries_with_merged_heads_are_repeated_for_the_batch():
    """Queries that are learned meet keys (L, N·h, d) in a product of N·h matrices."""
    body = """weight %q: f32[8,100,32]
        weight %t: i64[3] = [900,8,32]
        %k: ?[*] = onnx.Reshape(%x, %t)
        %kt: ?[*] = onnx.Transpose(%k) perm=[1,2,0]
        %y: ?[*] = onnx.MatMul(%q, %kt)"""
    assert resized("%x: f32[900,1,256]", body, x=(900, 4, 256))["y"] == "f32[32,100,900]"


# Bodies, and what nobody can type


def test_a_target_inside_of_a_body_follows_too():
    body = """weight %t: i64[2] = [1,6]
        %y: ?[*] = onnx.If(%c, %x, %t) {
            ^then_branch(%a = %x: ?[*], %s = %t: ?[*])
            %r: ?[*] = onnx.Reshape(%a, %s)
            return %r
            ^else_branch(%b = %x: ?[*])
            %f: ?[*] = onnx.Flatten(%b)
            return %f
        }"""
    assert resized("%c: bool[], %x: f32[1,2,3]", body, x=(8, 2, 3), c=())["y"] == "f32[8,6]"


def test_an_operator_that_nobody_knows_is_taken_to_work_on_each_sample():
    body = "%a: f32[1,7] = my.Thing(%x)\n%y: ?[*] = onnx.Relu(%a)"
    assert resized("%x: f32[1,2,3]", body, x=(8, 2, 3))["y"] == "f32[8,7]"


def test_an_operator_that_nobody_knows_is_unknown_when_more_than_the_batch_changes():
    body = "%a: f32[1,7] = my.Thing(%x)\n%y: ?[*] = onnx.Relu(%a)"
    assert resized("%x: f32[1,2,3]", body, x=(1, 2, 5))["y"] == "?[*]"


# Refusals


@pytest.mark.parametrize(
    ("inputs", "body", "size", "node"),
    [
        ("%x: f32[1,196,8]", "weight %p: f32[1,196,8]\n%y: ?[*] = onnx.Add(%x, %p)", (1, 784, 8), "y"),
        ("%x: f32[1,4,21]", "weight %p: f32[1,2,21]\n%y: ?[*] = onnx.Concat(%x, %p) axis=1", (1, 4, 84), "y"),
        ("%x: f32[1,8]", "weight %p: f32[8,3]\n%y: ?[*] = onnx.MatMul(%x, %p)", (1, 9), "y"),
        ("%x: f32[1,56,8]", "weight %t: i64[4] = [1,8,7,8]\n%y: ?[*] = onnx.Reshape(%x, %t)", (1, 60, 8), "y"),
    ],
)
def test_what_fits_the_old_sizes_only_is_refused_with_the_name_of_the_node(
    inputs: str, body: str, size: tuple[int, ...], node: str
):
    with pytest.raises(ResizeError, match=f"node '{node}'"):
        resized(inputs, body, x=size)


# Factors


def test_factors_move_with_the_borders_between_dimensions():
    batch = Factor(1, 8)
    assert regroup([(batch,), (Factor(8, 8),), (Factor(4, 4),)], [32]) == [(batch, Factor(32, 32))]
    assert regroup([(batch, Factor(32, 32))], [1, 4, 8]) == [(batch,), (Factor(4, 4),), (Factor(8, 8),)]


def test_a_factor_that_is_cut_where_it_does_not_divide_is_refused():
    assert regroup([(Factor(6, 12),), (Factor(4, 4),)], [8, 3]) is None


# The law


LAW = (
    "vit_base_patch16_224.dynamo.onnx", "vit_base_patch16_224.ts17.onnx", "swin_tiny_patch4_window7_224.ts17.onnx",
    "convnext_tiny.dynamo.onnx", "bert_mini4.ts17.onnx", "gpt2_mini4.dynamo.onnx", "llama_mini4.ts17.onnx",
    "custom_op.onnx", "torchvision/shufflenet_v2_x1_0_224.onnx", "torchvision/swin_t_224.onnx",
    "engines/resnet18_qat_b32.onnx", "jetson/yolov8n_640.dynamo.onnx", "jetson/yolov10n_640.ts17.onnx",
    "jetson/efficientformer_l1_224.ts17.onnx",
)  # fmt: skip


@pytest.mark.parametrize("name", LAW)
def test_eight_images_take_eight_times_the_macs_of_one(shared: Path, name: str):
    from graphcost.importer import load, parse_sizes
    from graphcost.plugin import builtin_operators
    from graphcost.work.node import graph_work

    operators = builtin_operators()
    one, eight = (load(shared / "models" / name, operators, parse_sizes(batch=n)).graph for n in (1, 8))
    assert graph_work(eight, operators).work.macs == 8 * graph_work(one, operators).work.macs
    leading = [(a.type.dims[0], b.type.dims[0]) for a, b in zip(one.outputs, eight.outputs) if _has_batch(a.type)]
    assert set(leading) <= {(1, 8)}


def _has_batch(type: object) -> bool:
    return isinstance(type, TensorType) and bool(type.dims)
