"""Laws that hold for every model: those of the repository, and with ../shared all of its networks."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import pytest

import graphcost
from graphcost.api import Run
from graphcost.errors import UserError
from graphcost.target import make_target
from graphcost.text import parse_graph, print_graph

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "models"
UNREADABLE = {"bad_truncated.onnx"}

BUNDLED = sorted((ROOT / "examples" / "models").glob("*.onnx"))
NETWORKS = sorted(path for path in SHARED.rglob("*.onnx") if path.name not in UNREADABLE)
ALL = BUNDLED + [path for path in NETWORKS if "yolo_sizes" not in path.parts]
IDS = [str(path.relative_to(SHARED if SHARED in path.parents else ROOT)) for path in ALL]

REFERENCES = json.loads((SHARED / "MANIFEST.json").read_text())["files"] if SHARED.exists() else []
WITH_MACS = [entry for entry in REFERENCES if entry.get("ref_macs")]

CANONICAL = make_target("nano", "tensorrt-10.3").runtime.pipeline().partition(",precision[")[0]
"""All that TensorRT's newest pipeline does before types are chosen."""

each_model = pytest.mark.parametrize("path", ALL, ids=IDS, scope="module")
"""The scope makes pytest run all laws of a model one after another, so that they share its runs."""


@lru_cache(maxsize=4)
def analysed(path: Path) -> Run:
    return graphcost.run(path, "nano", precision="fp32")


@lru_cache(maxsize=4)
def imported(path: Path) -> Run:
    return graphcost.run(path, pipeline="")


def test_shared_networks_are_there(shared: Path):
    """Says in the log that the laws below ran over the bundled models only, where it is skipped."""
    assert NETWORKS


# Truth


@pytest.mark.parametrize("entry", WITH_MACS, ids=lambda entry: entry["file"])
def test_macs_are_those_of_the_reference_to_the_unit(entry: dict):
    report = graphcost.analyze(SHARED / entry["file"], dims=entry.get("ref_at") or {}, pipeline="")
    assert report.totals.macs == entry["ref_macs"]


@each_model
def test_macs_at_batch_eight_are_eight_times_those_at_batch_one(path: Path):
    sizes = {} if path.name.endswith("dynbatch.onnx") or "dynamic" in path.name else None
    dims = {"seq": 16} if path.name.startswith(("bert", "llama")) and sizes is not None else {}
    try:
        one, eight = (graphcost.analyze(path, batch=batch, dims=dims, pipeline="") for batch in (1, 8))
    except UserError as refusal:
        pytest.fail(f"{path.name}: {refusal}")
    assert eight.totals.macs == 8 * one.totals.macs


# The text form


@each_model
def test_what_is_printed_parses_to_the_same_graph(path: Path):
    for run in (imported(path), analysed(path)):
        text = print_graph(run.graph)
        parsed = parse_graph(text)
        parsed.verify()
        assert print_graph(parsed) == text


@each_model
def test_two_runs_give_the_same_report(path: Path):
    again = graphcost.run(path, "nano", precision="fp32")
    assert again.report == analysed(path).report
    assert print_graph(again.graph) == print_graph(analysed(path).graph)


# Sums


@each_model
def test_rows_sum_to_the_totals(path: Path):
    report = analysed(path).report
    totals = report.totals
    for key in ("macs", "flops", "elementwise_ops"):
        if not report.unknown:
            assert sum(getattr(row, key) for row in report.kernels) == getattr(totals, key), key
    known = [row.latency_ms for row in report.kernels if row.latency_ms is not None]
    assert sum(known) == pytest.approx(totals.latency_known_ms)
    if totals.latency_ms is not None:
        assert sum(row.share or 0 for row in report.kernels) == pytest.approx(1.0 if totals.latency_ms else 0.0)
        assert totals.latency_low_ms <= totals.latency_ms <= totals.latency_high_ms


@each_model
def test_work_before_is_work_after_and_what_was_removed(path: Path):
    before = imported(path).report.totals
    run = graphcost.run(path, "nano", pipeline=CANONICAL)
    after, removed = run.report.totals, run.journal.work_removed()
    for key in ("macs", "elementwise_ops", "bytes_read", "bytes_written"):
        assert getattr(before, key) == getattr(after, key) + getattr(removed, key), key


@each_model
def test_every_node_ends_in_kernels_or_is_eliminated_with_a_reason(path: Path):
    before = imported(path)
    names = {origin.name for node in before.graph for origin in node.origin}
    run = analysed(path)
    shares: dict[str, float] = defaultdict(float)
    for row in run.report.kernels:
        for name, share in zip(row.origin, row.origin_share):
            shares[name] += share
    eliminated = {entry.node for entry in run.report.eliminated}
    assert not [name for name, share in shares.items() if share != pytest.approx(1.0)]
    assert not names - set(shares) - eliminated
    assert not eliminated & set(shares)
    assert all(entry.reason for entry in run.report.eliminated)


@each_model
def test_passes_do_nothing_the_second_time(path: Path):
    once = graphcost.run(path, "nano", pipeline=CANONICAL)
    twice = graphcost.run(path, "nano", pipeline=f"{CANONICAL},{CANONICAL}")
    assert print_graph(once.graph) == print_graph(twice.graph)


@each_model
def test_promises_of_passes_hold(path: Path):
    graphcost.run(path, "orin-nano", precision="best", paranoid=True)


# Memory


@each_model
def test_the_arena_is_no_smaller_than_the_peak(path: Path):
    totals = analysed(path).report.totals
    if totals.arena_bytes is not None:
        assert totals.arena_bytes >= totals.peak_activation_bytes > 0
