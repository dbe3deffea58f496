"""The command line: what users type, what they see, and the exit code that a script goes by."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import jsonschema
import onnx
import onnx_models
import pytest
from sample_reports import make_kernel, make_report

from graphcost import api
from graphcost.cli import main
from graphcost.pipeline import Change, Pass, PassFailed
from graphcost.render import render
from graphcost.render.columns import Screen


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    """Runs a command in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return exit_.value.code or 0, told.out, told.err

    return run


@pytest.fixture
def model(tmp_path):
    """A convolutional network of five nodes."""
    path = tmp_path / "conv net.onnx"
    onnx.save(onnx_models.conv_net(), path)
    return path


@pytest.fixture
def half_known(tmp_path):
    """A network with an operator that nobody knows."""
    path = tmp_path / "custom.onnx"
    nodes = [onnx_models.node("Relu", ["x"], ["r"]), onnx_models.node("Mystery", ["r"], ["y"], domain="my.ops")]
    values = [onnx_models.value("x", [1, 8])], [onnx_models.value("y", [1, 8])]
    onnx.save(onnx_models.model(nodes, *values, domains={"my.ops": 1}), path)
    return path


@pytest.fixture
def saved(tmp_path):
    """Two saved reports; the second is 10 % slower."""
    paths = []
    for name, latency in (("before", 10.0), ("after", 11.0)):
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(render(make_report([make_kernel("conv", latency)]), "json"), encoding="utf-8")
    return paths


def one_line(text):
    """The line, without its newline; there is exactly one, and it names the program."""
    assert text.startswith("graphcost: ")
    assert text.count("\n") == 1, text
    return text.rstrip("\n")


# analyze


def test_analyze_prints_a_table_for_the_device(cli, model):
    code, out, err = cli("analyze", model, "--device", "nano", "--fp16")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("nano@MAXN · tensorrt-8.2 · fp16 · batch 1 · latency = GPU compute time")
    assert "13,904" in out
    assert "\x1b" not in out


def test_without_a_device_there_is_work_only(cli, model):
    code, out, _ = cli("analyze", model)
    assert code == 0
    assert out.startswith("no device · ")


def test_a_model_can_be_named_as_trtexec_does(cli, model):
    assert cli("analyze", f"--onnx={model}")[1] == cli("analyze", model)[1]
    assert cli("analyze")[0] == 2
    assert cli("analyze", model, f"--onnx={model}")[0] == 2


def test_json_is_what_the_api_returns(cli, model):
    code, out, _ = cli("analyze", model, "-d", "nano", "--format", "json")
    assert code == 0
    assert json.loads(out) == api.analyze(str(model), "nano").to_json()
    jsonschema.validate(json.loads(out), json.loads(cli("schema")[1]))


@pytest.mark.parametrize(("name", "begins"), [("r.json", "{"), ("r.csv", "index,"), ("r.md", "### "), ("r.txt", "no ")])
def test_the_name_of_the_file_says_which_format_it_gets(cli, model, tmp_path, name, begins):
    code, out, _ = cli("analyze", model, "-o", name)
    assert (code, out) == (0, "")
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)


@pytest.mark.parametrize(
    ("options", "precision"),
    [
        (["--fp16"], "fp16"),
        (["--int8"], "int8"),
        (["--fp16", "--int8"], "best"),
        (["--best"], "best"),
        (["--stronglyTyped"], "as-exported"),
        (["--precision", "FP16", "--fp16"], "fp16"),
        ([], "fp32"),
    ],
)
def test_the_spellings_of_trtexec_choose_the_precision(cli, model, options, precision):
    document = json.loads(cli("analyze", model, "-d", "orin-nano", "--format", "json", *options)[1])
    assert document["target"]["precision"] == precision


@pytest.mark.parametrize(
    "options",
    [["--stronglyTyped", "--fp16"], ["--precision", "fp32", "--int8"], ["--precision", "tf32", "--noTF32"]],
)
def test_precisions_that_contradict_each_other_are_refused(cli, model, options):
    code, _, err = cli("analyze", model, "-d", "orin-nano", *options)
    assert code == 2
    one_line(err)


