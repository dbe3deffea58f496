"""Damaged files, traps and random graphs: an answer or one sentence, in five seconds and a gibibyte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import MEMORY_BYTES, TIME_S
from random_graphs import Drawn, drawn_models

import graphcost
from graphcost.text import parse_graph, print_graph

HERE = Path(__file__).parent
EFFORT = int(os.environ.get("GRAPHCOST_FUZZ", "1"))
"""So many times the damage and the graphs that a normal run tries."""

DAMAGED = 2_000
RUNS_AT_ONCE = 1_000


def run(script: str, *arguments: str, timeout_s: int) -> Any:
    """What a script of this folder prints as JSON, in a process of its own that holds itself to the limits."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, HERE / script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="limits need POSIX")
@pytest.mark.parametrize("first", range(0, DAMAGED * EFFORT, RUNS_AT_ONCE))
def test_damaged_files_are_analysed_or_refused_in_one_sentence(first: int):
    found = run("mutations.py", str(first), str(first + RUNS_AT_ONCE), timeout_s=300)
    print({key: figure for key, figure in found.items() if key != "wrong"})
    assert found["wrong"] == []
    assert found["analysed"] and found["refused"]
    assert found["slowest_s"] < TIME_S
    assert found["peak_mib"] < MEMORY_BYTES >> 20


@pytest.mark.skipif(sys.platform == "win32", reason="limits need POSIX")
def test_models_that_ask_for_more_than_there_is_cost_little():
    found = run("traps.py", timeout_s=300)
    print("\n".join(f"{name}: {outcome} in {taken} s" for name, (outcome, taken) in found.items()))
    assert {name: outcome for name, (outcome, _) in found.items() if outcome not in ("analysed", "refused")} == {}


@settings(max_examples=60 * EFFORT, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn_models(), st.sampled_from([None, "nano"]))
def test_a_random_graph_is_understood_as_a_whole(drawn: Drawn, device: str | None):
    run = graphcost.run(drawn.model, device, paranoid=True)
    coverage = run.report.totals.coverage
    assert (coverage.nodes, coverage.bytes) == (1.0, 1.0)
    assert print_graph(parse_graph(print_graph(run.graph))) == print_graph(run.graph)


@settings(max_examples=60 * EFFORT, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn_models())
def test_every_value_of_a_random_graph_has_the_shape_that_onnx_infers(drawn: Drawn):
    import onnx

    inferred = onnx.shape_inference.infer_shapes(drawn.model, strict_mode=True, data_prop=True).graph
    theirs = {i.name: tuple(d.dim_value for d in i.type.tensor_type.shape.dim) for i in inferred.value_info}
    ours = {value.name: value.type for value in graphcost.run(drawn.model, pipeline="").graph.values()}
    for name, shape in drawn.shapes.items():
        assert ours[name].dims == shape, name
        assert theirs.get(name, shape) == shape, name
