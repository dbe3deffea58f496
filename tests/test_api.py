"""The way through, from Python."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
from onnx_models import CONV_NET_MACS, conv_net

import graphcost
from graphcost.cost import Bound
from graphcost.errors import ModelError, UnknownName, UsageError
from graphcost.text import parse_graph

MODELS = Path(__file__).parent.parent / "examples" / "models"
RESNET = MODELS / "resnet18.onnx"


@dataclass(frozen=True)
class Break(graphcost.Pass):
    """Raise after a change."""

    name: ClassVar[str] = "break"

    def run(self, graph: graphcost.Graph, ctx: graphcost.Context) -> graphcost.Change:
        next(iter(graph)).set_attr("touched", 1)
        raise ZeroDivisionError("half way")


@dataclass(frozen=True)
class Constant:
    """A cost model: each kernel takes as long as it is told."""

    name: str = "constant"
    latency_ms: float = 2.0
    trust: graphcost.Trust = graphcost.Trust.FITTED

    def estimate(self, queries: Sequence[graphcost.KernelQuery], device: object) -> list[graphcost.Cost]:
        return [graphcost.Cost(self.latency_ms, 1.0, 3.0, Bound.COMPUTE, self.trust, self.name) for _ in queries]


def test_everything_that_is_public_can_be_imported():
    for name in graphcost.__all__:
        assert getattr(graphcost, name) is not None, name


def test_without_a_device_work_and_memory_are_exact_and_time_is_unknown():
    totals = graphcost.analyze(conv_net()).totals
    assert totals.macs == CONV_NET_MACS
    assert totals.latency_ms is None and totals.latency_known_ms is None
    assert totals.total_memory_bytes == totals.weight_bytes + totals.arena_bytes


def test_a_pass_is_inserted_as_an_object():
    with pytest.raises(graphcost.PassFailed, match=r"pass 'break' failed \(after inline-branches.*half way"):
        graphcost.run(RESNET, "nano", insert=[(Break(), "after:canonical")])


def test_the_reproducer_holds_the_graph_just_before_the_failing_pass():
    with pytest.raises(graphcost.PassFailed) as failure:
        graphcost.run(RESNET, "nano", insert=[(Break(), "end")])
    text = failure.value.reproducer
    assert text.startswith("; run: break\n; target: nano@MAXN tensorrt-8.2 fp32 inference\n")
    assert not any(node.attrs.get("touched") for node in parse_graph(text))


def test_a_place_that_is_not_there_is_refused():
    with pytest.raises(UnknownName, match="unknown anchor"):
        graphcost.run(RESNET, "nano", insert=[(Break(), "after:nowhere")])
    with pytest.raises(UsageError, match="does not say where"):
        graphcost.run(RESNET, "nano", insert=[(Break(), "somewhere")])


def test_the_most_trusted_cost_model_is_believed_whatever_the_order():
    models = [Constant("guess", 9.0, graphcost.Trust.ANALYTIC), Constant("fit", 2.0), "roofline"]
    report = graphcost.analyze(conv_net(), "nano", cost_models=models)
    assert {row.latency_ms for row in report.kernels if row.bound != "none"} == {2.0}
    assert report.totals.latency_ms == 2.0 * report.totals.kernels


def test_a_cost_model_may_refuse_and_its_reason_is_kept():
    class Shy(Constant):
        def estimate(self, queries, device):
            return [graphcost.Refusal("never seen one")] * len(queries)

    run = graphcost.run(conv_net(), "nano", cost_models=[Shy("shy")])
    assert run.report.totals.latency_ms is None
    assert next(iter(run.costs.values())).reasons == ("shy: never seen one",)


def test_the_collector_is_as_it_was_even_after_a_failure():
    assert gc.isenabled()
    with pytest.raises(graphcost.PassFailed):
        graphcost.run(RESNET, "nano", insert=[(Break(), "end")])
    assert gc.isenabled()


def test_opt_gives_text_that_opt_takes_again(tmp_path: Path):
    once = graphcost.opt(RESNET, "fold-shapes,dce")
    file = tmp_path / "graph.gcir"
    file.write_text(once)
    assert graphcost.opt(file, "") == once


def test_the_target_line_of_a_text_counts_unless_a_device_is_given(tmp_path: Path):
    file = tmp_path / "graph.gcir"
    file.write_text(graphcost.opt(RESNET, "dce", "nano", precision="fp16"))
    assert graphcost.opt(file, "").startswith("; target: nano@MAXN tensorrt-8.2 fp16 inference\n")
    assert graphcost.opt(file, "", "tx2").startswith("; target: tx2@MAXN tensorrt-8.2 fp32 inference\n")


def test_a_text_that_is_no_graph_is_refused_with_its_line(tmp_path: Path):
    file = tmp_path / "bad.gcir"
    file.write_text("graph g(%x: f32[1]) {\n  %y: f32[1] = onnx.Relu(%z)\n  return %y\n}\n")
    with pytest.raises(ModelError, match="line 2: %z is not defined"):
        graphcost.opt(file, "dce")


def test_explain_tells_what_became_of_a_node_and_of_one_that_is_gone():
    run = graphcost.run(MODELS / "mobilenet_v2.onnx", "nano")
    eliminated = run.report.eliminated[0]
    assert any(eliminated.reason in line for line in graphcost.explain(run, eliminated.node))
    kernel = run.report.kernels[0]
    lines = graphcost.explain(run, kernel.origin[0])
    assert any(f"{kernel.latency_ms:.4f} ms" in line for line in lines)


def test_explain_offers_near_names():
    run = graphcost.run(RESNET, "nano")
    with pytest.raises(UnknownName, match="did you mean /conv1/Conv"):
        graphcost.explain(run, "/conv1/Con")


def test_a_report_is_frozen():
    report = graphcost.analyze(conv_net())
    with pytest.raises(AttributeError):
        report.totals.macs = 0
    assert replace(report, warnings=()) != report or report.warnings == ()


def test_eight_images_take_longer_than_one_but_not_more_than_eight_times_as_long():
    one, eight = (graphcost.analyze(RESNET, "nano", batch=batch).totals.latency_ms for batch in (1, 8))
    assert one < eight <= 8 * one * 1.0001


def test_a_faster_mode_is_faster_and_half_precision_too():
    slow, fast = (graphcost.analyze(RESNET, f"orin-nano@{mode}").totals.latency_ms for mode in ("7W", "MAXN_SUPER"))
    half = graphcost.analyze(RESNET, "orin-nano@7W", precision="fp16").totals.latency_ms
    assert fast < slow and half < slow