def test_batch_and_shapes_reach_the_model(cli, model):
    for option in (
        ["--batch", "4"],
        ["--shapes", "x:4x3x8x8"],
        ["--input-shapes=x:[4,3,8,8]"],
        ["--optShapes=x:4x3x8x8"],
    ):
        document = json.loads(cli("analyze", model, "--format", "json", *option)[1])
        assert document["totals"]["macs"] == 4 * onnx_models.CONV_NET_MACS, option


def test_quiet_shows_the_summary_and_verbose_everything(cli, model):
    assert "by kind" not in cli("analyze", model, "-q")[1]
    assert len(cli("analyze", model, "-v")[1]) >= len(cli("analyze", model)[1])


def test_instruments_watch_the_passes(cli, model, tmp_path):
    code, _, err = cli("analyze", model, "-d", "nano", "--dump-ir", "ir", "--time-passes", "--print-changed")
    assert code == 0
    assert "total" in err
    dumped = sorted((tmp_path / "ir").iterdir())
    assert dumped
    assert dumped[0].read_text(encoding="utf-8").startswith("; target: nano@MAXN tensorrt-8.2 fp32 inference")


# Exit codes


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--fail-if", "latency>1s"], 0),
        (["--fail-if", "latency>0ms"], 1),
        (["--fail-if", "latency>0ms", "--fail-if", "workspace>1GiB"], 4),
        (["--fail-if", "latency>5%"], 2),
        (["--fail-if", "speed>5"], 2),
        (["--min-coverage", "100%"], 0),
        (["--min-coverage", "lots"], 2),
        (["--format", "xml"], 2),
        (["--sort", "size"], 2),
        (["--top", "-1"], 2),
        (["--batch", "0"], 2),
        (["--no-such-option"], 2),
        (["--device", "nanno"], 2),
        (["--runtime", "tensorflow"], 2),
        (["--output", "no/such/folder/x"], 2),
    ],
)
def test_exit_codes_tell_thresholds_from_usage(cli, model, options, code):
    assert cli("analyze", model, "-d", "nano", *options)[0] == code


def test_a_broken_threshold_is_told_in_one_line(cli, model):
    code, out, err = cli("analyze", model, "-d", "nano", "--fail-if", "latency>0ms")
    assert code == 1
    assert "breaks the threshold 'latency>0ms'" in one_line(err)
    assert out.startswith("nano@MAXN")


def test_unknown_work_lowers_coverage_below_what_is_required(cli, half_known):
    assert cli("analyze", half_known)[0] == 0
    code, _, err = cli("analyze", half_known, "--min-coverage", "90%")
    assert code == 4
    assert "below the required 90.00%" in one_line(err)


def test_a_latency_that_nobody_can_tell_breaks_no_threshold_and_passes_none(cli, model):
    code, _, err = cli("analyze", model, "--fail-if", "latency>1s")
    assert code == 4
    assert "no device was given" in one_line(err)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--device", "tx2", "--training", "--checkpoint", "nowhere"], "--checkpoint 'nowhere' is no name"),
        (["--dump-ir", "conv net.onnx"], "cannot make the folder 'conv net.onnx'"),
        (["--device", "nano,tx2", "--sweep", "batch=1,2"], "'nano,tx2' is a list of devices: one is taken here"),
    ],
)
def test_an_option_that_does_not_fit_is_no_fault_of_a_pass(cli, model, options, said):
    code, _, err = cli("analyze", model, *options)
    assert (code, said in one_line(err)) == (2, True), err


def test_an_unknown_device_offers_near_names(cli, model):
    code, _, err = cli("analyze", model, "--device", "orin-nona")
    assert code == 2
    assert "did you mean orin-nano" in one_line(err)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04zip", b"\x08\x09garbage", b"<html>"])
def test_what_is_no_model_is_told_in_one_line(cli, tmp_path, content):
    (tmp_path / "broken.onnx").write_bytes(content)
    code, _, err = cli("analyze", "broken.onnx")
    assert code == 3
    one_line(err)


def test_a_missing_model_is_told_in_one_line(cli):
    code, _, err = cli("analyze", "nowhere.onnx")
    assert code == 3
    assert "nowhere.onnx" in one_line(err)


class Broken(Pass):
    """A pass that fails."""

    name = "broken"

    def run(self, graph, ctx) -> Change:
        raise RuntimeError


