"""What is built is what users get: the wheel, in an environment that has nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(where), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(where.glob("*.whl"))


def test_the_wheel_has_all_rooms_and_nothing_at_the_top_but_graphcost(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"graphcost"}
    for wanted in (
        "graphcost/passes/__init__.py",
        "graphcost/cost_models/roofline.py",
        "graphcost/devices/nano.toml",
        "graphcost/devices/arch/sm_53.toml",
        "graphcost/runtimes/tensorrt-8.2.toml",
        "graphcost/schema/report-1.json",
        "graphcost/support/tensorrt_operators.csv",
        "graphcost/py.typed",
    ):
        assert wanted in names, wanted


def test_every_file_of_a_room_is_in_the_wheel(wheel: Path):
    """Sources and data: a profile, catalogue or table left out of package-data is missed only by users."""
    names = set(zipfile.ZipFile(wheel).namelist())
    rooms = {"graphcost": "graphcost", "passes": "graphcost/passes", "cost_models": "graphcost/cost_models"}
    for room, installed in rooms.items():
        files = [path for path in (ROOT / room).rglob("*") if path.is_file() and path.suffix != ".pyc"]
        assert not [path for path in files if f"{installed}/{path.relative_to(ROOT / room).as_posix()}" not in names]


def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    binaries = tmp_path / "env" / "bin"
    install = [str(binaries / "pip"), "install", "--quiet", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    model = ROOT / "examples/models/resnet18.onnx"
    command = [str(binaries / "graphcost"), "analyze", str(model), "--device", "nano", "--format", "csv"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("\n") > 20
    no_passes = [str(binaries / "python"), "-c", "import passes"]
    assert b"No module named 'passes'" in subprocess.run(no_passes, capture_output=True, cwd=tmp_path).stderr
