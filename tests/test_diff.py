"""Comparisons: kernels matched by ONNX names, whatever the kernels are called."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from effort import calls
from sample_reports import make_kernel, make_report

import graphcost
from graphcost.diff import compare, match
from graphcost.render import render_diff
from graphcost.render.columns import Screen
from graphcost.training import TrainingOptions


def pairs(before, after):
    return [(len(old), len(new)) for old, new in match(before, after)]


def report_of(**latencies):
    return make_report([make_kernel(name, latency) for name, latency in latencies.items()])


def test_kernels_of_the_same_node_are_one_row_whatever_they_are_called():
    before = make_report([make_kernel("Conv_0 + Relu_1", 1.0, origin=("conv", "relu"))])
    after = make_report([make_kernel("{ForeignNode[conv...relu]}", 1.5, origin=("conv", "relu"))])
    [row] = compare(before, after).rows
    assert (row.status, row.amount.before, row.amount.after) == ("changed", 1.0, 1.5)
    assert row.amount.part == pytest.approx(0.5)


def test_kernels_that_were_fused_or_split_are_one_row_with_both_sides():
    apart = [make_kernel("conv", 1.0), make_kernel("relu", 0.2)]
    fused = [make_kernel("conv + relu", 1.1, origin=("conv", "relu"))]
    assert pairs(apart, fused) == [(2, 1)]
    [row] = compare(make_report(apart), make_report(fused)).rows
    assert row.amount.before == pytest.approx(1.2)
    assert row.name == "conv + relu"
    assert pairs(fused, apart) == [(1, 2)]


def test_kernels_that_one_side_lacks_are_added_or_removed():
    diff = compare(make_report([make_kernel("a"), make_kernel("b")]), make_report([make_kernel("b"), make_kernel("c")]))
    assert {row.name: row.status for row in diff.rows} == {"a": "removed", "b": "unchanged", "c": "added"}


def test_the_same_node_in_another_phase_is_another_row():
    before = [make_kernel("conv"), make_kernel("dconv", origin=("conv",), phase="backward")]
    assert pairs(before, before) == [(1, 1), (1, 1)]


def test_kernels_without_a_node_are_matched_by_name_and_place():
    reformat = make_kernel("Reformatting CopyNode", 0.1, origin=())
    assert sorted(pairs([reformat, reformat], [reformat])) == [(1, 0), (1, 1)]


def test_rows_sum_to_the_totals_on_both_sides():
    before = make_report([make_kernel(f"n{i}", 0.1 * i, origin=(f"n{i}", f"n{i + 1}")) for i in range(0, 20, 2)])
    after = make_report([make_kernel(f"m{i}", 0.2 * i, origin=(f"n{i}", f"n{i + 2}")) for i in range(0, 20, 3)])
    diff = compare(before, after)
    assert sum(row.amount.before for row in diff.rows) == pytest.approx(before.totals.latency_ms)
    assert sum(row.amount.after for row in diff.rows) == pytest.approx(after.totals.latency_ms)
    assert sum(delta.after for delta in diff.kinds.values()) == pytest.approx(after.totals.latency_ms)


def test_rows_are_sorted_by_change_not_by_size_and_unknown_changes_come_first():
    before = report_of(big=100.0, a=1.0, b=1.0, u=1.0)
    after = report_of(big=100.1, a=3.0, b=0.5, u=None)
    assert [row.name for row in compare(before, after, "latency").rows] == ["u", "a", "b", "big"]


def test_a_change_of_an_unknown_figure_is_unknown():
    diff = compare(make_report([make_kernel("a", None)]), make_report([make_kernel("a", 1.0)]), "latency")
    assert diff.rows[0].amount.change is None
    assert diff.total.change is None
    assert "unknown whether better or worse" in render_diff(diff)


def test_without_times_on_both_sides_bytes_are_compared():
    diff = compare(make_report([make_kernel("a", None)], device=None), make_report([make_kernel("a", 1.0)]))
    assert diff.measure == "bytes"
    assert diff.total.before == 876_544


def test_a_report_does_not_differ_from_itself():
    report = make_report([make_kernel("a", 0.1), make_kernel("b", 0.2)])
    diff = compare(report, report)
    assert diff.count("unchanged") == 2
    assert diff.warnings == ()
    assert "0.3000 ms → 0.3000 ms, the same: 2 unchanged" in render_diff(diff)


def test_networks_without_a_common_name_are_compared_by_totals_and_kinds_and_it_is_said():
    diff = compare(make_report([make_kernel("a")]), make_report([make_kernel("b")]))
    assert any("only totals and kinds" in warning for warning in diff.warnings)
    assert "gone" not in render_diff(diff)
    assert "gone" in render_diff(diff, detail=1)


def test_different_targets_are_said():
    diff = compare(make_report([make_kernel()]), make_report([make_kernel()], target={"precision": "int8"}))
    assert "the precision differs: fp16 and int8" in diff.warnings


def test_the_first_line_is_the_verdict_and_the_table_has_signs():
    before = report_of(a=1.0, b=1.0, gone=0.5, same=1.0)
    after = report_of(a=1.19, b=0.8, new=0.25, same=1.0)
    lines = render_diff(compare(before, after)).splitlines()
    assert lines[0] == (
        "latency 3.500 ms → 3.240 ms, 7.4 % faster: 1 slower, 1 faster, 1 added, 1 removed, 1 unchanged"
    )
    table = {line.split()[-1]: line for line in lines if line}
    assert "+0.1900  +19.0 %" in table["a"]
    assert "-0.5000     gone" in table["gone"]
    assert "+0.2500      new" in table["new"]
    assert any("[1 unchanged]" in line for line in lines)


def test_what_else_changed_in_a_row_is_said_beside_it():
    before = make_report([make_kernel("conv", 1.0), make_kernel("relu", 0.5, bound="memory")])
    after = make_report([make_kernel("conv + relu", 1.0, origin=("conv", "relu"), precision="i8")])
    assert "2 → 1 kernel, f16 → i8, compute/memory → compute" in render_diff(compare(before, after))


def test_totals_that_did_not_change_are_only_named():
    text = render_diff(compare(make_report([make_kernel("a", 1.0)]), make_report([make_kernel("a", 2.0)])))
    assert "+1.000 ms  +100.0 %  latency_ms" in text
    assert "unchanged: macs, flops" in text


def test_json_has_both_totals_and_every_row():
    before, after = make_report([make_kernel("a", 1.0)]), make_report([make_kernel("a", None), make_kernel("b", 1.0)])
    document = json.loads(render_diff(compare(before, after, "latency"), "json"))
    assert document["schema"] == "graphcost.diff/1"
    assert document["totals"]["latency_ms"] == {"before": 1.0, "after": None, "change": None, "part": None}
    assert {row["name"]: row["status"] for row in document["rows"]} == {"a": "changed", "b": "added"}


def test_markdown_folds_all_but_the_biggest_changes():
    before = make_report([make_kernel(f"k{i}", 1.0) for i in range(30)])
    after = make_report([make_kernel(f"k{i}", 1.0 + i / 10) for i in range(30)])
    text = render_diff(compare(before, after), "markdown")
    assert text.startswith("### little.onnx: latency 30.00 ms → ")
    assert "<summary>19 other changes</summary>" in text
    assert "| k29 |" in text.split("<details>")[0]


def test_rows_that_do_not_fit_are_one_row():
    before = make_report([make_kernel(f"k{i}", 1.0) for i in range(60)])
    after = make_report([make_kernel(f"k{i}", 2.0) for i in range(60)])
    text = render_diff(compare(before, after), screen=Screen(100))
    others = next(line for line in text.splitlines() if "[35 others]" in line)
    assert others.split()[:4] == ["35.0000", "70.0000", "+35.0000", "+100.0"]
    assert "others" not in render_diff(compare(before, after), top=0)


def test_effort_grows_linearly_with_the_number_of_kernels():
    def calls_per_kernel(number):
        kernels = [replace(make_kernel(), name=f"k{i}", origin=(f"k{i}", f"k{i + 1}")) for i in range(0, 2 * number, 2)]
        return calls(lambda: match(kernels, kernels)) / number

    assert calls_per_kernel(5000) < 1.1 * calls_per_kernel(500)


def test_a_long_chain_of_shared_nodes_is_one_row():
    before = [make_kernel(f"a{i}", origin=(f"n{i}", f"n{i + 1}")) for i in range(3000)]
    after = [make_kernel(f"b{i}", origin=(f"n{i}",)) for i in range(3001)]
    assert pairs(before, after) == [(3000, 3001)]


def test_training_steps_are_compared_figure_by_figure():
    model = Path(__file__).parents[1] / "examples" / "models" / "train" / "squeezenet1_1.onnx"
    small, large = (graphcost.analyze(model, "tx2", batch=batch, training=TrainingOptions()) for batch in (1, 4))
    totals = compare(small, large).totals
    kept = totals["training.saved_activation_bytes"]
    assert (kept.before, kept.after) == tuple(r.totals.training.saved_activation_bytes for r in (small, large))
    assert "training.step_ms" in render_diff(compare(small, large))
    assert not [key for key in compare(make_report([]), make_report([])).totals if key.startswith("training")]
