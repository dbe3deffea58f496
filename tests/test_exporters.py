"""Exporters meet: one network written by two exporters becomes the same kernels and costs the same.

Kernels are compared by what they compute and move: operator, precision, the types of operands and results, MACs,
operations, bytes. Names do not count, nor constant integers (axes, bounds, shapes), which are part of a kernel. A bias
of zeros does not count either: one exporter looks at the numbers of these untrained networks and leaves it out. Where
the file does not hold the numbers of a bias (these files are stripped of all that is large), it may be such a one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy
import onnx
import pytest
from onnx.numpy_helper import to_array

import graphcost
from graphcost.api import Run
from graphcost.importer import load, parse_sizes
from graphcost.ir import Node, Value
from graphcost.kernels import launches, precision_of
from graphcost.operators import Operators
from graphcost.plugin import Registry
from graphcost.support import unsupported_nodes
from graphcost.target import make_target
from graphcost.types import TensorType
from graphcost.work.node import node_work

SHARED = Path(__file__).parents[2] / "shared" / "models"
TARGETS = (("nano", "fp16"), ("orin-nano", "fp16"), ("orin-nano", "fp32"))
MOST_APART = 0.005

CANNOT_MEET = {
    "convnext_tiny.dynamo.onnx": (
        "as_strided became a Gather whose 768 indices are not in the file, so nobody knows that they count up",
        "node_as_strided",
    ),
}
"""Exports that have a node which the other one lacks: why, and its name. It may stand in a kernel with others."""


def exports(network: Path) -> tuple[Path, Path]:
    return network, network.with_name(network.name.replace(".ts17.", ".dynamo."))


PAIRS = [(a, b) for a, b in map(exports, sorted(SHARED.rglob("*.ts17.onnx"))) if b.exists()]
DYNAMIC = [
    (path.with_name(path.name.replace("dynbatch", "ts17")), path) for path in sorted(SHARED.glob("*.dynbatch.onnx"))
]
ALL = PAIRS + sorted(DYNAMIC)

each_pair = pytest.mark.parametrize(("first", "second"), ALL, ids=[path.name.removesuffix(".onnx") for _, path in ALL])
each_target = pytest.mark.parametrize(("device", "precision"), TARGETS, ids=[" ".join(target) for target in TARGETS])


@lru_cache(maxsize=8)
def analysed(path: Path, device: str, precision: str) -> Run:
    return graphcost.run(path, device, precision=precision, dims=sizes(path))


def sizes(path: Path) -> dict[str, int]:
    """Batch 1, and the length of sequences at which the other export was made."""
    known = {"batch": 1, "seq": 128}
    dims = {name for name in known if path.name.endswith("dynbatch.onnx") and name in symbols(path)}
    return {name: known[name] for name in dims}


@cache
def symbols(path: Path) -> frozenset[str]:
    graph = onnx.load(path, load_external_data=False).graph
    return frozenset(dim.dim_param for value in graph.input for dim in value.type.tensor_type.shape.dim)


@cache
def zeros(path: Path) -> frozenset[str]:
    """Weights of one dimension that the file says to be zeros, or of which it says nothing."""
    graph = onnx.load(path, load_external_data=False).graph
    rows = [
        tensor for tensor in graph.initializer if len(tensor.dims) == 1 and tensor.data_type == onnx.TensorProto.FLOAT
    ]
    return frozenset(tensor.name for tensor in rows if is_stripped(tensor) or not numpy.any(to_array(tensor)))


def is_stripped(tensor: onnx.TensorProto) -> bool:
    return not tensor.raw_data and not tensor.float_data


@dataclass(frozen=True)
class Signature:
    """What a kernel computes and moves."""

    op: str
    precision: str
    inputs: tuple[str, ...]
    results: tuple[str, ...]
    macs: int
    elementwise_ops: int
    bytes: int


def signature(node: Node, operators: Operators, nothing: frozenset[str]) -> Signature:
    work = node_work(node, operators).work
    biases = zero_biases(node, nothing)
    added = sum(biases.values())
    read = sum(bias.type.size_bytes or 0 for bias in biases)
    return Signature(
        node.op,
        precision_of(node),
        tuple(sorted(str(v.type) for v in node.inputs if not is_parameter(v) and v not in biases)),
        tuple(str(v.type) for v in node.results),
        work.macs,
        work.elementwise_ops - added,
        work.bytes - read,
    )


def zero_biases(node: Node, nothing: frozenset[str]) -> dict[Value, int]:
    """The operands that are biases of zeros, of a kernel those of the nodes in it, and how many additions each is."""
    if not node.op.startswith("trt."):
        bias = node.operand(2) if node.op in ("onnx.Conv", "onnx.Gemm") else None
        return {} if bias is None or bias.name not in nothing else {bias: node.results[0].type.elements or 0}
    return {
        node.operands[slot]: added
        for body in node.bodies
        for inner in body
        for bias, added in zero_biases(inner, nothing).items()
        for value, slot in zip(body.inputs, body.binds)
        if value is bias
    }


def is_parameter(value: Value) -> bool:
    integer = isinstance(value.type, TensorType) and value.type.dtype == "i64"
    return integer and value.is_weight and value.constant is not None


def kernels(path: Path, device: str, precision: str, operators: Operators) -> dict[Node, Signature]:
    run = analysed(path, device, precision)
    nothing = zeros(path)
    return {node: signature(node, operators, nothing) for node in run.graph if launches(node, operators)}


def only(these: Mapping[Node, Signature], those: Mapping[Node, Signature]) -> list[Node]:
    """Nodes of these kernels beyond those that have an equal among those."""
    left, found = Counter(those.values()), []
    for node, kernel in these.items():
        if left[kernel]:
            left[kernel] -= 1
        else:
            found.append(node)
    return found


def refused(path: Path, device: str, operators: Operators) -> str:
    """Operators that the device's TensorRT would refuse: what is costed is then what it would cost if it did not."""
    imported = load(path, operators, parse_sizes((), sizes(path), None))
    found = unsupported_nodes(imported.graph, imported.facts, make_target(device).runtime)
    return ", ".join(sorted({entry.node.op.removeprefix("onnx.") for entry in found}))