def test_a_failing_pass_leaves_a_reproducer(cli, model, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise PassFailed(Broken(), [], "it broke", "; run: broken\ngraph g() {\n  return\n}\n")

    monkeypatch.setattr(api, "run", fail)
    code, out, err = cli("analyze", model)
    assert (code, out) == (70, "")
    assert "crash-broken.gcir" in one_line(err)
    assert (tmp_path / "crash-broken.gcir").read_text().startswith("; run: broken")


def test_a_fault_of_ours_is_one_line_and_a_file_with_the_traceback(cli, model, tmp_path, monkeypatch):
    monkeypatch.setattr(api, "run", lambda *_, **__: 1 / 0)
    code, _, err = cli("analyze", model)
    assert code == 70
    assert "ZeroDivisionError" in one_line(err)
    assert "Traceback" in (tmp_path / "crash-graphcost.txt").read_text()
    assert "Traceback" in cli("analyze", model, "-v")[2]


# explain, opt, diff, lists


@pytest.mark.parametrize("arguments", [["explain", "--node", "conv", "-d", "nano"], ["operators", "Conv"]])
def test_what_is_told_in_lines_is_folded_to_the_terminal(cli, model, monkeypatch, arguments):
    monkeypatch.setattr("graphcost.cli.analyze.screen_for", lambda output: Screen(60))
    monkeypatch.setattr("graphcost.cli.listing.screen_for", lambda output: Screen(60))
    command, *options = arguments
    code, out, _ = cli(command, *([model] if command == "explain" else []), *options)
    assert code == 0 and max(map(len, out.splitlines())) <= 60


def test_explain_tells_what_became_of_a_node(cli, model):
    code, out, _ = cli("explain", model, "--node", "conv", "-d", "nano")
    assert code == 0
    assert out.startswith("conv\n")
    code, _, err = cli("explain", model, "--node", "con", "-d", "nano")
    assert code == 2
    assert "did you mean conv" in one_line(err)


def test_opt_prints_the_graph_after_passes_and_reads_what_it_prints(cli, model, tmp_path):
    code, text, _ = cli("opt", model, "-p", "dce", "-d", "nano")
    assert code == 0
    assert text.startswith("; target: nano@MAXN")
    (tmp_path / "graph.gcir").write_text(text, encoding="utf-8")
    assert cli("opt", "graph.gcir", "-p", "dce") == (0, text, "")
    assert cli("opt", model, "-p", "no-such-pass")[0] == 2


def test_diff_compares_saved_reports_and_bounds_the_change(cli, saved):
    code, out, _ = cli("diff", *saved)
    assert code == 0
    assert out.startswith("latency 10.00 ms → 11.00 ms, 10.0 % slower: 1 slower\n")
    assert cli("diff", *saved, "--fail-if", "latency>+5%")[0] == 1
    assert cli("diff", *saved, "--fail-if", "latency>+15%")[0] == 0
    assert cli("diff", *saved, "--fail-if", "peak_memory>+1MiB")[0] == 0
    assert cli("diff", *saved, "--fail-if", "workspace>+1MiB")[0] == 4
    assert json.loads(cli("diff", *saved, "--format", "json")[1])["schema"] == "graphcost.diff/1"


def test_diff_compares_models(cli, model, saved):
    code, out, _ = cli("diff", model, model, "-d", "nano")
    assert code == 0
    assert "the same" in out.splitlines()[0]
    assert cli("diff", saved[0], model, "-d", "nano")[0] == 0


def test_diff_refuses_what_cannot_be_compared(cli, saved, tmp_path):
    code, _, err = cli("diff", *saved, "-d", "nano")
    assert code == 2
    assert "device" in one_line(err)
    (tmp_path / "other.json").write_text('{"schema": "something/1"}')
    assert cli("diff", saved[0], "other.json")[0] == 3
    assert cli("diff", saved[0], "nowhere.json")[0] == 3
    assert cli("diff", *saved, "--format", "csv")[0] == 2


def test_devices_are_listed(cli):
    assert "nano" in cli("devices")[1]
    assert json.loads(cli("devices", "--format", "json")[1])["devices"]


def test_passes_prints_the_pipeline_with_its_anchors_and_what_each_pass_does(cli):
    code, out, _ = cli("passes", "--device", "nano")
    assert code == 0
    lines = out.splitlines()
    for anchor in ("import", "canonical", "precision", "fusion", "formats", "selection"):
        assert anchor in lines
    assert any(line.startswith("  dce") and line.endswith(".") for line in lines)


def test_passes_of_a_training_step_are_folded_whatever_their_options(cli, monkeypatch):
    monkeypatch.setattr("graphcost.cli.listing.screen_for", lambda output: Screen(80))
    code, out, _ = cli("passes", "--device", "tx2", "--training", "--checkpoint", "sqrt")
    assert code == 0 and "build-backward{" in out and "checkpoint=[sqrt]" in out
    assert max(map(len, out.splitlines())) <= 80 and len(out.splitlines()) < 500


def test_schema_is_printed(cli):
    assert json.loads(cli("schema")[1])["$id"] == "graphcost.report/1"


def test_version_and_help(cli):
    from graphcost import __version__

    assert cli("--version")[1] == f"graphcost {__version__}\n"
    assert "analyze" in cli("-h")[1]
    assert "--fail-if" in cli("analyze", "--help")[1]


# Terminals and pipes


@pytest.fixture
def start(tmp_path):
    """Starts the command as a process of its own, in an empty folder."""

    def run(*arguments, stdout=subprocess.PIPE, **environment):
        command = [sys.executable, "-m", "graphcost", *map(str, arguments)]
        given = {**os.environ, **environment}
        return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, env=given, cwd=tmp_path)

    return run


