"""Sweeps: every cell is what an analysis at its sizes says, and every formula too, wherever it says that it holds."""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy
import onnx_models
import pytest

import graphcost
from graphcost.cli import main
from graphcost.errors import ModelError, UsageError, UserError
from graphcost.importer import Sizes, Template, load, read_model
from graphcost.ir import Graph, Node, Value
from graphcost.plugin import Registry
from graphcost.render.sweep import render_sweep
from graphcost.sweep import Cell, Formula, Sweep, sweep
from graphcost.sweep import table as table_room
from graphcost.sweep.axes import Axis, combinations, parse_axes
from graphcost.sweep.frame import mould, values_of
from graphcost.sweep.polynomial import Polynomial, interpolate, spell
from graphcost.text import print_graph
from graphcost.types import TensorType

EXAMPLES = Path(__file__).parent.parent / "examples" / "models"
BERT = EXAMPLES / "bert_mini_dynamic.onnx"
SHARED = ("bert_mini4.dynbatch", "llama_mini4.dynbatch", "vit_base_patch16_224.dynbatch", "resnet50.dynbatch")
STATIC = ("gpt2_mini4.ts17", "resnet50.ts17")

TOTALS = ("macs", "flops", "bytes_read", "bytes_written", "weight_bytes", "peak_activation_bytes", "latency_ms")


def analysed(model, sizes, device=None, **options):
    """The totals of an analysis of its own."""
    sizes = dict(sizes)
    batch = sizes.pop("batch") if "batch" in sizes and not options.pop("batch_is_a_symbol", False) else None
    return graphcost.analyze(model, device, batch=batch, dims=sizes, **options).totals


def figures(totals) -> dict[str, object]:
    return {name: getattr(totals, name) for name in TOTALS}


@pytest.fixture(scope="module")
def image_net(tmp_path_factory) -> Path:
    """Strides 2, 2 and a pool of 2 over images of any size, then attention between pixels."""
    node, value, weight = onnx_models.node, onnx_models.value, onnx_models.weight
    nodes = [
        node("Conv", ["x", "w0"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Conv", ["a", "w1"], ["b"], pads=[1, 1, 1, 1], strides=[2, 2]),
        node("MaxPool", ["b"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Reshape", ["m", "shape"], ["s"]),
        node("Transpose", ["s"], ["t"], perm=[0, 2, 1]),
        node("MatMul", ["t", "s"], ["y"]),
    ]
    weights = [weight("w0", 8, 3, 3, 3), weight("w1", 16, 8, 3, 3), onnx_models.ints("shape", [0, 16, -1])]
    made = onnx_models.model(nodes, [value("x", ["n", 3, "h", "w"])], [value("y", None)], weights)
    path = tmp_path_factory.mktemp("models") / "image_net.onnx"
    path.write_bytes(made.SerializeToString())
    return path


# What the user types


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("batch=1,8,32", (1, 8, 32)),
        ("seq=128:1024:128", tuple(range(128, 1025, 128))),
        ("n=1:4", (1, 2, 3, 4)),
        ("n=1, 4:8:2 ,32", (1, 4, 6, 8, 32)),
        ("n=1:10:4", (1, 5, 9)),
        ("n=8,8,1", (8, 1)),
    ],
)
def test_sizes_are_lists_and_ranges_with_both_ends(text, values):
    (axis,) = parse_axes([text])
    assert axis.values == values


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["batch"], "cannot read sweep 'batch'; write NAME=1,8,32"),
        (["=4"], "cannot read sweep '=4'"),
        (["batch="], "cannot read sweep 'batch='"),
        (["batch=1,,2"], "cannot read sweep"),
        (["batch=-1"], "cannot read sweep"),
        (["batch=1:2:3:4"], "cannot read sweep"),
        (["batch=0"], "sizes begin at 1 and grow"),
        (["batch=8:1"], "sizes begin at 1 and grow"),
        (["batch=1:8:0"], "sizes begin at 1 and grow"),
        (["batch=1", "batch=2"], "'batch' is given twice"),
        (["batch=1:1000000000"], "more than the 10,000 cells"),
        (["batch=1:200", "seq=1:200"], "40,000 cells are more than the 10,000"),
    ],
)
def test_what_cannot_be_swept_is_told_in_a_sentence(texts, sentence):
    with pytest.raises(UsageError, match=sentence.replace("(", r"\(")):
        parse_axes(texts)


