"""Laws of the built-in passes, over every golden case and over real networks."""

from __future__ import annotations

from pathlib import Path

import pytest
from effort import calls
from harness import GOLDEN, Golden, make_context, registry

from graphcost.analyses import VALUES
from graphcost.importer import load
from graphcost.ir import Graph, Node, Value
from graphcost.pipeline import Pass, Pipeline
from graphcost.plugin import load_registry
from graphcost.shapes import infer
from graphcost.spec import parse_passes, parse_stages
from graphcost.target import make_target
from graphcost.text import parse_graph, print_graph
from graphcost.types import UNKNOWN, Constant, TensorType
from graphcost.work.node import Work, graph_work

CASES = sorted(GOLDEN.glob("*/*.gcir"))
PASSES = (
    "fold-shapes", "eliminate-noops", "canonicalize-slices", "canonicalize-layout", "canonicalize-arithmetic",
    "canonicalize-contraction", "quantize-weights", "reduce-to-pooling", "merge-concats", "fold-batch-norm",
    "merge-duplicates", "inline-branches",
    "outline-groups", "dce", "merge-quantizers", "advance-quantizers", "delay-dequantizers",
    "pin-precision", "weigh-int8", "assign-precision",
    "fuse-convolution", "fuse-pointwise", "fuse-epilogue", "fuse-quantizers", "fuse-stem",
    "merge-siblings", "fuse-attention", "fold-padding", "fuse-reductions", "fuse-scale", "myelin", "pin-myelin",
    "retarget-slices", "retarget-concats", "copy-quantizers",
    "set-io-formats", "assign-formats", "name-layers", "select-kernels", "insert-reformats", "reorder",
)  # fmt: skip
TRAINING_PASSES = ("separate-parameters", "training-form", "framework-operators", "autocast", "eager-views",
                   "build-backward", "in-place-activations", "cudnn-workspace")  # fmt: skip
ADDING = frozenset({"autocast", "cudnn-workspace", "eager-views", "build-backward"})
"""Passes that add work: copies that a framework makes, the rest of a training step."""
RETYPING = frozenset({"assign-precision", "set-io-formats", "insert-reformats"})
"""Passes that are there to change bytes."""
BEST = make_target("agx-xavier", "tensorrt-8.5", "best")


def work_of(graph: Graph) -> Work:
    return graph_work(graph, registry().operators).work


def make(name: str) -> Pass:
    return registry().passes[name]()()


def case_name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


# Every golden case


@pytest.mark.parametrize("path", CASES, ids=case_name)
def test_before_is_after_plus_removed(path: Path) -> None:
    golden = Golden.read(path)
    if not ADDING.isdisjoint(step.name for step in golden.passes):
        pytest.skip("adds work")
    before = work_of(golden.graph())
    graph, journal = golden.run()
    sum_ = work_of(graph) + journal.work_removed()
    assert (sum_.macs, sum_.elementwise_ops) == (before.macs, before.elementwise_ops)
    if not RETYPING & {step.name for step in golden.passes}:
        assert sum_ == before


@pytest.mark.parametrize("path", CASES, ids=case_name)
def test_a_second_run_changes_nothing(path: Path) -> None:
    golden = Golden.read(path)
    graph, _ = golden.run()
    ctx = make_context(graph, golden.target)
    epoch = graph.epoch
    assert [step.run(graph, ctx).count for step in golden.passes] == [0] * len(golden.passes)
    assert graph.epoch == epoch


@pytest.mark.parametrize("path", CASES, ids=case_name)
def test_the_result_is_the_same_each_time_and_round_trips(path: Path) -> None:
    golden = Golden.read(path)
    text = print_graph(golden.run()[0])
    assert print_graph(golden.run()[0]) == text
    assert print_graph(parse_graph(text)) == text
    assert print_graph(golden.run(golden.graph().clone())[0]) == text


@pytest.mark.parametrize("path", CASES, ids=case_name)
def test_origins_are_neither_lost_nor_invented(path: Path) -> None:
    golden = Golden.read(path)
    before = {origin.name for node in golden.graph().walk() for origin in node.origin}
    graph, journal = golden.run()
    standing = {origin.name for node in graph.walk() for origin in node.origin}
    removed = {origin.name for entry in journal.removed_ for origin in entry.origins}
    assert standing <= before
    assert before - standing <= removed <= before