def test_a_reader_that_has_seen_enough_is_no_error(start):
    process = start("devices", "--format", "json")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")
def test_a_full_disk_behind_standard_output_is_told_in_one_line(start):
    with open("/dev/full", "w") as full:
        process = start("schema", stdout=full)
        assert "cannot write to standard output" in one_line(process.communicate()[1].decode())
    assert process.returncode == 2


@pytest.mark.parametrize(("closed", "code"), [(">&-", 0), ("2>&-", 3)])
def test_a_closed_stream_changes_no_exit_code(tmp_path, closed, code):
    command = f"{sys.executable} -m graphcost {'schema' if code == 0 else 'analyze nowhere.onnx'} {closed}"
    assert subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True).returncode == code
    assert not list(tmp_path.iterdir())


def test_ctrl_c_ends_without_a_word(start, tmp_path, half_known):
    hang = tmp_path / "hang.py"
    hang.write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    process = start("analyze", half_known, "--plugin", hang)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"")


def test_a_terminal_without_the_letters_gets_their_numbers(start):
    process = start("passes", PYTHONIOENCODING="ascii")
    out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    out.decode("ascii")


def test_asking_for_the_version_imports_nothing_heavy():
    code = (
        "import sys; from graphcost.cli import app; print([m for m in ('onnx', 'numpy', 'rich') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_a_cold_analysis_imports_only_what_it_uses(model):
    code = (
        "import sys; from graphcost.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "analyze", str(model), "--device", "nano"]
    imported = set(subprocess.run(command, check=True, capture_output=True, text=True).stderr.split())
    rooms = ("text", "training", "render.training", "engine.align", "variants", "cost_models.operators.features")
    assert not imported & {"onnx", "networkx", "rich", "scipy", "sklearn", *(f"graphcost.{room}" for room in rooms)}


def test_the_table_is_the_same_when_it_is_asked_for_twice(cli, model):
    assert cli("analyze", model, "-d", "nano") == cli("analyze", model, "-d", "nano")


def test_precision_of_layers_and_formats_of_the_network_are_spelled_as_in_trtexec(cli, model):
    options = ["--layerPrecisions=*:fp16,none:fp32", "--inputIOFormats=fp16:chw", "--outputIOFormats=fp16:chw"]
    _, out, _ = cli("analyze", model, "--device", "xavier-nx", "--format", "json", *options)
    report = json.loads(out)
    assert {row["precision"] for row in report["kernels"] if row["kind"] == "conv"} == {"f16"}
    reformats = [row for row in report["kernels"] if row["kind"] == "reformat"]
    assert {t["dtype"] for row in reformats for t in (*row["inputs"], *row["outputs"])} <= {"f16"}
    assert any("'none:fp32' names none" in warning for warning in report["warnings"])


def test_a_format_that_trtexec_does_not_know_is_told_with_those_it_does(cli, model):
    code, _, err = cli("analyze", model, "--device", "nano", "--inputIOFormats=fp17:chw")
    assert code == 2
    assert "'fp17:chw' is not type:format; types: fp32, fp16" in one_line(err)