def test_cells_are_all_combinations_the_last_axis_fastest():
    found = combinations([Axis("a", (1, 2)), Axis("b", (3, 4))])
    assert [tuple(cell.values()) for cell in found] == [(1, 3), (1, 4), (2, 3), (2, 4)]


def test_an_unknown_dimension_is_refused_with_those_that_there_are():
    with pytest.raises(UserError, match="unknown dimension to sweep 'length'; accepted: batch, seq"):
        sweep(BERT, ["length=1,2"])
    with pytest.raises(UserError, match="accepted: batch"):
        sweep(EXAMPLES / "resnet18.onnx", ["seq=1,2"])


def test_a_dimension_that_is_fixed_cannot_be_swept():
    with pytest.raises(UsageError, match="'seq' is fixed and swept at once"):
        sweep(BERT, ["seq=1,2"], dims=["seq=4"])
    with pytest.raises(UsageError, match="'batch' is fixed and swept at once"):
        sweep(BERT, ["batch=1,2"], batch=4)


def test_a_cell_at_which_the_model_does_not_work_is_named(image_net):
    with pytest.raises(UserError, match=r"at h=1: .*window of 2 does not fit"):
        sweep(image_net, ["h=1,64"], dims=["w=64"])


# Cells


@pytest.mark.parametrize("device", [None, "orin-nano"])
def test_cells_are_what_analyses_of_their_own_say(device):
    found = sweep(BERT, ["batch=1,8", "seq=1,16,512"], device)
    assert [dict(cell.sizes) for cell in found.cells][:2] == [{"batch": 1, "seq": 1}, {"batch": 1, "seq": 16}]
    for cell in found.cells:
        assert figures(cell) == figures(analysed(BERT, cell.sizes, device))


@pytest.mark.parametrize("model", ["resnet18.onnx", "bert_mini.onnx", "mobilenet_v2.onnx"])
def test_static_models_are_swept_over_the_batch(model):
    for cell in sweep(EXAMPLES / model, ["batch=1,3"], "nano").cells:
        assert figures(cell) == figures(analysed(EXAMPLES / model, cell.sizes, "nano"))


@pytest.mark.parametrize("name", [*SHARED, *STATIC])
def test_cells_of_shared_networks_are_what_analyses_of_their_own_say(shared: Path, name):
    model = shared / "models" / f"{name}.onnx"
    axes = ["batch=1,5", "seq=7,128"] if "seq" in template_symbols(model) else ["batch=1,5"]
    for cell in sweep(model, axes, "orin-nano").cells:
        assert figures(cell) == figures(analysed(model, cell.sizes, "orin-nano"))


def template_symbols(model: Path) -> tuple[str, ...]:
    return Template(read_model(model), graphcost.api.set_up().registry.operators).symbols


WITHOUT_TACTICS = {"cost_models": ["roofline"]}


@pytest.mark.parametrize(
    ("device", "options"),
    [(None, {}), ("orin-nano", WITHOUT_TACTICS), ("orin-nano", {}), ("nano", {"precision": "fp16"})],
)
def test_a_large_table_is_what_cells_one_by_one_are(image_net, device, options, monkeypatch):
    """Over multiples of 8 all graphs differ in numbers only until kernels are chosen; the table then types few."""
    axes = ["h=16:72:8", "w=16:72:8"]
    quick, typed = counted(monkeypatch, lambda: sweep(image_net, axes, device, **options))
    slow, typed_all = counted(monkeypatch, lambda: sweep(image_net, axes, device, **options), trials=100)
    assert quick.cells == slow.cells
    assert (typed, typed_all) == (15, 64)


