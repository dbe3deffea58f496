"""Formats: reformats and layouts of real engines, rows of the table and their sources, and what choosing may not do."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from effort import calls
from graphcost.passes.assign_formats import AssignFormats
from graphcost.passes.formats.capabilities import Capabilities, rows
from graphcost.passes.formats.elimination import Problem
from harness import make_context
from paired_engines import SHARED, Engine, engines

import graphcost
from graphcost.formats import is_relabeling
from graphcost.target import make_target
from graphcost.text import parse_graph, print_graph
from graphcost.types import CHANNEL_LANES, TensorType

MODELS = Path(__file__).parents[1] / "examples" / "models"
NETWORKS = [*sorted((SHARED / "models" / "jetson").glob("*.ts17.onnx"))[::3], *sorted(MODELS.glob("*.onnx"))]


# The table


@pytest.mark.parametrize("table", ["storage", "kernel"])
def test_every_row_of_the_table_names_its_source(table: str) -> None:
    assert rows(table)
    assert all(len(row.source) > 40 for row in rows(table))


def test_the_table_speaks_only_of_formats_that_types_have() -> None:
    spelled = {word for table in ("storage", "kernel") for row in rows(table) for word in row.formats}
    assert {part for word in spelled for part in word.split(">")} - {"*"} <= set(CHANNEL_LANES)


@pytest.mark.parametrize(
    ("device", "precision", "formats"),
    [
        ("nano", "f16", ("chw2", "chw2")),
        ("tx2", "f16", ("chw2", "chw2")),
        ("nano", "f32", ("linear", "linear")),
        ("xavier-nx", "f16", ("hwc8", "hwc8")),
        ("orin-nano", "f16", ("hwc8", "hwc8")),
        ("orin-nano", "tf32", ("hwc", "hwc")),
        ("orin-nano", "f32", ("linear", "linear")),
    ],
)
def test_convolutions_lie_as_their_architecture_and_precision_want(
    device: str, precision: str, formats: tuple[str, str]
) -> None:
    dtype = "f16" if precision == "f16" else "f32"
    graph = parse_graph(f"""graph g(%x: {dtype}[1,64,8,8]) {{
  weight %w: {dtype}[64,64,3,3]
  %y: {dtype}[1,64,6,6] = onnx.Conv(%x, %w) precision="{precision}"
  return %y
}}""")
    profile = make_target(device).device
    assert profile is not None
    assert Capabilities(profile.compute_capability).formats_of(next(iter(graph)))[0] == formats


# Layouts


@pytest.mark.parametrize(
    ("source", "target", "free"),
    [
        ("f16[1,64,7,7]:hwc8", "f16[1,64,7,7]:hwc", True),
        ("f16[1,60,7,7]:hwc8", "f16[1,60,7,7]:hwc", False),
        ("f32[1,512,1,1]:hwc", "f32[1,512,1,1]", True),
        ("i8[1,512,1,1]:chw4", "i8[1,512,1,1]:chw32", True),
        ("i8[1,500,1,1]:chw4", "i8[1,500,1,1]:chw32", False),
        ("i8[1,32,7,7]:chw32", "i8[1,32,7,7]:hwc", True),
        ("i8[1,64,7,7]:chw32", "i8[1,64,7,7]:hwc", False),
        ("f16[1,64,7,7]:hwc8", "f16[1,64,7,7]", False),
        ("f16[1,64,1,1]", "f32[1,64,1,1]", False),
        ("f16[1,?c,1,1]:hwc8", "f16[1,?c,1,1]", False),
    ],
)
def test_a_relabeling_moves_no_byte(source: str, target: str, free: bool) -> None:
    graph = parse_graph(f"graph g(%a: {source}, %b: {target}) {{\n  return\n}}")
    a, b = (value.type for value in graph.inputs)
    assert isinstance(a, TensorType) and isinstance(b, TensorType)
    assert is_relabeling(a, b) is free


def _places(kind: TensorType) -> np.ndarray:
    """Where each element lies, written out from the definition of the format; padding is -1."""
    n, c, h, w = (int(dim) for dim in kind.dims or ())  # type: ignore[call-overload]
    lanes = CHANNEL_LANES[kind.format]
    padded = -(-c // lanes) * lanes
    data = np.full((n, padded, h, w), -1)
    data[:, :c] = np.arange(n * c * h * w).reshape(n, c, h, w)
    if kind.format.startswith("hwc"):
        return data.transpose(0, 2, 3, 1).ravel()
    return data.reshape(n, padded // lanes, lanes, h, w).transpose(0, 1, 3, 4, 2).ravel()


@pytest.mark.parametrize("dims", [(1, 8, 1, 1), (2, 32, 2, 3), (1, 20, 3, 1), (2, 64, 1, 1), (1, 3, 2, 2)])
def test_relabelings_are_those_whose_elements_lie_in_the_same_places(dims: tuple[int, ...]) -> None:
    kinds = [TensorType("f16", dims, layout) for layout in CHANNEL_LANES]
    for a, b in itertools.product(kinds, kinds):
        assert is_relabeling(a, b) == np.array_equal(_places(a), _places(b)), (str(a), str(b))


# The choice


def _random_problem(rng: random.Random) -> tuple[Problem, list[int], list[tuple[tuple[int, ...], np.ndarray]]]:
    problem, states, factors = Problem(), [], []
    for number in range(rng.randint(2, 8)):
        costs = np.array([rng.randint(0, 9) for _ in range(rng.randint(1, 3))], dtype=float)
        states.append(len(costs))
        problem.variable(costs.tolist())
        factors.append(((number,), costs))
    for a, b in itertools.combinations(range(len(states)), 2):
        if rng.random() < 0.5:
            costs = np.array([[rng.randint(0, 9) for _ in range(states[b])] for _ in range(states[a])], dtype=float)
            problem.add((a, b), costs)
            factors.append(((a, b), costs))
    return problem, states, factors


@pytest.mark.parametrize("seed", range(20))
def test_elimination_finds_what_trying_everything_finds(seed: int) -> None:
    problem, states, factors = _random_problem(random.Random(seed))

    def total(choice: tuple[int, ...]) -> float:
        return float(sum(costs[tuple(choice[v] for v in variables)] for variables, costs in factors))

    best = min(map(total, itertools.product(*map(range, states))))
    assert total(tuple(problem.solve())) == best


def _dense_block(layers: int) -> str:
    """Convolutions that each read all results before them side by side, as in a DenseNet."""
    lines, made = ["graph dense(%v0: f16[1,32,8,8]) {", "  weight %w: f16[32,32,1,1]"], ["%v0"]
    for number in range(1, layers + 1):
        parts = ", ".join(made)
        lines.append(f"  %c{number}: f16[1,{32 * number},8,8] = trt.concat_view({parts}) axis=1")
        lines.append(f"  weight %w{number}: f16[32,{32 * number},1,1]")
        lines.append(f'  %v{number}: f16[1,32,8,8] = onnx.Conv(%c{number}, %w{number}) precision="f16"')
        made.append(f"%v{number}")
    weights = [line for line in lines if "weight" in line]
    nodes = [line for line in lines[1:] if "weight" not in line]
    return "\n".join([lines[0], *weights, *nodes, f"  return {made[-1]}", "}"])


def test_effort_grows_with_the_operands_of_concats_and_not_faster() -> None:
    def calls_per_operand(layers: int) -> float:
        graph = parse_graph(_dense_block(layers))
        context = make_context(graph, make_target("orin-nano", None, "fp16"))
        operands = sum(len(node.operands) for node in graph)
        return calls(lambda: AssignFormats().run(graph, context)) / operands

    assert calls_per_operand(48) < 1.1 * calls_per_operand(12)


# Laws


def _pipeline(precision: str, runtime: str = "tensorrt-10.3") -> tuple[str, str]:
    """The pipeline as far as fusion, and all of it."""
    whole = make_target("orin-nano", runtime, precision).runtime.pipeline()
    return whole.partition(",formats[")[0], whole


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.name)
@pytest.mark.parametrize("precision", ["fp32", "best"])
def test_formats_conserve_work_and_are_stable(path: Path, precision: str) -> None:
    asked = {"runtime": "tensorrt-10.3", "precision": precision}
    fused, whole = _pipeline(precision)
    before = graphcost.analyze(path, "orin-nano", **asked, pipeline=fused).totals
    once = graphcost.run(path, "orin-nano", **asked, pipeline=whole)
    again = graphcost.run(path, "orin-nano", **asked, pipeline=whole)
    after = once.report.totals
    assert (before.macs, before.elementwise_ops) == (after.macs, after.elementwise_ops)
    assert print_graph(once.graph) == print_graph(again.graph)
    formats = whole[whole.index("formats[") :]
    twice = graphcost.run(path, "orin-nano", **asked, pipeline=f"{whole},{formats}")
    assert print_graph(twice.graph) == print_graph(once.graph)


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.name)
def test_neighbours_agree_once_reformats_are_in(path: Path) -> None:
    """Whoever reads a value finds it in the format in which it reads all its images."""
    run = graphcost.run(path, "orin-nano", runtime="tensorrt-10.3", precision="fp16")
    assert not [node for node in run.graph if "formats" in node.attrs]
    for node in run.graph:
        if node.op == "trt.reformat":
            source, target = node.inputs[0].type, node.results[0].type
            assert source != target and not is_relabeling(source, target)
        if node.op == "trt.noop":
            assert is_relabeling(node.inputs[0].type, node.results[0].type)


def test_a_reformat_reads_and_writes_whole_tensors_with_their_padding() -> None:
    model = MODELS / "mobilenet_v2.onnx"
    run = graphcost.run(model, "orin-nano", runtime="tensorrt-8.5", precision="fp16")
    first = next(row for row in run.report.kernels if row.op == "trt.reformat")
    assert (first.kind, first.origin) == ("reformat", ())
    assert first.bytes_read == 3 * 224 * 224 * 4
    assert first.bytes_written == 4 * 224 * 224 * 2
    assert first.outputs[0].format == "hwc4"


# Real engines


APART = {
    ("fuzzy_onnx-api_resnet18_RTX3060L_fp16", "roofline"): 3,
    ("trex_tf-resnet_RTX3090_fp32", "roofline"): 12,
}
"""How many reformats more or less than the engine, where more than one: FP32 networks on GeForce Ampere go from
Winograd (linear) to TF32 (HWC) and back, which takes the times of kernels to tell. Only to be lowered."""


SELECTIONS = ("roofline", "steps")
"""Formats by the table alone (this cost model knows no tactics), and by kernel selection."""

each_engine = pytest.mark.parametrize("engine", engines(), ids=lambda engine: engine.name)


@each_engine
@pytest.mark.parametrize("model", SELECTIONS)
def test_about_as_many_reformats_as_in_the_engine(engine: Engine, model: str) -> None:
    ours = sum(node.op == "trt.reformat" and not node.bodies for node in engine.run(model).graph)
    print(f"{engine.name}, {model}: {ours} reformats, the engine has {engine.reformats}")
    assert abs(ours - engine.reformats) <= APART.get((engine.name, model), 1)


def agreement(engine: Engine, model: str) -> tuple[int, list[str]]:
    """Layers of ours by name that the engine has too: how many lie alike, and the others."""
    wanted, right, wrong = engine.formats(), 0, []
    for node in engine.run(model).graph:
        if node.name in wanted:
            ours = tuple(_alike(value.type) for value in (node.inputs[0], node.results[0]))
            if ours == wanted[node.name]:
                right += 1
            else:
                wrong.append(f"{node.name}: {ours}, engine {wanted[node.name]}")
    return right, wrong


def _alike(kind: object) -> str:
    assert isinstance(kind, TensorType)
    return "hwc" if kind.format == "hwc8" else kind.format


AGREEING = {
    ("fuzzy_onnx-api_resnet18_RTX3060L_fp16", "roofline"): 0.13,
    ("fuzzy_onnx-api_alexnet_RTX3060L_fp16", "roofline"): 0.5,
    ("trex_tv-resnet18_A100_b32_fp32", "roofline"): 0.86,
    ("trex_tf-resnet_RTX3090_fp32", "roofline"): 0.84,
    ("fuzzy_onnx-api_resnet18_RTX3060L_fp16", "steps"): 0.81,
    ("trex_tv-resnet18_A100_b32_fp32", "steps"): 0.86,
}
"""Share of the layers whose first input and output lie as in the engine, where less than 90 %. Only to be raised."""


@each_engine
def test_kernels_lie_as_in_the_engine(engine: Engine) -> None:
    for model in SELECTIONS:
        right, wrong = agreement(engine, model)
        share = right / (right + len(wrong))
        print(f"{engine.name}, {model}: {right} of {right + len(wrong)} layers lie as in the engine ({share:.0%})")
        print(*wrong[:5], sep="\n")
        assert share >= AGREEING.get((engine.name, model), 0.9)


YOLOV8N = {"fp32": 216, "fp16": 152, "int8": 133}
"""Layers of YOLOv8n after reformat layers: build logs of TensorRT 10.3 on Orin Nano."""
YOLOV8N_APART = {"fp32": 0.19, "fp16": 0.15, "int8": 0.15}
"""In FP32 the log has 48 reformats, in FP16 27, which nothing recorded explains. They are no NoOps between two names of
one layout (31 in trex_tf-resnet_RTX3090_fp32 of TensorRT 8): the five engines of TensorRT 10 have one of those at most.
Counts would fit exactly if what reads a slice, and pointwise kernels that write into a Concat, took a reformat each in
channel-last formats; no engine with slices was seen. Only to be lowered."""


@pytest.mark.parametrize("precision", YOLOV8N)
def test_yolov8n_has_about_as_many_layers_after_reformats_as_in_the_build_logs(precision: str, shared: Path) -> None:
    model = shared / "models" / "jetson" / "yolov8n_640.ts17.onnx"
    run = graphcost.run(model, "orin-nano", runtime="tensorrt-10.3", precision=precision)
    counts = Counter(node.op for node in run.graph)
    ours = len(run.graph) - counts["trt.slice_view"] - counts["trt.concat_view"]
    print(f"YOLOv8n {precision}: {ours} layers, {counts['trt.reformat']} reformats; TensorRT: {YOLOV8N[precision]}")
    assert abs(ours / YOLOV8N[precision] - 1) <= YOLOV8N_APART[precision]