# The bars


@each_pair
def test_both_exports_have_the_same_macs(first: Path, second: Path) -> None:
    one, other = (graphcost.analyze(path, pipeline="", dims=sizes(path)) for path in (first, second))
    assert one.totals.macs == other.totals.macs > 0


@each_target
@each_pair
def test_both_exports_become_the_same_kernels(
    first: Path, second: Path, device: str, precision: str, registry: Registry
) -> None:
    one, other = (kernels(path, device, precision, registry.operators) for path in (first, second))
    _, extra = CANNOT_MEET.get(second.name, ("", None))
    lacking, beyond = only(one, other), only(other, one)
    assert [extra] * len(beyond) == [name for node in beyond for name, _ in node.origin if name == extra]
    assert len(lacking) <= len(beyond) == (extra is not None)


@each_target
@each_pair
def test_both_exports_take_the_same_time(first: Path, second: Path, device: str, precision: str) -> None:
    one, other = (analysed(path, device, precision).report.totals.latency_ms for path in (first, second))
    assert one and other
    assert abs(other / one - 1) <= MOST_APART


@each_pair
def test_the_canonical_passes_book_what_they_remove(first: Path, second: Path) -> None:
    for path in (first, second):
        before = graphcost.analyze(path, pipeline="", dims=sizes(path)).totals
        run = graphcost.run(path, pipeline=canonical(), dims=sizes(path))
        removed, after = run.journal.work_removed(), run.report.totals
        for key in ("macs", "elementwise_ops", "bytes_read", "bytes_written"):
            assert getattr(before, key) == getattr(after, key) + getattr(removed, key), key
        assert removed.macs == 0 or path.name.startswith("swin")  # attention masks computed from constants


@each_pair
def test_the_canonical_passes_find_nothing_the_second_time(first: Path, second: Path) -> None:
    from graphcost.text import print_graph

    for path in (first, second):
        once = graphcost.run(path, pipeline=canonical(), dims=sizes(path))
        twice = graphcost.run(path, pipeline=f"{canonical()},{canonical()}", dims=sizes(path))
        assert print_graph(once.graph) == print_graph(twice.graph)


def canonical() -> str:
    """The passes of TensorRT 10.3 up to the choice of precisions."""
    return make_target("orin-nano").runtime.pipeline().partition(",precision[")[0]


# The table


def test_the_table_of_pairs(shared: Path, registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints, for each pair, kernels, differences and latencies on both boards, and what the runtime would refuse."""
    with capsys.disabled():
        print(f"\n{'pair':35} board      kernels    apart          latency ms      ratio  refused by the runtime")
        for first, second in ALL:
            for device in ("nano", "orin-nano"):
                print(row(first, second, device, registry.operators))
    assert PAIRS


def row(first: Path, second: Path, device: str, operators: Operators) -> str:
    one, other = (kernels(path, device, "fp16", operators) for path in (first, second))
    times = [analysed(path, device, "fp16").report.totals.latency_ms or 0.0 for path in (first, second)]
    apart = f"{len(only(one, other))}+{len(only(other, one))}"
    name = second.name.removesuffix(".onnx")
    return (
        f"{name:35} {device:10} {len(one):4} {len(other):4}  {apart:>5}  {times[0]:9.4f} {times[1]:9.4f}"
        f"  {times[1] / times[0]:.5f}  {refused(second, device, operators) or '-'}"
    )