def test_each_cell_of_a_large_table_chooses_kernels_for_itself(image_net, monkeypatch):
    found, typed = counted(monkeypatch, lambda: sweep(image_net, ["h=16:512:16"], "orin-nano", dims=["w=64"]))
    assert typed < len(found.cells) == 32
    for cell in found.cells[::9]:
        assert figures(cell) == figures(analysed(image_net, {**cell.sizes, "w": 64}, "orin-nano"))


def test_a_large_table_may_begin_with_sizes_at_which_the_graph_is_another(image_net, monkeypatch):
    """An image of one pixel needs no transposition."""
    axes, one_column = ["h=8:512:8"], ["w=8"]
    found, typed = counted(monkeypatch, lambda: sweep(image_net, axes, "orin-nano", dims=one_column))
    assert typed < 32
    for cell in found.cells[::9]:
        assert figures(cell) == figures(analysed(image_net, {**cell.sizes, "w": 8}, "orin-nano"))


def test_a_large_table_whose_dimensions_are_no_polynomials_is_typed_cell_by_cell(image_net, monkeypatch):
    found, typed = counted(monkeypatch, lambda: sweep(image_net, ["h=8:71"], dims=["w=64"]))
    assert typed > 64
    for cell in found.cells[::9]:
        assert figures(cell) == figures(analysed(image_net, {**cell.sizes, "w": 64}))


def counted(monkeypatch, work, trials: int = 6) -> tuple[Sweep, int]:
    """What the work gives, and how many graphs were typed for it."""
    typed: list[Sizes] = []
    original = Template.typed
    with monkeypatch.context() as patched:
        patched.setattr(Template, "typed", lambda self, sizes: typed.append(sizes) or original(self, sizes))
        patched.setattr(table_room, "_TRIALS", trials)
        return work(), len(typed)


@pytest.mark.parametrize("model", ["bert_mini_dynamic.onnx", "bert_mini.onnx"])
def test_a_template_gives_the_graph_that_an_import_gives(model, registry: Registry):
    template = Template(read_model(EXAMPLES / model), registry.operators)
    for sizes in (Sizes(batch=3), Sizes(), Sizes(batch=1)):
        graph, _, warnings = template.typed(sizes)
        imported = load(EXAMPLES / model, registry.operators, sizes)
        assert print_graph(graph) == print_graph(imported.graph)
        assert warnings == imported.warnings


def test_what_a_file_declares_of_its_results_is_known_in_every_cell(tmp_path, registry: Registry):
    """A type that only the file tells, with symbols in it."""
    nodes = [onnx_models.node("Mystery", ["x"], ["y"], domain="my.ops"), onnx_models.node("Relu", ["y"], ["z"])]
    border = [onnx_models.value("x", ["n", 4])], [onnx_models.value("z", ["n", 9])]
    made = onnx_models.model(nodes, *border, domains={"my.ops": 1})
    made.graph.value_info.append(onnx_models.value("y", ["n", 9]))
    graph, _, _ = Template(read_model(made), registry.operators).typed(Sizes(dims={"n": 5}))
    assert graph.outputs[0].type == TensorType("f32", (5, 9))


def test_unknown_work_and_sizes_without_a_value_are_told(tmp_path):
    nodes = [onnx_models.node("Mystery", ["x"], ["y"], domain="my.ops")]
    border = [onnx_models.value("x", ["n", "m"])], [onnx_models.value("y", ["n", "m"])]
    found = sweep(onnx_models.model(nodes, *border, domains={"my.ops": 1}), ["n=1,2"])
    assert any("no work formula for my.ops.Mystery" in warning for warning in found.warnings)
    assert any("dimension 'm' has no value" in warning for warning in found.warnings)


# Formulas


def points_inside(formula: Formula, count: int, seed: int) -> list[dict[str, int]]:
    """Random sizes at which the formula says that it holds, corners among them."""
    chance = Random(seed)
    corners = [{r.symbol: end for r, end in zip(formula.ranges, ends)} for ends in ends_of(formula)]
    drawn = [{r.symbol: chance.randrange(r.low, r.high + 1, r.step) for r in formula.ranges} for _ in range(count)]
    return corners + drawn