def test_each_pass_has_golden_cases_and_a_documentation() -> None:
    assert {path.parent.name for path in CASES} == {*PASSES, *TRAINING_PASSES}
    for name in (*PASSES, *TRAINING_PASSES):
        kind = registry().passes[name]()
        assert kind.name == name
        assert len((kind.__doc__ or "").splitlines()) > 3


# Real networks

MODELS = (
    "resnet50.ts17", "mobilenetv3_large_100.dynamo", "swin_tiny_patch4_window7_224.ts17", "gpt2_mini4.ts17",
    "llama_mini4.dynbatch", "convnext_tiny.ts17", "custom_op", "engines/mobilenet_v2_qdq", "engines/resnet18_qat_b32",
    "torchvision/densenet121_224", "jetson/yolov8n_640.ts17", "jetson/efficientformer_l1_224.ts17",
)  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_the_laws_hold_over_real_networks(shared: Path, model: str) -> None:
    graph = load(shared / "models" / f"{model}.onnx", registry().operators).graph
    ctx = make_context(graph, BEST)
    for name in PASSES:
        before, told = work_of(graph), ctx.journal.work_removed()
        Pipeline(parse_stages(name, registry().passes), paranoid=True).run(graph, ctx)
        removed = ctx.journal.work_removed() + told * -1
        after = work_of(graph) + removed
        assert (after.macs, after.elementwise_ops) == (before.macs, before.elementwise_ops), name
        assert name in RETYPING or after == before, name
        assert make(name).run(graph, make_context(graph, BEST)).count == 0, name
    text = print_graph(graph)
    assert print_graph(parse_graph(text)) == text


def test_shape_computations_disappear(shared: Path) -> None:
    graph = load(shared / "models" / "swin_tiny_patch4_window7_224.ts17.onnx", registry().operators).graph
    Pipeline(parse_stages("fold-shapes,dce", registry().passes)).run(graph, make_context(graph))
    assert not {node.op for node in graph} & {"onnx.Shape", "onnx.ConstantOfShape", "onnx.Where", "onnx.Equal"}


# Size


def stack(length: int) -> Graph:
    """Blocks of everything that a pass looks for, all of them reading one input and read by one sum at the end."""
    graph = Graph("stack", [Value("x", TensorType("f32", (1, 8, 4, 4)))])
    zero = graph.add_weight(Value("zero", TensorType("f32", ()), Constant("f32", (), (0.0,))))
    ends: list[Value] = []
    while len(graph) < length - 1:
        ends.append(_block(graph, zero, ends[-1] if len(ends) % 2 else graph.inputs[0]))
    graph.append(Node("onnx.Sum", ends, [Value("sum", UNKNOWN)]))
    graph.outputs = [ends[-1], next(reversed(graph)).results[0]]
    infer(graph, registry().operators)
    return graph


def _block(graph: Graph, zero: Value, entry: Value) -> Value:
    """Conv, batch norm, Identity, + 0, a reshape to the shape it has, and something nobody reads."""
    number = len(graph)
    weight = graph.add_weight(Value(f"w{number}", TensorType("f32", (8, 8, 1, 1))))
    norm = [graph.add_weight(Value(f"n{number}.{i}", TensorType("f32", (8,)))) for i in range(4)]

    def add(op: str, *operands: Value) -> Value:
        return graph.append(Node(op, operands, [Value(f"v{len(graph)}", UNKNOWN)])).results[0]

    same = add("onnx.Identity", add("onnx.BatchNormalization", add("onnx.Conv", entry, weight), *norm))
    shifted = add("onnx.Add", same, zero)
    shaped = add("onnx.Reshape", shifted, add("onnx.Shape", shifted))
    add("onnx.Neg", shaped)
    return add("onnx.Relu", shaped)


@pytest.mark.parametrize("name", PASSES)
def test_effort_per_node_does_not_grow_with_the_graph(name: str) -> None:
    """Ten times the nodes; anything quadratic would take ten times as much for each."""

    def calls_per_node(length: int) -> float:
        graph = stack(length)
        ctx = make_context(graph, BEST)
        ctx.get(VALUES)
        return calls(lambda: make(name).run(graph, ctx)) / length

    assert calls_per_node(3_000) < 1.5 * calls_per_node(300)


# What is offered


def test_the_manifest_offers_the_passes_and_imports_them_when_asked() -> None:
    from graphcost.passes import PLUGIN

    assert set(PASSES) <= set(PLUGIN.passes)
    assert load_registry().passes.keys() >= set(PASSES)
    (step,) = parse_passes("fold-shapes{max-growth-bytes=10}", PLUGIN.passes)
    assert getattr(step, "max_growth_bytes", None) == 10
