"""Formats: reformats and layouts of real engines, rows of the table and their sources, and what choosing may not do."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import pytest
from graphcost.passes.formats.capabilities import Capabilities, rows
from graphcost.passes.formats.elimination import Problem

import graphcost
from graphcost.formats import is_relabeling
from graphcost.target import make_target
from graphcost.text import parse_graph, print_graph
from graphcost.types import CHANNEL_LANES, TensorType

SHARED = Path(__file__).parents[2] / "shared"
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