def ends_of(formula: Formula) -> list[list[int]]:
    return [[r.low for r in formula.ranges], [r.high for r in formula.ranges]]


def verify(model: Path, found: Sweep, count: int = 3, **options) -> None:
    assert found.formulas is not None and not found.formulas.missing
    for seed, (measure, formula) in enumerate(found.formulas.by_measure.items()):
        for sizes in points_inside(formula, count, 1000 + seed):
            assert formula.at(sizes) == getattr(analysed(model, sizes, **options), measure), (measure, sizes)


def test_formulas_equal_analyses_wherever_they_say_that_they_hold():
    found = sweep(BERT, symbolic=True)
    verify(BERT, found, count=6)
    assert str(found.formulas.by_measure["macs"]) == "batch·(2,048·seq² + 3,145,728·seq + 65,536)"
    assert found.cells == ()


@pytest.mark.parametrize("name", [*SHARED, *STATIC])
def test_formulas_of_shared_networks_equal_analyses_wherever_they_say_that_they_hold(shared: Path, name):
    model = shared / "models" / f"{name}.onnx"
    verify(model, sweep(model, symbolic=True), count=1)


def test_a_static_model_has_formulas_of_its_batch():
    found = sweep(EXAMPLES / "resnet18.onnx", symbolic=True)
    assert str(found.formulas.by_measure["macs"]) == "1,814,073,344·batch"
    verify(EXAMPLES / "resnet18.onnx", found)


def test_strides_give_formulas_over_multiples_only(image_net):
    found = sweep(image_net, symbolic=True)
    macs = found.formulas.by_measure["macs"]
    assert [(r.symbol, r.low, r.step) for r in macs.ranges] == [("n", 1, 1), ("h", 8, 8), ("w", 8, 8)]
    verify(image_net, found)
    with pytest.raises(ValueError, match="was not verified at"):
        macs.at({"n": 1, "h": 12, "w": 8})


def test_a_wide_stride_does_not_hide_behind_a_plateau():
    """Between two multiples of 32 all figures but the input's are the same."""
    nodes = [onnx_models.node("Conv", ["x", "w"], ["y"], strides=[32, 32])]
    border = [onnx_models.value("x", [1, 3, "h", 64])], [onnx_models.value("y", None)]
    found = sweep(onnx_models.model(nodes, *border, [onnx_models.weight("w", 8, 3, 32, 32)]), ["h=224"], symbolic=True)
    assert [(r.low, r.step) for r in found.formulas.by_measure["macs"].ranges] == [(32, 32)]


def test_the_peak_is_the_largest_of_the_moments_that_are_the_fullest_somewhere(image_net):
    """Small images peak at the first convolution, large ones at the attention: here h·w / 64 pixels squared."""
    peak = sweep(image_net, symbolic=True).formulas.by_measure["peak_activation_bytes"]
    assert str(peak) == "max(20·n·h·w, n·h·w·(h·w + 2,048) / 1,024)"


def test_formulas_with_a_device_are_those_of_its_kernels():
    found = sweep(EXAMPLES / "resnet18.onnx", device="nano", symbolic=True, precision="fp16")
    verify(EXAMPLES / "resnet18.onnx", found, count=1, device="nano", precision="fp16")


def test_formulas_are_found_around_the_sizes_that_are_swept():
    found = sweep(BERT, ["batch=8,16", "seq=384:512:64"], symbolic=True)
    for measure, formula in found.formulas.by_measure.items():
        covered = [cell for cell in found.cells if formula.covers(cell.sizes)]
        assert {"batch": 16, "seq": 512} in [cell.sizes for cell in covered]
        assert [formula.at(cell.sizes) for cell in covered] == [getattr(cell, measure) for cell in covered]


def test_fixed_sizes_are_no_symbols():
    found = sweep(BERT, symbolic=True, dims=["seq=128"])
    assert found.formulas.symbols == ("batch",)
    assert str(found.formulas.by_measure["macs"]) == "436,273,152·batch"
    assert sweep(BERT, symbolic=True, dims=["batch=4"]).formulas.symbols == ("seq",)
    assert sweep(BERT, symbolic=True, batch=4).formulas.symbols == ("seq",)


