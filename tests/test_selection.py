"""Kernel selection: tactics, formats and reformats chosen together, with cost models made for the purpose."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import graphcost
from graphcost.api import Run
from graphcost.cost import Bound, Cost, Estimate, KernelQuery, Tactic, Trust
from graphcost.device import DeviceProfile
from graphcost.target import make_target
from graphcost.text import parse_graph, print_graph

MODELS = Path(__file__).parents[1] / "examples" / "models"


@dataclass(frozen=True)
class Timings:
    """A cost model that knows, for each convolution by its output channels, tactics; and what a reformat takes."""

    tactics_of: dict[int, tuple[Tactic, ...]] = field(hash=False)
    reformat_ms: float = 0.010
    name: str = "timings"

    def tactics(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[tuple[Tactic, ...]]:
        return [self._known(query) for query in queries]

    def estimate(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[Estimate]:
        return [self._cost(query) for query in queries]

    def _known(self, query: KernelQuery) -> tuple[Tactic, ...]:
        dims = query.outputs[0].dims or ()
        return self.tactics_of.get(int(dims[1]), ()) if query.kind == "conv" else ()  # type: ignore[call-overload]

    def _cost(self, query: KernelQuery) -> Cost:
        chosen = {tactic.name: tactic.latency_ms for tactic in self._known(query)}
        latency_ms = chosen.get(str(query.attrs.get("tactic")), self.reformat_ms)
        return Cost(latency_ms, latency_ms, latency_ms, Bound.COMPUTE, Trust.MEASURED, self.name)


def tactics(linear_ms: float, hwc_ms: float) -> tuple[Tactic, ...]:
    return tuple(sorted((Tactic("winograd", "linear", linear_ms), Tactic("tf32", "hwc", hwc_ms)), key=lambda t: t[2]))


def chain(tmp_path: Path, model: Timings, channels: Sequence[int], residual: bool = False) -> Run:
    """Convolutions one after the other, each with its number of output channels; the last may add the first's."""
    import onnx
    from onnx import TensorProto, helper

    nodes, weights, width, last = [], [], 8, "x"
    for number, wide in enumerate(channels):
        data = b"\0" * 4 * wide * width
        weights.append(helper.make_tensor(f"w{number}", TensorProto.FLOAT, [wide, width, 1, 1], data, raw=True))
        nodes.append(helper.make_node("Conv", [last, f"w{number}"], [f"v{number}"], name=f"conv{number}"))
        width, last = wide, f"v{number}"
    if residual:
        nodes.append(helper.make_node("Add", [last, "v0"], ["sum"], name="add"))
        last = "sum"
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 16, 16])
    y = helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, width, 16, 16])
    made = helper.make_model(helper.make_graph(nodes, "chain", [x], [y], weights))
    onnx.save(made, tmp_path / "chain.onnx")
    return graphcost.run(tmp_path / "chain.onnx", "orin-nano", runtime="tensorrt-8.5", cost_models=[model])


def chosen(run: Run) -> list[object]:
    return [node.attrs["tactic"] for node in run.graph if "tactic" in node.attrs]


def reformats(run: Run) -> int:
    return sum(node.op == "trt.reformat" for node in run.graph)


def test_a_faster_kernel_is_not_worth_two_reformats(tmp_path: Path) -> None:
    run = chain(tmp_path, Timings({16: tactics(0.100, 0.090)}), [16])
    assert (chosen(run), reformats(run)) == (["winograd"], 0)


def test_a_kernel_that_saves_more_than_its_reformats_is_taken(tmp_path: Path) -> None:
    run = chain(tmp_path, Timings({16: tactics(0.100, 0.070)}), [16])
    assert (chosen(run), reformats(run)) == (["tf32"], 2)


def test_neighbours_share_what_reformats_cost(tmp_path: Path) -> None:
    run = chain(tmp_path, Timings({16: tactics(0.100, 0.092)}), [16, 16, 16])
    assert (chosen(run), reformats(run)) == (["tf32"] * 3, 2)


