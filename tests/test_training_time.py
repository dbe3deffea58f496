"""The time of a training step: prices of what kernels do, host and GPU side by side, a correction learned from steps.

The rows were measured on a Jetson TX2 with PyTorch 1.6 (perf4sight); those that are asked here are a part of them.
"""

import csv

import numpy as np
import pytest
from graphcost.cost_models.eager import residual as residuals
from graphcost.cost_models.eager.composition import composition
from graphcost.cost_models.eager.features import NAMES
from graphcost.cost_models.eager.fitting import Steps, errors_by_network, fit, left_out_ms, queries_of_step, read_steps
from graphcost.cost_models.eager.judging import SEEN_LEVELS, levels_left_out
from graphcost.cost_models.eager.model import Fitted, fitted_to
from graphcost.cost_models.eager.overlap import HOST, P, step_ms
from graphcost.cost_models.eager.prior import EAGER_PRIOR, INTERVAL, shared_out
from graphcost.cost_models.eager.prior import fit as fit_prior

from graphcost.api import run
from graphcost.device import load_device
from graphcost.training import TrainingOptions


@pytest.fixture(scope="module")
def rows(shared):
    """A third of the steps: all networks, batches and levels of pruning are among them."""
    path = shared / "data" / "training" / "tx2_pytorch_training.csv"
    with path.open(encoding="utf-8") as file:
        found = [row for row in csv.DictReader(file) if row["onnx"] and row["latency_ok"] == "True"]
    return found[::3]


@pytest.fixture(scope="module")
def steps(shared, rows):
    return read_steps(rows, shared / "models", "tx2")


def errors(predicted_ms, measured_ms):
    return abs(predicted_ms / measured_ms - 1)


def told(title, found):
    quartiles = ", ".join(f"{q:.1%}" for q in np.quantile(found, [0.25, 0.5, 0.75, 0.95]))
    print(
        f"{title}: {len(found)} steps, mean {found.mean():.2%}, quartiles and 95 % {quartiles}, worst {found.max():.1%}"
    )


def test_step_time_of_networks_left_out(steps):
    found = errors_by_network(steps)
    mean = sum(found.values()) / len(found)
    print(f"{len(steps)} steps, each network left out: " + ", ".join(f"{n} {e:.1%}" for n, e in found.items()))
    print(f"mean {mean:.2%}")
    assert mean <= 0.07


def test_step_time_of_networks_pruned_otherwise(steps, rows):
    seen = np.array([row["prune_pct"] in SEEN_LEVELS for row in rows])
    found = levels_left_out(steps, seen)
    told("levels 0, 30, 50, 70, 90 seen, others asked", found)
    assert found.mean() <= 0.055


def test_what_is_shipped_is_near_to_what_was_measured(steps):
    found = errors(fitted_to("tx2").step_ms(steps.amounts), steps.latency_ms)
    told("as shipped", found)
    assert found.mean() <= 0.03


def test_nine_of_ten_steps_of_networks_left_out_lie_in_the_interval(steps):
    shipped = fitted_to("tx2")
    ratio = steps.latency_ms / left_out_ms(steps)
    inside = ((shipped.interval[0] <= ratio) & (ratio <= shipped.interval[1])).mean()
    print(f"{inside:.1%} inside of {shipped.interval}")
    assert inside >= 0.9


def test_kernels_sum_to_the_step_and_phases_too(shared, steps, rows):
    at = next(at for at, row in enumerate(rows) if row["onnx"].endswith("resnet18_0.onnx"))
    model, batch = shared / "models" / rows[at]["onnx"], int(rows[at]["batch"])
    totals = run(model, "tx2", training=TrainingOptions(), batch=batch).report.totals
    step = totals.training
    assert step.step_ms == pytest.approx(step.forward_ms + step.backward_ms + step.optimizer_ms)
    assert totals.latency_low_ms < step.step_ms < totals.latency_high_ms
    assert step.step_ms == pytest.approx(fitted_to("tx2").step_ms(steps.amounts[at : at + 1])[0], rel=0.02)
    assert step.backward_ms > step.forward_ms > step.optimizer_ms > 0


def test_costs_times_their_derivatives_sum_to_the_step():
    random = np.random.default_rng(7)
    amounts, prices = random.uniform(0, 1, (5, len(NAMES))), random.uniform(0, 9, len(NAMES))
    total, share = step_ms(amounts, prices)
    assert (amounts * prices * share).sum(axis=1) == pytest.approx(total)


def test_a_step_takes_no_less_than_host_or_gpu_alone_and_no_more_than_both_in_turn():
    random = np.random.default_rng(3)
    amounts, prices = random.uniform(0, 1, (50, len(NAMES))), random.uniform(0, 9, len(NAMES))
    gpu, host = (amounts * prices)[:, ~HOST].sum(axis=1), (amounts * prices)[:, HOST].sum(axis=1)
    total = step_ms(amounts, prices)[0]
    assert (total >= np.maximum(gpu, host)).all()
    assert (total <= gpu + host).all()


