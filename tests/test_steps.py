"""The step-function model, from tables of queries: no graph is needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from graphcost.cost_models.steps import STEPS
from graphcost.cost_models.steps.parameters import NAMES, parameters_of, prior

from graphcost.cost import Bound, Cost, KernelQuery, Refusal, TacticModel, Trust
from graphcost.device import load_device
from graphcost.fit import Fittable
from graphcost.geometry import Contraction
from graphcost.work.node import Work

NANO, ORIN, XAVIER = (load_device(name) for name in ("nano", "orin-nano", "agx-xavier"))
UNFITTED = replace(NANO, fitted={})
BYTES = {"f32": 4, "tf32": 4, "f16": 2, "i8": 1}


def conv(
    channels: int = 64, filters: int = 64, size: int = 56, window: int = 3, precision: str = "f16", batch: int = 1
) -> KernelQuery:
    """A convolution that keeps the size of its input."""
    dims, results = (batch, channels, size, size), (batch, filters, size, size)
    found = Contraction(
        "conv", 1, 1, batch * size**2, filters, channels * window**2, (window,) * 2, (1, 1), (1, 1), dims, results
    )
    weights = filters * channels * window**2
    read, written = (int(np.prod(dims)) + weights) * BYTES[precision], int(np.prod(results)) * BYTES[precision]
    work = Work(found.macs, 0, read, written)
    return KernelQuery("conv", "onnx.Conv", precision, (), (), work, contractions=(found,))


def depthwise(channels: int, size: int) -> KernelQuery:
    dims = (1, channels, size, size)
    found = Contraction("conv", 1, channels, size**2, 1, 9, (3, 3), (1, 1), (1, 1), dims, dims)
    work = Work(found.macs, 0, channels * size**2 * 2, channels * size**2 * 2)
    return KernelQuery("depthwise", "onnx.Conv", "f16", (), (), work, contractions=(found,))


def fully_connected(inputs: int, results: int) -> KernelQuery:
    found = Contraction("gemm", 1, 1, 1, results, inputs, (), (), (), (1, inputs), (1, results))
    work = Work(found.macs, 0, (inputs + inputs * results) * 2, results * 2)
    return KernelQuery("gemm", "onnx.Gemm", "f16", (), (), work, contractions=(found,))


def pooling(channels: int, size: int, window: int) -> KernelQuery:
    results = channels * size**2
    work = Work(0, results * window**2, results * 2, results * 2)
    return KernelQuery("pool", "onnx.MaxPool", "f16", (), (), work)


def moving(bytes: int, kind: str = "copy") -> KernelQuery:
    return KernelQuery(kind, "onnx.Transpose", "f16", (), (), Work(0, 0, bytes // 2, bytes // 2))


def cost(query: KernelQuery, device=NANO) -> Cost:
    (found,) = STEPS.estimate([query], device)
    assert isinstance(found, Cost)
    return found


def latency(query: KernelQuery, device=NANO) -> float:
    found = cost(query, device).latency_ms
    assert found is not None
    return found


def test_latency_is_a_staircase_in_output_channels():
    times = [latency(conv(filters=n, window=5, precision="f32"), UNFITTED) for n in (129, 160, 192, 193)]
    assert times[0] == pytest.approx(times[2], rel=0.05)
    assert times[3] > 1.1 * times[2]


def test_latency_is_a_staircase_in_pixels_where_winograd_computes_blocks():
    times = [latency(conv(256, 256, size=size, precision="f32"), UNFITTED) for size in (57, 64, 65)]
    assert times[1] - times[0] < times[2] - times[1]


def test_more_work_of_any_kind_never_takes_less():
    for small, large in [
        (conv(), conv(channels=128)), (conv(), conv(filters=200)), (conv(), conv(size=60)), (conv(), conv(batch=3)),
        (depthwise(64, 28), depthwise(128, 28)), (moving(10**5), moving(10**6)),
    ]:  # fmt: skip
        for device in (NANO, ORIN, XAVIER):
            assert latency(large, device) >= latency(small, device)


def test_a_batch_costs_at_most_as_much_as_its_images_one_by_one():
    for device in (NANO, ORIN, XAVIER):
        for batch in (2, 8, 32):
            assert latency(conv(size=7, channels=512, filters=512, batch=batch), device) <= batch * latency(
                conv(size=7, channels=512, filters=512), device
            )


def test_narrower_types_are_not_slower_where_the_hardware_is_faster_in_them():
    for device in (ORIN, XAVIER):
        large = [latency(conv(256, 256, precision=precision), device) for precision in ("i8", "f16", "f32")]
        assert large == sorted(large)
    assert latency(conv(256, 256)) < latency(conv(256, 256, precision="f32"))


def test_int8_is_never_slower_than_the_half_precision_whose_parameters_it_takes():
    for device in (ORIN, XAVIER):
        for half in (depthwise(192, 28), fully_connected(1280, 1000), conv(), moving(10**6), pooling(256, 20, 13)):
            byte = replace(half, precision="i8", work=replace(half.work, bytes_read=half.work.bytes_read // 2))
            assert latency(byte, device) <= latency(half, device)


def test_the_steps_of_a_recurrent_layer_are_launched_one_after_another():
    one = replace(fully_connected(256, 512), kind="rnn")
    launch_ms = latency(replace(one, steps=2)) - latency(one)
    assert latency(replace(one, steps=100)) == pytest.approx(latency(one) + 99 * launch_ms)
    assert launch_ms > 0.004


def test_a_convolution_in_narrow_groups_never_takes_longer_than_one_without():
    for device, precision in ((NANO, "f16"), (XAVIER, "f16"), (ORIN, "f16"), (ORIN, "i8")):
        dense = conv(128, 128, precision=precision)
        (product,) = dense.contractions
        for groups in (4, 16, 32, 64):
            part = replace(product, groups=groups, n=128 // groups, k=product.k // groups)
            grouped = replace(dense, kind="group-conv", contractions=(part,), work=replace(dense.work, macs=part.macs))
            assert latency(grouped, device) <= latency(dense, device)


def test_no_kernel_is_faster_than_its_arithmetic_or_its_memory_allow():
    query = conv(256, 256, window=5)
    assert latency(query, ORIN) > 2 * query.work.macs / ORIN.peak_flops_per_s("f16") * 1e3
    assert latency(moving(10**8)) > 10**8 / NANO.dram_peak_bytes_per_s * 1e3


def test_a_mode_that_was_never_measured_follows_from_its_clocks_and_its_sms():
    slow, fast = (load_device(f"orin-nano@{mode}") for mode in ("7W", "MAXN_SUPER"))
    query = conv(512, 512, size=64, window=5)
    ratio = fast.peak_flops_per_s("f16") / slow.peak_flops_per_s("f16")
    assert latency(query, slow) / latency(query, fast) == pytest.approx(ratio, rel=0.1)


def test_siblings_that_read_one_tensor_are_one_product():
    one, both = conv(filters=64), conv(filters=128)
    merged = replace(both, contractions=(*one.contractions, *one.contractions))
    assert latency(merged) == pytest.approx(latency(both))


def test_what_is_not_known_is_refused():
    (unknown,) = STEPS.estimate([replace(conv(), work_known=False)], NANO)
    assert isinstance(unknown, Refusal)
    (no_kernels,) = STEPS.estimate([conv()], load_device("thor"))
    assert isinstance(no_kernels, Refusal)


def test_a_product_that_no_kernel_of_the_catalogue_can_run_is_refused_and_not_priced_for_ever():
    work = Work(8 * 1000 * 2048, 0, 2048 * 1008, 8000)
    product = Contraction("gemm", 1, 1, 8, 1000, 2048, input_dims=(8, 2048), output_dims=(8, 1000))
    (found,) = STEPS.estimate(
        [KernelQuery("gemm", "onnx.Gemm", "i8", (), (), work, contractions=(product,))], load_device("xavier-nx")
    )
    assert isinstance(found, Refusal)
    assert "sm_72" in found.reason


def test_tactics_hold_the_fastest_kernel_and_are_priced_as_said():
    assert isinstance(STEPS, TacticModel)
    query = conv(256, 256)
    (tactics,) = STEPS.tactics([query], ORIN)
    assert tactics[0].latency_ms == pytest.approx(latency(query, ORIN))
    assert tactics[0].name == cost(query, ORIN).tactic
    for tactic in tactics:
        assert latency(replace(query, attrs={"tactic": tactic.name}), ORIN) == pytest.approx(tactic.latency_ms)


def test_kernels_without_a_tiled_product_have_no_tactics():
    assert STEPS.tactics([moving(100), depthwise(8, 8)], ORIN) == [(), ()]


def test_trust_says_whether_the_device_itself_was_measured():
    measured = replace(NANO, fitted_precisions=frozenset({"f16"}))
    assert cost(conv(), measured).trust is Trust.FITTED
    assert cost(conv(precision="f32"), measured).trust is Trust.PRIOR


def test_parameters_of_a_device_move_its_latencies():
    slower = replace(NANO, fitted={"f32": {"conv_utilisation": 0.1, "winograd_utilisation": 0.1}})
    query = conv(256, 256, precision="f32")
    assert latency(query, slower) > 4 * latency(query, UNFITTED)


def test_a_type_without_fitted_parameters_takes_those_of_the_nearest():
    device = replace(ORIN, fitted={"f16": {"conv_utilisation": 0.33}})
    assert parameters_of(device, "i8")[NAMES.index("conv_utilisation")] == pytest.approx(np.log(0.33))


def test_waits_that_stand_in_shrink_with_the_rate_of_multiplications():
    """FP16 : TF32 is 4 : 1 on an RTX 3090 and 2 : 1 on an A100; operands of 32 bits are twice as many bytes."""
    waits = {"idle_rounds": 0.4, "prologue_depth": 100.0, "gather_taps": 0.4, "edge_cost": 0.2, "conv_utilisation": 0.9}

    def brought(name: str, precision: str) -> list[float]:
        theta = parameters_of(replace(load_device(name), fitted={"f16": waits}), precision)
        return np.exp([theta[NAMES.index(wait)] for wait in waits]).tolist()

    assert brought("rtx3090", "tf32") == pytest.approx([0.1, 25, 0.1, 0.1, 0.9])
    assert brought("a100-80gb-pcie", "tf32") == pytest.approx([0.2, 50, 0.2, 0.2, 0.9])
    assert brought("rtx3090", "f32") == pytest.approx([0.1, 25, 0.1, 0.1, 0.9])
    for name, precision in (("xavier-nx", "f32"), ("nano", "f32"), ("orin-nano", "i8"), ("rtx3090", "f16")):
        assert brought(name, precision) == pytest.approx(list(waits.values()))


def test_networks_in_fp32_have_one_set_of_parameters_where_they_are_fitted_as_one():
    device = replace(load_device("rtx3090"), fitted={"tf32": {"idle_rounds": 0.3}, "f16": {"idle_rounds": 0.4}})
    for precision in ("f32", "tf32"):
        assert parameters_of(device, precision)[NAMES.index("idle_rounds")] == pytest.approx(np.log(0.3))


def test_gradients_are_those_of_the_latencies():
    assert isinstance(STEPS, Fittable)
    networks = [[conv(), depthwise(64, 28), moving(10**6)], [conv(48, 96, window=1), moving(10**5, "pool")]]
    networks += [[padded(conv(window=1), 2)]]
    prepared, theta = STEPS.prepare(networks, NANO), prior()
    before, gradient = prepared.predict_ms(theta)
    for at in range(len(theta)):
        nudged = theta.copy()
        nudged[at] += 1e-6
        after, _ = prepared.predict_ms(nudged)
        assert (after - before) / 1e-6 == pytest.approx(gradient[:, at], rel=1e-3, abs=1e-6)


def test_prepared_networks_cost_what_the_model_estimates():
    queries = [conv(), conv(), conv(128, 96, window=1), depthwise(64, 28), moving(10**6)]
    prepared = STEPS.prepare([queries], XAVIER)
    total, _ = prepared.predict_ms(parameters_of(XAVIER, "f16"))
    assert total[0] == pytest.approx(sum(latency(query, XAVIER) for query in queries))


def test_no_kernel_moves_bytes_faster_than_the_sustained_rate_that_was_measured():
    measured = replace(UNFITTED, dram_sustained_gb_per_s=UNFITTED.dram_peak_gb_per_s * 0.1)
    copy = moving(10**8)
    assert latency(copy, measured) == pytest.approx(10**8 / measured.dram_sustained_bytes_per_s * 1e3, rel=0.02)
    assert latency(copy, replace(measured, dram_sustained_gb_per_s=UNFITTED.dram_peak_gb_per_s)) == latency(
        copy, UNFITTED
    )


def test_a_product_of_one_row_waits_for_its_only_tile_or_for_its_weights():
    """Ten results of 10^5 inputs are one tile, computed step by step; 4,096 of them are bound by the memory."""
    few, many = (fully_connected(10**5, results) for results in (10, 4096))
    assert cost(few, ORIN).bound is Bound.COMPUTE and cost(many, ORIN).bound is Bound.MEMORY
    assert latency(few, ORIN) == pytest.approx(latency(fully_connected(10**5, 32), ORIN), rel=0.03)


def padded(query: KernelQuery, more: int) -> KernelQuery:
    """The same results of an input that is smaller by so many pixels, which are padding instead."""
    (found,) = query.contractions
    batch, channels, rows, columns = found.input_dims
    return replace(query, contractions=(replace(found, input_dims=(batch, channels, rows - more, columns - more)),))


@pytest.mark.parametrize(
    ("window", "more", "copies"), [(1, 0, 0), (1, 2, 2), (2, 2, 0), (2, 3, 2), (3, 0, 0), (3, 3, 0), (3, 4, 2)]
)
def test_a_convolution_padded_by_its_window_moves_its_operands_besides(window: int, more: int, copies: int) -> None:
    query = conv(256, 256, window=window, precision="f32")
    bandwidth = np.exp(parameters_of(NANO, "f32"))[NAMES.index("contraction_bandwidth")] * NANO.dram_peak_bytes_per_s
    besides_ms = copies * query.work.bytes / bandwidth * 1e3
    assert latency(padded(query, more)) == pytest.approx(latency(query) + besides_ms)


def test_a_kernel_far_larger_than_all_that_were_fitted_is_worth_measuring():
    board = replace(NANO, largest_kernels={"f16": {"k": 576.0, "bytes": 1e9}})
    assert cost(conv(64), board).extrapolates == ()
    assert cost(conv(256), board).extrapolates == ("the depth of a product 2,304, measured up to 576",)
    assert cost(conv(256), replace(NANO, largest_kernels={})).extrapolates == ()


def test_multiply_adds_that_no_product_stands_for_are_not_priced_as_nothing():
    loop = KernelQuery("control", "onnx.Loop", "f16", (), (), Work(10**9, 0, 10**6, 10**6))
    (refusal,) = STEPS.estimate([loop], NANO)
    assert isinstance(refusal, Refusal) and "product inside it" in refusal.reason
