"""Renderers: what a reader of a table, a CSV, a comment or a JSON file can rely on."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import pytest
from sample_reports import make_kernel, make_report, rich_report

from graphcost import report as report_room
from graphcost.errors import ModelError, UnknownName, UsageError
from graphcost.files import write_atomic
from graphcost.render import one_of, render
from graphcost.render.columns import Column, Screen, elide, fold, lay_out
from graphcost.render.device_list import render_devices, render_devices_json
from graphcost.render.units import count, milliseconds, plural, share, significant, size
from graphcost.saved_report import is_saved_report, load_report, report_from_json

SCHEMA = Path(report_room.__file__).parent / "schema" / "report-1.json"


@pytest.fixture(scope="module")
def schema():
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def many(number, **changes):
    return make_report([make_kernel(f"k{i}", 0.1 + i / 100) for i in range(number)], **changes)


def lines_of(report, **options):
    return render(report, **options).splitlines()


# Units


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (count(4089284608), "4.09 G"),
        (count(999_999), "1.00 M"),
        (count(0), "0"),
        (count(None), "-"),
        (size(102760448), "98.0 MiB"),
        (size(1023), "1023 B"),
        (size(1024 * 1024 - 1), "1.0 MiB"),
        (size(-2048), "-2.0 KiB"),
        (share(0.8013), "80.1 %"),
        (share(0.99999), "99.9 %"),
        (share(1.0), "100.0 %"),
        (share(sum([0.1] * 10)), "100.0 %"),
        (share(None), "-"),
        (milliseconds(12.3456), "12.35 ms"),
        (milliseconds(0.00012345), "0.0001234 ms"),
        (milliseconds(123456.7), "123457 ms"),
        (significant(0), "0"),
        (plural(1, "kernel"), "1 kernel"),
        (plural(1234, "kernel"), "1,234 kernels"),
    ],
)
def test_numbers_are_written_as_people_read_them(shown, expected):
    assert shown == expected


# Columns


def test_a_narrow_terminal_loses_columns_of_high_rank_then_the_middle_of_the_last_one():
    columns = [Column("a", ["1"]), Column("extra", ["22222222"], rank=1), Column("name", ["x" * 30 + "y" * 30], "<")]
    heading, row = lay_out(columns, Screen(width=30))
    assert "extra" not in heading
    assert len(row) == 30
    assert row.startswith("1  x")
    assert "…" in row
    assert row.endswith("y")


def test_without_a_terminal_nothing_is_cut():
    assert lay_out([Column("a", ["1"]), Column("name", ["x" * 500], "<")])[1].endswith("x" * 500)


@pytest.mark.parametrize("width", [1, 2, 3, 10])
def test_an_elided_text_has_the_width_that_was_asked_for(width):
    assert len(elide("abcdefghijkl", width)) == width


# The table


def test_the_first_line_says_what_the_figures_are_for_and_what_latency_means():
    assert lines_of(rich_report())[0] == (
        "nano@MAXN · tensorrt-8.2 · fp16 · batch 1 · "
        "latency = GPU compute time of one inference, without copies, clocks at maximum"
    )


def test_a_kernel_that_nobody_can_estimate_has_a_dash_and_makes_the_total_a_lower_limit():
    rows = lines_of(rich_report())
    plugin = next(line for line in rows if line.endswith('custom|"op", <1>'))
    assert plugin.split()[1:3] == ["-", "-"]
    total = next(line for line in rows if "TOTAL" in line)
    assert "≥1.2821" in total
    assert "≥115.61 M" in total
    assert "latency      unknown: 1 kernel of 4 without an estimate" in rows


def test_the_rows_of_a_small_network_stand_in_execution_order():
    names = [line.split()[-1] for line in lines_of(many(5)) if " analytic " in line]
    assert names == ["k0", "k1", "k2", "k3", "k4"]


def test_of_a_big_network_the_biggest_kernels_are_shown_and_the_others_are_one_row():
    rows = [line for line in lines_of(many(100)) if " analytic " in line]
    assert [line.split()[-1] for line in rows] == [f"k{i}" for i in range(99, 74, -1)]
    others = next(line for line in lines_of(many(100)) if "[75 others]" in line)
    shown = sum(float(line.split()[1]) for line in rows)
    total = next(line for line in lines_of(many(100)) if "TOTAL" in line)
    assert shown + float(others.split()[0]) == pytest.approx(float(total.split()[0]), abs=1e-3)


def test_top_0_shows_all_rows_and_sort_orders_them():
    rows = [line for line in lines_of(many(100), top=0, sort="latency") if " analytic " in line]
    assert len(rows) == 100
    assert rows[0].endswith("k99")


def test_rows_without_a_figure_come_first_when_sorted_by_it():
    report = make_report([make_kernel("a", 1.0), make_kernel("b", None), make_kernel("c", 2.0)])
    names = [line.split()[-1] for line in lines_of(report, sort="latency") if " f16 " in line]
    assert names == ["b", "c", "a"]


def test_sorting_by_memory_shows_what_lives_while_a_kernel_runs():
    assert " live " in render(many(3), sort="memory")


def test_without_a_device_there_is_work_and_memory_and_no_column_of_times():
    text = render(make_report([make_kernel("a", None)], device=None))
    assert text.startswith("no device · ")
    assert "latency ms" not in text
    assert "bound" not in text.splitlines()[3]
    assert "115.61 M MACs (115,605,504)" in text


def test_totals_by_kind_and_bound_count_their_kernels_and_sum_to_all():
    text = render(rich_report())
    kinds = text.split("by kind\n")[1].split("\n\n")[0].splitlines()
    assert [line.split()[-1] for line in kinds] == ["conv", "reformat", "plugin", "view"]
    assert sum(int(line.split()[0]) for line in kinds) == 4


def test_unknown_nodes_and_warnings_are_listed_and_eliminated_nodes_counted():
    text = render(rich_report())
    assert "unknown: trt.plugins.Custom 'custom|\"op\", <1>': no formula for this operator" in text
    assert "warning: dimension 'batch' of input 'x' is not given: 1 is assumed" in text
    assert "1 node that no kernel stands for (-v lists them)" in text
    assert "eliminated: dropout: does nothing in inference" in render(rich_report(), detail=1)


def test_many_unknown_nodes_are_counted_unless_all_are_asked_for():
    unknown = tuple(report_room.UnknownNode(f"n{i}", "x.Y", "no formula") for i in range(20))
    report = replace(many(2), unknown=unknown)
    assert "… 12 more unknown nodes (-v lists them)" in render(report)
    assert render(report, detail=1).count("no formula") == 20


def test_a_quiet_table_has_only_the_summary():
    text = render(rich_report(), detail=-1)
    assert "by kind" not in text
    assert "coverage" in text


def test_what_is_not_known_of_the_memory_is_named_and_not_counted_as_zero():
    text = render(many(2))
    assert "weights 48.0 MiB + arena 3.1 MiB = 51.1 MiB; unknown: workspace, context" in text
    assert "unknown whether it fits" in text


def test_an_empty_network_has_a_table_too():
    assert "TOTAL 0 kernels" in render(make_report([]))


def test_colours_are_for_terminals_only():
    assert "\x1b[" not in render(rich_report())
    assert "\x1b[" in render(rich_report(), screen=Screen(120, colour=True))


def test_every_line_fits_the_terminal():
    report = make_report([make_kernel("very/long/name/" * 20, 0.5) for _ in range(3)])
    assert max(len(line) for line in lines_of(report, screen=Screen(100))) <= 100


# CSV, Markdown, JSON


def test_csv_has_a_row_for_each_kernel_and_unknown_is_empty():
    rows = list(csv.DictReader(io.StringIO(render(rich_report(), "csv"))))
    assert [row["name"] for row in rows] == [kernel.name for kernel in rich_report().kernels]
    assert rows[2]["latency_ms"] == ""
    assert rows[3]["latency_ms"] == "0.0"
    assert rows[0]["origin"] == "conv1; relu1"
    assert rows[0]["inputs"] == "x: f16[1,64,56,56]:chw2"


def test_markdown_begins_with_the_verdict_and_escapes_what_would_break_a_table():
    text = render(rich_report(), "markdown")
    assert text.startswith("### little.onnx: latency unknown\n")
    assert 'custom\\|"op", &lt;1>' in text
    assert text.count("<details>") == text.count("</details>")


def test_markdown_folds_all_but_the_biggest_kernels():
    text = render(many(60), "markdown")
    head, folded = text.split("<summary>50 other kernels</summary>")
    assert "k59" in head
    assert "| k0 |" in folded


def test_json_is_valid_under_the_schema_that_the_package_brings(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    for report in (rich_report(), many(3), make_report([], device=None)):
        jsonschema.validate(json.loads(render(report, "json")), schema)


def test_the_schema_names_every_key_of_the_report_and_no_other(schema):
    definitions = {
        "": report_room.Report,
        "model": report_room.ModelInfo,
        "target": report_room.TargetInfo,
        "totals": report_room.Totals,
        "training": report_room.TrainingTotals,
        "kernel": report_room.Kernel,
        "tensor": report_room.Tensor,
        "memory": report_room.Memory,
    }
    for name, kind in definitions.items():
        properties = (schema["$defs"][name] if name else schema)["properties"]
        assert set(properties) == {f.name for f in fields(kind)}, name


def test_json_has_a_line_for_each_kernel_and_null_for_the_unknown():
    lines = render(rich_report(), "json").splitlines()
    assert sum(line.startswith('    {"name": ') for line in lines) == 4
    assert '    "latency_ms": null,' in lines


def test_json_refuses_numbers_that_are_none():
    with pytest.raises(ValueError):
        render(make_report([make_kernel("a", float("nan"))]), "json")


# Saved reports


def test_a_saved_report_reads_back_as_it_was(tmp_path):
    path = tmp_path / "report.json"
    path.write_text(render(rich_report(), "json"), encoding="utf-8")
    assert is_saved_report(path)
    assert load_report(path) == rich_report()


def test_keys_of_later_versions_are_ignored_and_keys_of_earlier_ones_may_lack():
    document = rich_report().to_json()
    document["carbon"] = {"grams": 3}
    document["kernels"][0]["colour"] = "red"
    del document["memory"]
    del document["totals"]["latency_known_ms"]
    loaded = report_from_json(document)
    assert loaded.kernels == rich_report().kernels
    assert loaded.memory.fits is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d.pop("schema"), "is not a report of graphcost"),
        (lambda d: d.update(schema="graphcost.report/7"), "graphcost.report/7, of which"),
        (lambda d: d.pop("totals"), "no 'totals'"),
        (lambda d: d["kernels"][1].update(latency_ms="fast"), "'kernels[1].latency_ms' is \"fast\", not a number"),
        (lambda d: d["totals"].update(macs=1.5), "'totals.macs' is 1.5, not an integer"),
        (lambda d: d["totals"].update(macs=True), "'totals.macs' is true, not an integer"),
        (lambda d: d.update(kernels={}), "'kernels' is not a list"),
    ],
)
def test_what_is_not_a_report_is_refused_in_one_sentence(change, sentence):
    document = rich_report().to_json()
    change(document)
    with pytest.raises(ModelError, match="(?s).") as caught:
        report_from_json(document, "old.json")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"schema": NaN}', "[" * 100_000])
def test_a_broken_file_is_a_model_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "report.json"
    path.write_text(content)
    with pytest.raises(ModelError):
        load_report(path)


# Files and lists


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.txt"
    write_atomic(path, "first")
    write_atomic(path, "second")
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link_when_its_file_is_written(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_atomic(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "text"


def test_a_place_that_cannot_be_written_is_a_usage_error(tmp_path):
    for path in (tmp_path / "no" / "such" / "folder", tmp_path):
        with pytest.raises(UsageError, match="cannot write"):
            write_atomic(path, "text")


def test_names_are_accepted_in_any_case_and_others_listed():
    assert one_of("format", "JSON", ("table", "json")) == "json"
    with pytest.raises(UnknownName, match="accepted: table, json"):
        one_of("format", "xml", ("table", "json"))


def test_of_many_names_the_first_are_listed_and_the_others_counted():
    with pytest.raises(UnknownName, match="accepted: n0, .*, n11 and 8 more$"):
        one_of("format", "zzz", tuple(f"n{i}" for i in range(20)))


def test_the_list_of_devices_marks_the_default_mode_and_knows_none_from_unknown():
    from graphcost.device import list_devices

    text = render_devices(list_devices())
    nano = next(line for line in text.splitlines() if line.startswith("nano "))
    assert "MAXN* 5W" in nano
    assert "none" in nano
    document = json.loads(render_devices_json(list_devices()))
    nano = next(entry for entry in document["devices"] if entry["id"] == "nano")
    assert [mode["mode"] for mode in nano["modes"]] == ["MAXN", "5W"]
    assert nano["modes"][0]["dram_sustained_gb_per_s"] is None or nano["modes"][0]["dram_sustained_gb_per_s"] > 0


def test_a_line_does_not_break_between_a_figure_and_its_unit():
    told = "20.8 MiB read, 13.1 MiB written and 39 % of 300.77 M multiply-adds in 9.463 ms, all of them by one kernel"
    for width in range(40, 80):
        ends = [line.split()[-1] for line in fold(told, Screen(width))[:-1]]
        assert not [end for end in ends if end.replace(".", "").isdigit()], width
        assert " ".join(fold(told, Screen(width))) == told
