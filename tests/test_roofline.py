"""The first cost model, from a table of queries: no graph is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from graphcost.cost_models.roofline import FLOOR_US, LAUNCH_FLOORS, ROOFLINE

from graphcost.cost import FREE, Bound, Cost, KernelQuery, Refusal, estimate_all
from graphcost.device import load_device
from graphcost.work.node import Work

NANO, ORIN = load_device("nano"), load_device("orin-nano")
GEMM = KernelQuery("gemm", "onnx.Gemm", "f16", (), (), Work(10**9, 0, 10**6, 10**6))
COPY = KernelQuery("copy", "onnx.Transpose", "f16", (), (), Work(0, 0, 10**8, 10**8))
TINY = KernelQuery("pointwise", "onnx.Relu", "f16", (), (), Work(0, 10, 20, 20))


def latency(query: KernelQuery, device=NANO) -> float:
    (found,) = ROOFLINE.estimate([query], device)
    assert isinstance(found, Cost) and found.latency_ms is not None
    return found.latency_ms


def bound(query: KernelQuery) -> Bound:
    (found,) = ROOFLINE.estimate([query], NANO)
    assert isinstance(found, Cost)
    return found.bound


def test_each_kernel_is_bound_by_what_it_needs_most():
    assert [bound(query) for query in (GEMM, COPY, TINY)] == [Bound.COMPUTE, Bound.MEMORY, Bound.LAUNCH]


def test_nothing_is_faster_than_a_launch_nor_than_the_limits_of_physics():
    launch_ms = FLOOR_US * LAUNCH_FLOORS / 1e3
    assert latency(TINY) == pytest.approx(launch_ms, rel=1e-3)
    assert latency(GEMM) > 2 * GEMM.work.macs / NANO.peak_flops_per_s("f16") * 1e3 + launch_ms
    assert latency(COPY) > COPY.work.bytes / NANO.dram_peak_bytes_per_s * 1e3 + launch_ms


def test_a_mode_that_was_never_measured_follows_from_its_clocks():
    slow, fast = (load_device(f"orin-nano@{mode}") for mode in ("7W", "MAXN_SUPER"))
    ratio = fast.peak_flops_per_s("f16") / slow.peak_flops_per_s("f16")
    launch_ms = FLOOR_US * LAUNCH_FLOORS / 1e3
    assert (latency(GEMM, slow) - launch_ms) / (latency(GEMM, fast) - launch_ms) == pytest.approx(ratio)


def test_a_measured_bandwidth_of_a_users_board_counts():
    slower = replace(ORIN, dram_sustained_gb_per_s=20.0)
    assert latency(COPY, slower) > latency(COPY, ORIN)


def test_the_interval_holds_the_estimate():
    (found,) = ROOFLINE.estimate([GEMM], NANO)
    assert found.low_ms < found.latency_ms < found.high_ms


def test_what_is_not_known_is_refused_and_not_guessed():
    assert isinstance(ROOFLINE.estimate([replace(GEMM, work_known=False)], NANO)[0], Refusal)
    thor = load_device("thor")
    (refusal,) = ROOFLINE.estimate([GEMM], replace(thor, dram_peak_gb_per_s=None, dram_sustained_gb_per_s=None))
    assert isinstance(refusal, Refusal) and "thor" in refusal.reason
    (cost,) = estimate_all([replace(GEMM, work_known=False)], NANO, [ROOFLINE])
    assert cost.latency_ms is None and cost.reasons[0].startswith("roofline: ")


def test_a_view_is_free_on_every_device():
    view = replace(COPY, launches=False)
    assert estimate_all([view], NANO, [ROOFLINE]) == estimate_all([view], None, []) == [FREE]