def test_where_no_polynomial_is_found_it_says_so(tmp_path):
    """A pool whose stride divides no step."""
    nodes = [onnx_models.node("MaxPool", ["x"], ["y"], kernel_shape=[1], strides=[11])]
    made = onnx_models.model(nodes, [onnx_models.value("x", [1, 1, "n"])], [onnx_models.value("y", None)])
    found = sweep(made, ["n=1000,2000"], symbolic=True)
    assert "no polynomial of n" in found.formulas.missing["peak_activation_bytes"]
    assert str(found.formulas.by_measure["macs"]) == "0"
    assert "no formula of peak activation bytes: no polynomial of n" in render_sweep(found)
    assert len(found.cells) == 2


def test_a_model_that_works_at_no_size_is_refused_with_its_own_reason():
    nodes = [onnx_models.node("Add", ["x", "w"], ["y"])]
    border = [onnx_models.value("x", ["n", 4])], [onnx_models.value("y", None)]
    with pytest.raises(ModelError, match="Add"):
        raise_user_error(onnx_models.model(nodes, *border, [onnx_models.weight("w", 7, 3)]))


def raise_user_error(model) -> None:
    try:
        sweep(model, symbolic=True)
    except UserError as error:
        assert error.exit_code == ModelError.exit_code
        raise ModelError(str(error)) from error


# Polynomials


def test_interpolation_gives_the_polynomial_back():
    points = [[2, 3], [4, 8, 12]]
    values = numpy.array([[[5 * a * b * b - 3 * b + 7, a] for b in points[1]] for a in points[0]], dtype=object)
    first, second = interpolate(["a", "b"], points, values)
    assert first.terms == {(1, 2): 5, (0, 1): -3, (0, 0): 7}
    assert second.terms == {(1, 0): 1}
    assert first.at({"a": 10, "b": 100}) == 5 * 10 * 10_000 - 300 + 7


def test_a_shift_moves_the_origin():
    polynomial = Polynomial(("a", "b"), {(2, 1): Fraction(3), (0, 1): Fraction(-1, 2)})
    moved = polynomial.shifted([4, 7])
    assert moved.at({"a": 1, "b": 2}) == polynomial.at({"a": 5, "b": 9})


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        ({}, "0"),
        ({(0, 0): 1024}, "1,024"),
        ({(1, 0): 1}, "batch"),
        ({(1, 0): -1}, "-batch"),
        ({(1, 2): 2048, (1, 1): 3145728}, "batch·seq·(2,048·seq + 3,145,728)"),
        ({(1, 0): 2, (0, 1): -1, (0, 0): 3}, "2·batch - seq + 3"),
        ({(1, 1): Fraction(3, 4)}, "3·batch·seq / 4"),
        ({(0, 1): Fraction(1, 2), (0, 0): 1}, "(seq + 2) / 2"),
        ({(2, 1): 1, (1, 1): Fraction(1, 4)}, "batch·seq·(4·batch + 1) / 4"),
    ],
)
def test_polynomials_are_spelled_as_people_write_them(terms, text):
    assert spell(Polynomial(("batch", "seq"), {p: Fraction(c) for p, c in terms.items()})) == text


# Graphs that differ in numbers only


def chain(size: int, op: str = "onnx.Relu") -> Graph:
    x = Value("x", TensorType("f32", (size, 4)))
    y = Value("y", TensorType("f32", (4 * size,)))
    graph = Graph("g", [x])
    graph.append(Node(op, [x], [y]))
    graph.outputs = [y]
    return graph


def test_a_mould_has_the_numbers_of_any_size():
    made = mould(["n"], [[1, 2, 9]], [chain(1), chain(2), chain(9)])
    assert made is not None and made.set({"n": 5})
    assert [str(value.type) for value in values_of(made.graph)] == ["f32[5,4]", "f32[20]"]
    assert made.fits({"n": 6}, chain(6))
    assert not made.fits({"n": 6}, chain(7))
    assert not made.fits({"n": 6}, chain(6, "onnx.Exp"))


