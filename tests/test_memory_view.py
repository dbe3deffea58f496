"""What `graphcost memory` shows: the timeline, the peak by module, the command itself."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sample_reports import MIB, make_kernel, make_report
from test_memory import IN_PLACE, Net

from graphcost.ir import Node, Value
from graphcost.memory import by_module, liveness
from graphcost.memory.modules import path_of_node, path_of_scopes, path_of_weight
from graphcost.origin import Origin
from graphcost.render import render
from graphcost.render.columns import Screen
from graphcost.render.memory_view import View, by_depth, render_memory
from graphcost.render.timeline import ASCII, BLOCKS, draw_timeline, letters_for
from graphcost.report import Holder, Memory
from graphcost.types import TensorType

# The timeline


def test_a_column_is_as_high_as_its_part_of_the_peak():
    lines = draw_timeline([4, 8, 1], Screen(30))
    cells = [line[5:] for line in lines]
    assert lines[0] == "8 B ┤    ████"
    assert lines[4] == "4 B ┤████████"
    assert cells[7] == "████████████"
    assert lines[8:] == ["  0 └────────────", "         ▲ peak"]


def test_what_is_little_still_shows():
    assert draw_timeline([1, 100_000], Screen(20))[7].endswith("▁▁▁▁████")


def test_letters_that_a_terminal_lacks_are_not_drawn():
    lines = draw_timeline([4, 8, 1], Screen(30, encoding="ascii"))
    assert "\n".join(lines).isascii()
    assert lines[0] == "8 B |    ####"
    assert lines[-1] == "         ^ peak"
    assert [letters_for(e) for e in ("utf-8", "latin-1", "nonsense", None)] == [BLOCKS, ASCII, ASCII, ASCII]


@pytest.mark.parametrize("count", [1, 3, 70, 71, 1000, 100_000])
@pytest.mark.parametrize("width", [None, 30, 80, 200])
@pytest.mark.parametrize("where", [1 / 3, 1.0])
def test_the_chart_is_as_wide_as_the_terminal_and_marks_the_peak(count, width, where):
    timeline = [1000 + i % 17 for i in range(count)]
    timeline[int(where * (count - 1))] = 5000
    lines = draw_timeline(timeline, Screen(width))
    assert max(map(len, lines)) <= (width or 80)
    mark = lines[-1].index("▲")
    assert lines[0][mark] == "█"
    assert lines[0].count("█") <= 4


def test_where_nothing_is_in_memory_nothing_is_drawn():
    assert draw_timeline([]) == draw_timeline([0, 0]) == []


def test_the_peak_has_a_colour_where_the_terminal_has():
    assert "\x1b[31m█" in draw_timeline([1, 2], Screen(80, colour=True))[0]


# Modules


@pytest.mark.parametrize(
    ("path", "name", "wanted"),
    [
        (path_of_node, "/layer1/layer1.0/conv1/Conv", "layer1 0 conv1"),
        (path_of_node, "/layer1/0/conv1/Conv", "layer1 0 conv1"),
        (path_of_node, "/model.22/cv3.0/cv3.0.1/conv/Conv", "model 22 cv3 0 1 conv"),
        (path_of_node, "block1/conv/Conv2D", "block1 conv"),
        (path_of_node, "/Relu", ""),
        (path_of_node, "Conv_5", None),
        (path_of_weight, "layer1.0.conv1.weight", "layer1 0 conv1"),
        (path_of_weight, "onnx::Conv_645", None),
        (path_of_weight, "/a/Constant_1.output", None),
        (path_of_weight, "weight", None),
        (path_of_scopes, "['', 'layer1', 'layer1.0', 'layer1.0.conv1', 'conv2d_1']", "layer1 0 conv1"),
        (path_of_scopes, "['', 'relu']", ""),
        (path_of_scopes, "['_empty_nn_module_stack_from_metadata_hook', 'sym_size']", None),
        (path_of_scopes, "", None),
    ],
)
def test_exporters_tell_the_module_in_their_own_ways(path, name, wanted):
    assert path(name) == (None if wanted is None else tuple(wanted.split()))


def test_the_peak_is_told_by_module():
    net = Net(5)
    named = Value("a", TensorType("u8", (30,)))
    net.graph.append(Node("my.Op", net.graph.inputs, [named], name="/layer1/layer1.0/conv1/Conv"))
    weight = net.graph.add_weight(Value("layer2.fc.weight", TensorType("u8", (7,))))
    by_weight = net.run([*net.graph.inputs, weight], 40)
    near = net.run([by_weight], 50)
    scoped = Value("s", TensorType("u8", (60,)))
    origin = [Origin("add_1")]
    net.graph.append(Node("my.Op", [named, by_weight, near, *net.graph.inputs], [scoped], origin=origin))
    found = liveness(net.graph, IN_PLACE)
    assert by_module(found, {"add_1": "['', 'head', 'head.act', 'add_1']"}) == {
        "layer2/fc": 40 + 50, "head/act": 60, "layer1/0/conv1": 30, "(input)": 5,
    }  # fmt: skip
    assert sum(by_module(found, {}).values()) == found.peak_activation_bytes


def test_a_weight_that_several_read_says_nothing_of_the_module():
    net = Net(5)
    weight = net.graph.add_weight(Value("layer2.fc.weight", TensorType("u8", (7,))))
    net.graph.outputs = [net.run([*net.graph.inputs, weight], 40), net.run([weight], 1)]
    assert by_module(liveness(net.graph, IN_PLACE), {}) == {"": 40, "(input)": 5}


def test_modules_are_summed_up_to_a_depth():
    modules = [Holder("a/b/c", 1), Holder("a/b", 2), Holder("a/d", 9), Holder("", 5)]
    assert by_depth(modules, 2) == [Holder("a/d", 9), Holder("(no module)", 5), Holder("a/b", 3)]
    assert by_depth(modules, 1) == [Holder("a", 12), Holder("(no module)", 5)]
    assert by_depth(modules, None)[-1] == Holder("a/b/c", 1)


# The whole


MEMORY = Memory(
    peak_at="conv2",
    holders=(Holder("x", 6 * MIB), Holder("y", 2 * MIB)),
    timeline=(4 * MIB, 8 * MIB, MIB),
    arena_lower_bound_bytes=8 * MIB,
    usable_ram_bytes=None,
    fits=None,
    fits_reason="",
    peak_modules=(Holder("layer1/0/conv1", 6 * MIB), Holder("", 2 * MIB)),
    arena_strategy="by-breadth",
    reorder_gain_bytes=MIB,
)


def report_of(memory: Memory = MEMORY, peak: int | None = 8 * MIB, arena: int | None = 10 * MIB):
    totals: dict[str, int | None] = {"peak_activation_bytes": peak, "arena_bytes": arena, "weight_bytes": MIB}
    return replace(make_report([make_kernel()], totals=totals), memory=memory)


def test_the_summary_says_what_holds_the_peak_how_it_is_planned_and_what_could_be_gained():
    text = render_memory(report_of(), View(timeline=False), {"shared-blocks": 12 * MIB})
    assert "peak     8.0 MiB at conv2, number 1 of 3 nodes" in text
    assert "arena    10.0 MiB, 1.25 × the lower bound, by strategy by-breadth (shared-blocks 12.0 MiB)" in text
    assert "another order of execution lowers the peak by 1.0 MiB (12.5 %): --reorder" in text
    assert "    6.0 MiB  75.0 %  layer1/0/conv1" in text
    assert "    2.0 MiB  25.0 %  (no module)" in text
    assert "▲" not in text


def test_what_is_not_known_is_told_as_unknown():
    text = render_memory(report_of(peak=None, arena=None), View(), {})
    assert "peak     at least 8.0 MiB" in text
    assert "arena    unknown" in text


def test_the_summary_of_an_analysis_suggests_another_order_only_where_it_is_worth_it():
    assert "suggestion: another order of execution lowers the peak by 1.0 MiB (12.5 %)" in render(report_of())
    assert "suggestion" not in render(report_of(peak=100 * MIB))
    assert "suggestion" in render(report_of(peak=100 * MIB), detail=1)


def graphcost(*arguments: object, encoding: str = "utf-8") -> str:
    command = [sys.executable, "-m", "graphcost", *map(str, arguments)]
    environment = {"PYTHONIOENCODING": encoding, "PATH": ""}
    return subprocess.run(command, capture_output=True, check=True, env=environment).stdout.decode(encoding)


def test_the_command_shows_everything_or_what_is_asked_for(shared):
    model = shared / "models" / "resnet50.ts17.onnx"
    everything = graphcost("memory", model)
    assert "▲ peak" in everything
    assert "layer1/0/conv3" in everything
    asked = graphcost("memory", model, "--by-module", "--depth", 1)
    assert "▲" not in asked
    assert "100.0 %  layer1" in asked
    assert "module" not in graphcost("memory", model, "--timeline").split("peak", 1)[1]


def test_the_chart_on_a_terminal_without_block_letters_is_ascii(shared):
    text = graphcost("memory", shared / "models" / "resnet50.ts17.onnx", "--timeline", encoding="ascii")
    assert "^ peak" in text
    assert "\\u2588" not in text


def test_so_is_the_chart_of_a_training_step():
    model = Path(__file__).parents[1] / "examples" / "models" / "train" / "resnet18.onnx"
    text = graphcost("analyze", model, "--training", encoding="ascii")
    assert "^ peak" in text
    assert "\\u2588" not in text


def test_reorder_is_an_option_of_the_analysis_and_its_gain_a_key_of_the_report(shared):
    model = shared / "models" / "torchvision" / "shufflenet_v2_x2_0_224.onnx"
    before = json.loads(graphcost("analyze", model, "--format", "json"))
    after = json.loads(graphcost("analyze", model, "--format", "json", "--reorder"))
    gain = before["totals"]["peak_activation_bytes"] - after["totals"]["peak_activation_bytes"]
    assert before["memory"]["reorder_gain_bytes"] == gain > 0
    assert after["memory"]["reorder_gain_bytes"] == 0
    assert before["memory"]["arena_strategy"] == "by-size"
    peak = before["totals"]["peak_activation_bytes"]
    assert sum(module["bytes"] for module in before["memory"]["peak_modules"]) == peak
