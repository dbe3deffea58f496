"""Boards side by side."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import graphcost
from graphcost.boards import compare_boards, split_devices
from graphcost.cli.app import app_for
from graphcost.errors import UsageError
from graphcost.render.boards import render_boards
from graphcost.render.columns import Screen

MODEL = str(Path(__file__).parent.parent / "examples" / "models" / "resnet18.onnx")
DEVICES = ["nano", "tx2", "orin-nano@7W"]


@pytest.fixture(scope="module")
def boards():
    return compare_boards(MODEL, DEVICES, precision="fp16")


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(app_for(()), ["analyze", MODEL, "--fp16", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_each_board_has_the_figures_of_an_analysis_of_its_own(boards):
    for device, report in zip(DEVICES, boards.reports):
        assert report.totals == graphcost.analyze(MODEL, device, precision="fp16").totals


def test_the_table_has_a_line_for_each_board_in_the_order_asked_for(boards):
    lines = render_boards(boards).splitlines()
    assert [line.split()[0] for line in lines[3:6]] == ["nano@MAXN", "tx2@MAXN", "orin-nano@7W"]
    assert all(title in lines[2] for title in ("latency", "90 %", "memory", "compute-bound", "memory-bound", "trust"))


def test_a_terminal_of_80_columns_keeps_latency_and_drops_what_does_not_fit(boards):
    lines = render_boards(boards, screen=Screen(width=80)).splitlines()
    assert all(len(line) <= 80 for line in lines)
    heading = next(line for line in lines if line.startswith("board"))
    assert "latency" in heading and "launch-bound" not in heading


def test_boards_that_a_terminal_does_not_take_side_by_side_stand_below(boards):
    lines = render_boards(boards, by_kernel=True, screen=Screen(width=48), top=2).splitlines()
    assert all(len(line) <= 48 for line in lines)
    headings = [line.split() for line in lines if line.endswith("kernel")]
    assert headings == [["nano@MAXN", "tx2@MAXN", "kernel"], ["orin-nano@7W", "kernel"]]
    assert sum("TOTAL" in line for line in lines) == 2


def test_bounds_are_shares_of_the_latency_that_sum_to_all(boards):
    for row in json.loads(render_boards(boards, "json"))["boards"]:
        assert sum(row[f"{bound}_bound_share"] for bound in ("compute", "memory", "launch")) == pytest.approx(1.0)


def test_by_kernel_every_kernel_of_every_board_stands_once_and_sums_to_the_totals(boards):
    rows = list(csv.DictReader(io.StringIO(render_boards(boards, "csv", by_kernel=True))))
    for report in boards.reports:
        name = f"{report.target.device}@{report.target.power_mode}_ms"
        told = [float(row[name]) for row in rows if row[name]]
        assert len(told) == len(report.kernels)
        assert sum(told) == pytest.approx(report.totals.latency_ms)


def test_the_command_takes_several_devices_in_all_formats():
    assert "tx2@MAXN" in invoke("--device", "nano,tx2")
    assert "TOTAL" in invoke("--device", "nano,tx2", "--by-kernel")
    assert "| nano@MAXN |" in invoke("--device", "nano,tx2", "--format", "markdown")
    assert len(json.loads(invoke("--device", "nano,tx2", "--format", "json"))["boards"]) == 2


def test_an_option_for_one_board_is_refused_with_several():
    done = CliRunner().invoke(app_for(()), ["analyze", MODEL, "--device", "nano,tx2", "--sort", "flops"])
    assert isinstance(done.exception, UsageError) and "--sort is for one board" in str(done.exception)


def test_the_top_rows_are_the_biggest_kernels_and_the_others_stand_in_one_row(boards):
    shown = render_boards(boards, by_kernel=True, top=3).splitlines()[3:]
    assert len(shown) == 5 and "others]" in shown[-2] and "TOTAL" in shown[-1]
    for column, report in enumerate(boards.reports):
        told = [float(line.split()[column]) for line in shown]
        assert sum(told[:-1]) == pytest.approx(told[-1], abs=4e-4)
        assert told[0] == pytest.approx(max(kernel.latency_ms for kernel in report.kernels), rel=0.2)


def test_rows_are_chosen_among_kernels_only():
    done = CliRunner().invoke(app_for(()), ["analyze", MODEL, "--device", "nano,tx2", "--top", "3"])
    assert isinstance(done.exception, UsageError) and "give --by-kernel too" in str(done.exception)


def test_the_path_of_a_file_may_hold_a_comma(tmp_path):
    file = tmp_path / "a,b.toml"
    file.write_text('inherits = "nano"\nsource = "test"\n')
    assert split_devices(f"{file}@MAXN") == [f"{file}@MAXN"]
    assert split_devices("nano, tx2@MAXN,") == ["nano", "tx2@MAXN"]