def test_graphs_that_differ_in_more_than_numbers_have_no_mould():
    assert mould(["n"], [[1, 2]], [chain(1), chain(2, "onnx.Exp")]) is None


def test_a_mould_does_not_fit_where_a_number_would_not_be_whole():
    made = mould(["n"], [[2, 4]], [chain(1), chain(2)])
    assert made is not None
    assert made.set({"n": 8})
    assert not made.set({"n": 3})


# As text


@pytest.fixture(scope="module")
def small() -> Sweep:
    return sweep(BERT, ["batch=1,2", "seq=8"], symbolic=True)


def test_the_table_shows_a_line_for_each_cell_and_the_formulas(small: Sweep):
    text = render_sweep(small)
    assert text.startswith("bert_mini_dynamic · no device · onnx · as-exported · 2 cells\n\nbatch  seq  ")
    assert "MACs                   batch·(2,048·seq² + 3,145,728·seq + 65,536)" in text
    assert "≤ seq ≤" in text
    assert "latency" not in text
    assert "latency" in render_sweep(sweep(BERT, ["seq=8"], "nano"))


def test_json_holds_exact_numbers_and_terms(small: Sweep):
    document = json.loads(render_sweep(small, "json"))
    assert document["schema"] == "graphcost.sweep/1"
    assert document["axes"] == {"batch": [1, 2], "seq": [8]}
    assert document["cells"][1]["macs"] == small.cells[1].macs
    (macs,) = document["formulas"]["macs"]["max"]
    assert {"coefficient": 2048, "powers": {"batch": 1, "seq": 2}} in macs["terms"]
    assert document["formulas"]["macs"]["verified"]["seq"]["low"] == 1


def test_csv_holds_the_cells_else_the_formulas(small: Sweep):
    rows = list(csv.DictReader(io.StringIO(render_sweep(small, "csv"))))
    assert [int(row["macs"]) for row in rows] == [cell.macs for cell in small.cells]
    formulas = list(csv.DictReader(io.StringIO(render_sweep(sweep(BERT, symbolic=True, batch=1), "csv"))))
    assert formulas[0]["measure"] == "macs" and "seq²" in formulas[0]["formula"]


def test_markdown_has_both_tables(small: Sweep):
    text = render_sweep(small, "markdown")
    assert "| batch | seq | MACs |" in text and "| measure | formula | verified for |" in text


def told(capsys, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return exit_.value.code or 0, captured.out, captured.err


def test_the_command_line_sweeps(capsys, tmp_path):
    code, out, _ = told(capsys, "analyze", BERT, "--sweep", "batch=1,2", "--sweep", "seq=8:16:8", "--format", "csv")
    assert code == 0 and len(out.splitlines()) == 5
    code, out, _ = told(capsys, "analyze", EXAMPLES / "resnet18.onnx", "--symbolic")
    assert code == 0 and "1,814,073,344·batch" in out
    told(capsys, "analyze", BERT, "--sweep", "seq=8", "-o", tmp_path / "cells.json")
    assert json.loads((tmp_path / "cells.json").read_text())["cells"][0]["seq"] == 8


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--sweep", "batch"], "cannot read sweep 'batch'"),
        (["--sweep", "length=1"], "unknown dimension to sweep 'length'"),
        (["--symbolic", "--top", "3"], "--top is for one analysis"),
        (["--symbolic", "--fail-if", "macs>1"], "--fail-if is for one analysis"),
        (["--sweep", "seq=1", "--dim", "seq=2"], "'seq' is fixed and swept at once"),
    ],
)
def test_the_command_line_refuses_in_one_sentence(capsys, options, sentence):
    code, out, error = told(capsys, "analyze", BERT, *options)
    assert (code, out) == (2, "") and sentence in error and error.count("\n") == 1


def test_cells_are_plain_data():
    (cell,) = sweep(BERT, ["seq=8"]).cells
    assert isinstance(cell, Cell)
    assert cell.flops == 2 * cell.macs + cell.elementwise_ops
    assert cell.bytes == cell.bytes_read + cell.bytes_written
