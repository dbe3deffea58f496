"""Every model inside the onnx package: its node test cases and its suites of real exports."""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

import graphcost
from graphcost.errors import UserError

SUITES = ("node", "simple", "pytorch-operator", "pytorch-converted")
WHOLE = 0.98
WHOLE_WITHOUT_TEXT = 0.99
MANY = 2000
"""As many models as onnx has since 1.23: in older ones those with strings are a larger share."""


@dataclass(frozen=True)
class Found:
    """What became of one model: a whole answer has no reason. `broke` is the traceback's last line."""

    name: str
    reasons: tuple[str, ...] = ()
    refused: str | None = None
    broke: str | None = None


@lru_cache
def node_cases() -> list[Any]:
    """onnx's test cases, each with a model and its data."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():  # the cases compute with NaN and infinity on purpose
        warnings.simplefilter("ignore")
        return list(collect_testcases(None))


def models(suite: str) -> Iterator[tuple[str, Any]]:
    """Name and model, or path, of each member of a suite."""
    import onnx

    if suite == "node":
        yield from ((case.name, case.model) for case in node_cases())
    else:
        folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / suite
        yield from ((path.parent.name, path) for path in sorted(folder.glob("*/model.onnx")))


@lru_cache
def analysed(suite: str) -> tuple[Found, ...]:
    return tuple(analyse(name, model) for name, model in models(suite))


def analyse(name: str, model: Any) -> Found:
    try:
        report = graphcost.analyze(model)
    except UserError as refusal:
        return Found(name, refused=str(refusal))
    except Exception as error:  # noqa: BLE001 - what breaks is what this test looks for
        return Found(name, broke=f"{type(error).__name__}: {error}")
    coverage = report.totals.coverage
    whole = coverage.nodes == 1.0 and coverage.bytes == 1.0
    return Found(name, () if whole else tuple(f"{node.op}: {node.reason}" for node in report.unknown))


def listing(found: Iterable[Found]) -> str:
    """The models by the first reason of each, names of values left out."""
    groups: dict[str, list[str]] = defaultdict(list)
    for model in found:
        groups[re.sub(r"%(\"[^\"]*\"|[^\s,]+)( \([^)]*\)|: [^\s,]*)?", "%…", model.reasons[0])].append(model.name)
    return "\n".join(f"{len(names):3} × {reason}: {', '.join(names)}" for reason, names in sorted(groups.items()))


@pytest.mark.parametrize("suite", SUITES)
def test_every_model_of_the_suite_is_analysed(suite: str):
    found = analysed(suite)
    assert found
    assert [f"{model.name}: {model.broke}" for model in found if model.broke] == []
    assert [f"{model.name}: {model.refused}" for model in found if model.refused] == []


def test_the_work_of_nearly_every_model_is_known_as_a_whole():
    """The others are printed, with the reason (pytest -rP shows them)."""
    found = [model for suite in SUITES for model in analysed(suite)]
    partly = [model for model in found if model.reasons]
    textual = [model for model in partly if any("a string has no fixed size" in reason for reason in model.reasons)]
    share, without_text = 1 - len(partly) / len(found), 1 - (len(partly) - len(textual)) / (len(found) - len(textual))
    print(f"{len(found) - len(partly)} of {len(found)} models ({share:.2%}) have coverage 1.0; the others:")
    print(listing(partly))
    assert len(found) > 1_000
    assert without_text >= WHOLE_WITHOUT_TEXT
    assert share >= WHOLE or len(found) < MANY


def test_a_model_of_which_something_is_unknown_says_why():
    partly = [model for suite in SUITES for model in analysed(suite) if model.reasons]
    assert all("no work formula" not in reason for model in partly for reason in model.reasons)
