"""The page of the operators: made from the formulas, and never older than these."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphcost.errors import UnknownName
from graphcost.operator_docs import markdown, operators, table
from graphcost.work import WORK
from graphcost.work.control import CONTROL

PAGE = Path(__file__).parents[1] / "docs" / "operators.md"


def test_the_page_says_what_the_formulas_say():
    assert PAGE.read_text(encoding="utf-8") == markdown(), "the page is stale: run `make docs`"


def test_every_operator_is_listed_with_its_count():
    listed = {f"{entry.domain}.{entry.name}" for entry in operators()}
    assert listed == {name.replace("onnx.", "ai.onnx.", 1) if name.startswith("onnx.") else name
                      for name in {**WORK, **CONTROL}}  # fmt: skip
    assert [entry.name for entry in operators() if len(entry.count) < 10 or "{" in entry.count] == []


def test_a_number_of_the_operator_stands_in_its_count_and_a_zero_is_left_out():
    counts = {entry.name: entry for entry in operators() if entry.domain == "ai.onnx"}
    assert counts["Relu"].count == "1 for each element of the result."
    assert counts["ReduceMax"].count == "1 for each element read; -1 for each element of the result."
    assert counts["ReduceMean"].count == "1 for each element read."
    assert counts["Conv"].not_counted.startswith("what other algorithms save")


def test_a_name_that_no_operator_has_offers_those_like_it():
    with pytest.raises(UnknownName, match=r"unknown operator 'Cnov'; did you mean Conv\?"):
        table("Cnov")


def test_a_part_of_a_name_finds_its_operators():
    lines = table("groupquery").splitlines()
    assert [line.split()[0] for line in lines] == ["com.microsoft.GroupQueryAttention"]
