"""Fixtures, and golden cases: every `golden/<pass>/*.gcir` is a test. `--update-golden` writes what comes out now.

    ; run: fold-batch-norm
    ; why: one sentence that the case proves
    ; target: - onnx as-exported inference        (optional; this is the default)
    graph before(...) { ... }
    ; ----
    graph after(...) { ... }
    ; refused …, removed …: what the journal says, one line each

`; ---- unchanged` stands where the graph comes out as it went in.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import harness
import pytest
from harness import GOLDEN, Golden

from graphcost.journal import Journal, Removed
from graphcost.plugin import Registry
from graphcost.text import print_graph

SHARED = Path(__file__).parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write what the golden cases give now")


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.Collector | None:
    is_golden = file_path.suffix == ".gcir" and file_path.is_relative_to(GOLDEN)
    return GoldenFile.from_parent(parent, path=file_path) if is_golden else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of measured data and models."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared (measured data and models), which is not in this clone")
    return SHARED


@pytest.fixture(scope="session")
def registry() -> Registry:
    """Every installed plug-in and the built-in tables of operators."""
    return harness.registry()


class GoldenFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        yield GoldenCase.from_parent(self, name=self.path.stem)


class GoldenCase(pytest.Item):
    def runtest(self) -> None:
        golden = Golden.read(self.path)
        graph, journal = golden.run()
        after, unchanged = print_graph(graph), print_graph(golden.graph())
        got = (" unchanged\n" if after == unchanged else f"\n{after}") + _told(journal)
        if self.config.getoption("--update-golden"):
            self.path.write_text(f"{golden.before}\n; ----{got}", encoding="utf-8")
        elif got != golden.wanted:
            raise Mismatch(golden.wanted, got)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        if isinstance(excinfo.value, Mismatch):
            wanted, got = (text.splitlines(keepends=True) for text in excinfo.value.args)
            return "".join(difflib.unified_diff(wanted, got, "golden", "now"))
        return str(super().repr_failure(excinfo))


class Mismatch(Exception):
    """Wanted, got."""


def _told(journal: Journal) -> str:
    """What the journal says, as comments."""
    lines = [f"{', '.join(r.origins)}: refused, {r.reason}" for r in journal.refused_]
    lines += [f"{', '.join(f.origins)}: fell back from {f.asked}, {f.reason}" for f in journal.fell_back_]
    lines += [_removal(entry) for entry in journal.removed_]
    lines += [f"warning: {warning}" for warning in journal.warnings]
    return "".join(f"; {line}\n" for line in lines)


def _removal(entry: Removed) -> str:
    work = entry.work
    figures = {"macs": work.macs, "ops": work.elementwise_ops, "read": work.bytes_read, "written": work.bytes_written}
    figure = ", ".join(f"{name} {number}" for name, number in figures.items() if number) or "nothing"
    return f"{', '.join(o.name for o in entry.origins)}: removed, {entry.reason} ({figure})"
