"""The door for users: an installed package and a single file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import graphcost
from graphcost.errors import UsageError
from graphcost.plugin import Plugin, load_registry

PACKAGE = Path(__file__).parent / "plugin_package"
MODELS = Path(__file__).parent.parent / "examples" / "models"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the example plug-in is installed, as pip installs it."""
    where = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(where), str(PACKAGE)]
    subprocess.run(command, check=True, capture_output=True)
    return {**os.environ, "PYTHONPATH": str(where)}


def graphcost_json(arguments: list[str], env: dict[str, str]) -> dict[str, object]:
    command = [sys.executable, "-m", "graphcost", "analyze", "--format", "json", *arguments]
    found = subprocess.run(command, env=env, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def test_an_installed_package_brings_a_pass_a_cost_model_and_an_operator(installed: dict[str, str], tmp_path: Path):
    model = str(MODELS / "resnet18.onnx")
    insert = ["--insert", "mark-wide{channels=300}@after:canonical", "--cost-model", "one-millisecond"]
    report = graphcost_json([model, "--device", "nano", *insert], installed)
    launched = [row for row in report["kernels"] if row["bound"] != "none"]
    assert {row["latency_ms"] for row in launched} == {1.0}
    assert {row["trust"] for row in launched} == {"measured"}
    assert report["totals"]["latency_ms"] == pytest.approx(len(launched))


def test_a_file_is_a_plugin_too(tmp_path: Path):
    file = tmp_path / "mine.py"
    file.write_text((PACKAGE / "src/graphcost_example/__init__.py").read_text())
    run = graphcost.run(MODELS / "resnet18.onnx", "nano", insert=["mark-wide{channels=300}@end"], plugins=[file])
    wide = [node for node in run.graph if node.attrs.get("wide")]
    assert wide and all(node.results[0].type.dims[1] == 512 for node in wide)


def test_an_operator_of_a_plugin_raises_coverage(shared: Path, tmp_path: Path):
    file = tmp_path / "mine.py"
    file.write_text((PACKAGE / "src/graphcost_example/__init__.py").read_text())
    without = graphcost.analyze(shared / "models/custom_op.onnx")
    with_it = graphcost.analyze(shared / "models/custom_op.onnx", plugins=[file])
    assert without.totals.coverage.nodes < 1.0
    assert with_it.totals.coverage.nodes == 1.0
    assert [unknown.op for unknown in without.unknown][:1] == ["trt.plugins.DisentangledAttention_TRT"]


def test_two_owners_of_one_name_are_both_named():
    plugin = Plugin(passes={"dce": lambda: graphcost.Pass})
    with pytest.raises(UsageError, match=r"pass 'dce' is offered by .*passes and by mine"):
        load_registry(extra={"mine": plugin})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("x = 1", "defines no PLUGIN"), ("PLUGIN = 3", "is a int, not a graphcost.Plugin"), ("1/0", "ZeroDivisionError")],
)
def test_a_file_that_is_no_plugin_is_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str):
    file = tmp_path / "bad.py"
    file.write_text(text)
    with pytest.raises(UsageError, match=sentence):
        load_registry([file])


def test_a_missing_file_is_refused():
    with pytest.raises(UsageError, match="is not a file"):
        load_registry(["no-such.py"])
