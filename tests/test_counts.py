"""Work against other counters: arithmetic on what the reference evaluator computes, and the figures of onnxsim."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from independent_counts import COUNTS, Counts, Ran
from test_backend_cases import node_cases

import graphcost

FEWEST_OPERATORS = 60


@lru_cache
def runs() -> tuple[tuple[str, Any, Ran], ...]:
    """The node test cases whose only operator is counted twice, run by the reference evaluator of onnx."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple((case.name, case.model, ran) for case in node_cases() if (ran := run(case)) is not None)


def run(case: Any) -> Ran | None:
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    (node, *others), graph = case.model.graph.node, case.model.graph
    if others or node.domain or node.op_type not in COUNTS or any(map(is_packed, (*graph.input, *graph.output))):
        return None
    feeds = dict(zip((info.name for info in graph.input), case.data_sets[0][0]))
    try:
        outputs = ReferenceEvaluator(case.model).run(None, feeds)
    except Exception:  # noqa: BLE001 - what the reference cannot compute is no reference
        return None
    results = dict(zip((info.name for info in graph.output), outputs))
    attrs = {attr.name: helper.get_attribute_value(attr) for attr in node.attribute}
    return Ran(
        [feeds.get(name) for name in node.input],
        [results[name] for name in node.output if name],
        {key: value.decode() if isinstance(value, bytes) else value for key, value in attrs.items()},
    )


def is_packed(info: Any) -> bool:
    """Whether elements share bytes in memory, or have no fixed size: numpy stores these in another way."""
    from onnx import TensorProto

    kind = info.type.tensor_type.elem_type
    return kind in (0, TensorProto.STRING) or "INT4" in (name := TensorProto.DataType.Name(kind)) or any(
        part in name for part in ("INT2", "FLOAT4", "FLOAT6")
    )


def differences() -> Iterator[str]:
    for name, model, ran in runs():
        try:
            wanted = COUNTS[model.graph.node[0].op_type](ran)
        except NotImplementedError:
            continue
        if (told := told_of(model)) != (expected := figures(wanted, ran)):
            yield f"{name}: macs, operations, bytes read and written are {told}, counted independently {expected}"


def told_of(model: Any) -> tuple[int, int, int, int]:
    totals = graphcost.analyze(model).totals
    return totals.macs, totals.elementwise_ops, totals.bytes_read, totals.bytes_written


def figures(counts: Counts, ran: Ran) -> tuple[int, int, int, int]:
    given = {id(x): x.nbytes for x in ran.x if x is not None}
    read = sum(given.values()) if counts.read is None else counts.read
    written = sum(y.nbytes for y in ran.y) if counts.written is None else counts.written
    return counts.macs, counts.ops, read, written


def test_work_and_bytes_are_those_of_an_independent_count_on_the_reference_evaluator():
    operators = Counter(model.graph.node[0].op_type for _, model, _ in runs())
    print(f"{sum(operators.values())} runs of {len(operators)} operators: {', '.join(sorted(operators))}")
    assert len(operators) >= FEWEST_OPERATORS
    assert list(differences()) == []