def test_prices_are_found_again_from_steps_that_they_made():
    random = np.random.default_rng(11)
    amounts, prices = random.uniform(0.1, 1, (400, len(NAMES))), random.uniform(1, 9, len(NAMES))
    made = Steps(amounts, step_ms(amounts, prices)[0], np.array(["a", "b"] * 200))
    found = fit(made)
    assert errors(found.step_ms(amounts), made.latency_ms).max() < 0.02


def test_the_correction_is_nothing_for_a_network_unlike_all_others():
    amounts = np.random.default_rng(5).uniform(0.1, 1, (30, len(NAMES)))
    learned = residuals.learn(composition(amounts), np.full(30, 0.2))
    assert learned(composition(amounts)).mean() > 0.05
    assert abs(learned(composition(amounts) + 5)).max() < 1e-9


def test_composition_does_not_hang_on_the_size_of_a_step_but_for_macs_a_launch():
    amounts = np.random.default_rng(9).uniform(0.1, 1, (4, len(NAMES)))
    assert composition(3 * amounts) == pytest.approx(composition(amounts))


def test_another_device_is_refused(shared):
    assert fitted_to("nano") is None
    assert isinstance(fitted_to("tx2"), Fitted)


def analysed(model, device="tx2", **options):
    return run(model, device, training=TrainingOptions(**options), batch=8)


def models_that_price(found):
    return {cost.model for cost in found.costs.values() if cost.latency_ms}


def test_a_step_of_other_work_than_was_measured_is_no_fitted_one(shared):
    found = analysed(shared / "models/vit_base_patch16_224.ts17.onnx")
    assert models_that_price(found) == {"eager-prior"}
    at_the_peak_ms = 2e3 * found.report.totals.macs / load_device("tx2").peak_flops_per_s("f32")
    assert found.report.totals.latency_ms > at_the_peak_ms


@pytest.mark.parametrize("device", ["nano", "orin-nano", "a100"])
def test_a_step_on_a_board_without_measured_steps_has_a_prior_and_a_wide_interval(shared, device):
    found = analysed(shared / "models/tx2_training/resnet18_0.onnx", device)
    totals = found.report.totals
    assert models_that_price(found) == {"eager-prior"}
    assert totals.latency_high_ms / totals.latency_low_ms > 2
    step = totals.training
    assert step.step_ms == pytest.approx(step.forward_ms + step.backward_ms + step.optimizer_ms)


def test_an_inference_has_no_prior_of_a_step(shared):
    found = run(shared / "models/tx2_training/resnet18_0.onnx", "orin-nano", runtime="pytorch")
    assert models_that_price(found) == {"roofline"}


def test_mixed_precision_computes_in_the_lower_type_and_takes_less(shared):
    model = shared / "models/tx2_training/resnet18_0.onnx"
    plain, mixed = analysed(model, "a100"), analysed(model, "a100", amp="fp16")
    assert {k.precision for k in mixed.report.kernels if k.macs} == {"f16"}
    assert mixed.report.totals.latency_ms < plain.report.totals.latency_ms


def test_the_prior_meets_measured_steps_within_its_interval(shared, rows):
    some = rows[::25]
    found = []
    for row in some:
        queries = queries_of_step(shared / "models" / row["onnx"], int(row["batch"]), "tx2")
        costs = EAGER_PRIOR.estimate(queries, load_device("tx2"))
        found.append(float(row["latency_ms"]) / sum(cost.latency_ms for cost in costs))
    inside = np.mean([INTERVAL[0] <= ratio <= INTERVAL[1] for ratio in found])
    print(f"{len(found)} steps: measured / prior {min(found):.2f} to {max(found):.2f}, {inside:.0%} in {INTERVAL}")
    assert inside >= 0.8


def test_host_and_gpu_of_a_prior_sum_to_the_step_that_they_take_side_by_side():
    random = np.random.default_rng(2)
    gpu_ms, host_ms = random.uniform(0, 1, 20), random.uniform(0, 1, 20)
    total = shared_out(gpu_ms, host_ms).sum()
    assert total == pytest.approx((gpu_ms.sum() ** P + host_ms.sum() ** P) ** (1 / P))
    assert shared_out(gpu_ms, 0 * host_ms) == pytest.approx(gpu_ms)


def test_constants_of_a_prior_are_found_again_from_steps_that_they_made():
    random = np.random.default_rng(4)
    limits_ms, launches = random.uniform(1, 2000, 60), random.uniform(50, 400, 60)
    made = ((1.3 * limits_ms) ** P + (0.2 * launches) ** P) ** (1 / P)
    assert fit_prior(limits_ms, launches, made) == pytest.approx([1.3, 200], rel=1e-3)