def test_one_layer_in_between_may_go_its_own_way(tmp_path: Path) -> None:
    model = Timings({16: tactics(0.100, 0.050), 24: tactics(0.050, 0.100)})
    run = chain(tmp_path, model, [16, 24, 16])
    assert (chosen(run), reformats(run)) == (["tf32", "winograd", "tf32"], 4)


def test_a_shortcut_needs_its_reformat_too(tmp_path: Path) -> None:
    """The sum is taken in by the last convolution, so the first one's result must lie as that one writes."""
    model = Timings({16: tactics(0.100, 0.095), 24: tactics(0.050, 0.200)})
    assert chosen(chain(tmp_path, model, [16, 24, 16], residual=True)) == ["winograd"] * 3


def test_the_runner_up_is_kept_for_explain(tmp_path: Path) -> None:
    run = chain(tmp_path, Timings({16: tactics(0.100, 0.070)}), [16])
    assert any("tf32 70.0 us in hwc; runner-up winograd 100.0 us in linear" in line
               for line in graphcost.api.explain(run, "conv0"))  # fmt: skip


def test_the_report_names_the_tactic_and_its_price(tmp_path: Path) -> None:
    run = chain(tmp_path, Timings({16: tactics(0.100, 0.070)}), [16])
    assert run.report.totals.latency_ms == pytest.approx(0.070 + 2 * 0.010)


@pytest.mark.parametrize("seed", range(10))
def test_on_chains_nothing_is_cheaper(tmp_path: Path, seed: int) -> None:
    """Every combination tried: the sum of kernels and reformats is never below that of the choice."""
    rng = random.Random(seed)
    widths = rng.sample(range(9, 60), rng.randint(2, 6))
    model = Timings({w: tactics(rng.randint(20, 60) / 1e3, rng.randint(20, 60) / 1e3) for w in widths})

    def total(ways: Sequence[Tactic]) -> float:
        formats = ["linear", *(way.format for way in ways), "linear"]
        steps = sum(a != b for a, b in itertools.pairwise(formats))
        return sum(way.latency_ms for way in ways) + steps * model.reformat_ms

    best = min(map(total, itertools.product(*(model.tactics_of[w] for w in widths))))
    assert chain(tmp_path, model, widths).report.totals.latency_ms == pytest.approx(best)


@dataclass(frozen=True)
class TwoWays:
    """Every convolution in two formats, at a price that depends on its work."""

    name: str = "two-ways"

    def tactics(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[tuple[Tactic, ...]]:
        return [self._known(query) for query in queries]

    def estimate(self, queries: Sequence[KernelQuery], device: DeviceProfile) -> list[Estimate]:
        return [Cost(ms := 0.004 + query.work.bytes / 5e7, ms, ms, Bound.MEMORY, Trust.FITTED, self.name)
                for query in queries]  # fmt: skip

    def _known(self, query: KernelQuery) -> tuple[Tactic, ...]:
        if query.kind != "conv":
            return ()
        spread = query.work.macs % 7 / 7
        return tactics(query.work.macs / 1e9 * (1 + spread), query.work.macs / 1e9 * (2 - spread))


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.onnx")), ids=lambda path: path.name)
def test_selection_conserves_work_is_deterministic_and_settles(path: Path) -> None:
    asked = {"runtime": "tensorrt-8.5", "cost_models": [TwoWays()]}
    whole = make_target("orin-nano", "tensorrt-8.5").runtime.pipeline()
    before = graphcost.analyze(path, "orin-nano", **asked, pipeline=whole.partition(",selection[")[0]).totals
    once = graphcost.run(path, "orin-nano", **asked)
    assert (once.report.totals.macs, once.report.totals.flops) == (before.macs, before.flops)
    text = print_graph(once.graph)
    assert print_graph(graphcost.run(path, "orin-nano", **asked).graph) == text == print_graph(parse_graph(text))
    twice = graphcost.run(path, "orin-nano", **asked, pipeline=f"{whole},{whole[whole.index('selection['):]}")
    assert print_graph(twice.graph) == text
