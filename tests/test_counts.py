"""Work against other counters: arithmetic on what the reference evaluator computes, and the figures of onnxsim."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import onnx
import pytest
from independent_counts import COUNTS, Counts, Ran
from test_backend_cases import node_cases

import graphcost

FEWEST_OPERATORS = 60

pytestmark = pytest.mark.skipif(
    tuple(map(int, onnx.__version__.split(".")[:2])) < (1, 20),
    reason="needs onnx 1.20: older reference evaluators return other types and know fewer operators",
)


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
    packed = any(part in TensorProto.DataType.Name(kind) for part in ("INT2", "INT4", "FLOAT4", "FLOAT6"))
    return packed or kind in (TensorProto.UNDEFINED, TensorProto.STRING)


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


# onnxsim counts multiply-adds of convolutions, matrix products and attention, and bytes of every node's border

OPEN_FOR_ONNXSIM = {
    "bert_mini", "bert_mini4.ts17", "gpt2_mini4.ts17", "llama_mini4.ts17", "swin_tiny_patch4_window7_224.ts17",
}  # fmt: skip
"""Networks whose shapes onnx's own inference does not follow to the end: onnxsim counts a part of them."""


@pytest.fixture(scope="module")
def onnxsim_info() -> Any:
    reason = "needs onnxsim: pip install graphcost[peers]"
    return pytest.importorskip("onnxsim.model_info", reason=reason).ModelInfo


def side_by_side(lines: list[tuple[str, int, int]], what: str) -> None:
    print(f"{'':44} {'graphcost':>16} {'onnxsim':>16}  {what}")
    for name, ours, theirs in lines:
        print(f"{name:44} {ours:16,} {theirs:16,}")


def test_multiply_adds_are_those_of_onnxsim_wherever_it_counts_them(onnxsim_info: Any):
    """It leaves keys in the cache out of an attention: those cases are compared without."""
    cases = [(name, model, ran) for name, model, ran in runs() if not has_past(model, ran)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        counted = [(name, told_of(model)[0], onnxsim_info(model).macs) for name, model, _ in cases]
    both = [line for line in counted if line[2]]
    side_by_side(both, "multiply-adds")
    assert len(both) > 100
    assert [line for line in both if line[1] != line[2]] == []


def has_past(model: Any, ran: Ran) -> bool:
    return model.graph.node[0].op_type == "Attention" and ran.given(4)


def test_bytes_are_those_of_onnxsim_wherever_every_operand_is_read_and_every_result_written(onnxsim_info: Any):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = [(name, model) for name, model, ran in runs() if is_plain(model, ran)]
        lines = [(name, sum(told_of(model)[2:]), onnxsim_info(model).mem_access) for name, model in plain]
    side_by_side(lines, "bytes")
    assert len(lines) > 300
    assert [line for line in lines if line[1] != line[2]] == []


def is_plain(model: Any, ran: Ran) -> bool:
    """Whether bytes follow from the types alone. onnxsim counts the inside of operators that ONNX defines by others,
    and leaves scalars out."""
    from onnx import defs

    node = model.graph.node[0]
    schema = defs.get_schema(node.op_type, model.opset_import[0].version)
    if schema.has_function or schema.has_context_dependent_function:
        return False
    if any(array.ndim == 0 for array in (*ran.x, *ran.y) if array is not None):
        return False
    try:
        counts = COUNTS[node.op_type](ran)
    except NotImplementedError:
        return False
    return counts.read is None and counts.written is None


def test_the_multiply_adds_of_networks_are_those_of_onnxsim(onnxsim_info: Any):
    lines = []
    for path in networks():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = onnxsim_info(onnx.load(path, load_external_data=False)).macs
        lines.append((path.stem, graphcost.analyze(path, pipeline="").totals.macs, theirs))
    side_by_side(lines, "multiply-adds")
    assert {name for name, ours, theirs in lines if ours != theirs} <= OPEN_FOR_ONNXSIM
    assert all(ours > theirs for _, ours, theirs in lines if ours != theirs)


def networks() -> list[Path]:
    """The bundled networks, and those of ../shared where they are."""
    root = Path(__file__).parents[1]
    shared = sorted((root.parent / "shared" / "models").glob("*.onnx"))
    return [*sorted((root / "examples" / "models").glob("*.onnx")), *(p for p in shared if "bad" not in p.stem)]
