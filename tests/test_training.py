"""One training step: the backward graph, what is kept for it, what is in memory when."""

import csv
from dataclasses import replace
from statistics import mean, median

import pytest

from graphcost.api import run
from graphcost.cli.train_plan import memory_bytes
from graphcost.device import load_device
from graphcost.errors import UserError
from graphcost.training import TrainingOptions
from graphcost.training.allocation import Reservation
from graphcost.training.batches import batch_memory
from graphcost.training.plan import largest, train_plan
from graphcost.training.system import fits_probability, needed_bytes, system_bytes


def analysed(model, **options):
    training = {name: options.pop(name) for name in list(options) if name in TrainingOptions.__dataclass_fields__}
    return run(model, training=TrainingOptions(**training), **options)


@pytest.fixture(scope="module")
def rows(shared):
    """Measured steps of whole networks: plain ones, as the networks are."""
    path = shared / "data" / "training" / "training_memory.csv"
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["inplace"] == "as-is" and not row["variant"]]
    return [row for row in rows if row["checkpoint"] == "False" and not row["autocast"]]


@pytest.fixture(scope="module")
def predictions(shared, rows):
    """(row, totals of the step) for every measured step."""
    found = []
    for row in rows:
        model = shared / "data" / "training" / row["onnx_legacy"]
        report = analysed(model, batch=int(row["batch"]), optimizer=row["optimizer"]).report
        found.append((row, report.totals.training))
    return found


def errors(predictions, predicted, measured):
    return [getattr(totals, predicted) / int(row[measured]) - 1 for row, totals in predictions]


def test_peak_memory_of_pytorch_is_predicted_nearly_to_the_byte(predictions):
    found = [abs(e) for e in errors(predictions, "peak_allocated_bytes", "peak_total_bytes")]
    print(f"peak allocated, {len(found)} steps: median {median(found):.5%}, worst {max(found):.4%}")
    assert median(found) <= 0.0001
    assert max(found) <= 0.005


def test_saved_activations_of_pytorch_are_predicted_nearly_to_the_byte(predictions):
    found = [abs(e) for e in errors(predictions, "saved_activation_bytes", "saved_activation_bytes")]
    print(f"saved activations, {len(found)} steps: median {median(found):.5%}, worst {max(found):.4%}")
    assert max(found) <= 0.0005


def test_parameters_gradients_and_optimizer_state_are_those_of_pytorch(predictions):
    for row, totals in predictions:
        assert totals.parameter_bytes == pytest.approx(int(row["parameter_bytes"]), rel=1e-3), row["network"]
        assert totals.gradient_bytes == pytest.approx(int(row["gradient_bytes"]), rel=1e-2), row["network"]
        assert totals.optimizer_bytes == pytest.approx(int(row["optimizer_state_bytes"]), rel=1e-3), row["network"]


def test_the_peak_falls_in_the_phase_in_which_it_was_measured(predictions):
    phases = {"optimizer": "optimizer"}
    for row, totals in predictions:
        assert (totals.peak_at == "optimizer") == (phases.get(row["peak_phase"]) == "optimizer"), row["network"]


def test_the_backward_part_has_twice_the_macs_of_the_forward_part_but_for_the_first_layer(shared):
    report = analysed(shared / "data/training/models/resnet18.train.legacy.onnx", batch=4).report
    macs = {phase: sum(k.macs for k in report.kernels if k.phase == phase) for phase in ("forward", "backward")}
    first = report.kernels[0].macs
    assert macs["backward"] == 2 * macs["forward"] - first


def test_categories_sum_to_the_timeline(shared):
    report = analysed(shared / "data/training/models/mobilenet_v2.train.legacy.onnx", batch=2).report
    training = report.totals.training
    summed = [sum(moment) for moment in zip(*training.timeline.values())]
    assert tuple(summed) == report.memory.timeline
    assert sum(training.at_peak.values()) == training.peak_allocated_bytes


def test_a_frozen_prefix_keeps_nothing_and_has_no_gradients(shared):
    model = shared / "data/training/models/resnet18.train.legacy.onnx"
    whole = analysed(model, batch=8).report.totals.training
    head = analysed(model, batch=8, freeze=("conv*", "bn*", "layer*")).report.totals.training
    assert head.gradient_bytes == (512 + 1) * 1000 * 4
    assert head.saved_activation_bytes < whole.saved_activation_bytes / 100
    assert head.parameter_bytes == whole.parameter_bytes


def test_attention_counts_as_it_stands_where_that_is_asked_for(shared):
    model = shared / "data/training/models/vit_tiny_patch16_224.train.legacy.onnx"
    written_out = analysed(model, batch=8, written_out=True).report.totals.training
    one_operator = analysed(model, batch=8).report.totals.training
    assert written_out.saved_activation_bytes > 1.15 * one_operator.saved_activation_bytes


@pytest.mark.parametrize("network", ["resnet18", "vit_tiny_patch16_224", "mobilenet_v2"])
def test_dynamo_exports_are_accepted_and_come_near(shared, network):
    folder = shared / "data/training/models"
    legacy = analysed(folder / f"{network}.train.legacy.onnx", batch=8).report
    dynamo = analysed(folder / f"{network}.train.dynamo.onnx", batch=8).report
    ratio = dynamo.totals.training.peak_allocated_bytes / legacy.totals.training.peak_allocated_bytes
    print(f"{network}: dynamo / legacy {ratio:.4f}")
    assert ratio == pytest.approx(1, abs=0.02)


def test_options_of_a_step_are_checked():
    with pytest.raises(UserError, match="optimizer"):
        TrainingOptions(optimizer="adagrad")
    with pytest.raises(UserError, match="accumulate"):
        TrainingOptions(accumulate=0)


@pytest.mark.parametrize(
    "needed, memory, batch", [(lambda b: 10 * b, 100, 10), (lambda b: 101, 100, 0), (lambda b: 1, 9, 4096)]
)
def test_the_largest_batch_that_fits_is_found(needed, memory, batch):
    assert largest(needed, memory) == batch


def test_memory_at_any_batch_is_that_of_an_analysis_there(shared):
    model = shared / "models/tx2_training/squeezenet_50.onnx"
    memory = batch_memory([analysed(model, device="tx2", batch=batch) for batch in (2, 4)])
    for batch in (1, 7, 32):
        totals = analysed(model, device="tx2", batch=batch).report.totals.training
        assert memory.reserved(batch).peak_reserved_bytes == totals.peak_reserved_bytes
    apart = batch_memory([analysed(model, batch=batch) for batch in (2, 4)])
    for batch in (1, 7, 32):
        totals = analysed(model, batch=batch).report.totals.training
        assert apart.peak_allocated_bytes(batch) == totals.peak_allocated_bytes


@pytest.mark.parametrize("text", ["4", "4 apples", "GiB"])
def test_a_size_without_number_or_unit_is_refused(text):
    with pytest.raises(UserError, match="such as 4GiB"):
        memory_bytes(text, None)


def test_checkpoints_amp_and_frozen_layers_make_room(shared):
    model = shared / "models/tx2_training/squeezenet_50.onnx"
    rows = {row.name: row.batch for row in train_plan(model, "tx2", 3 << 30, TrainingOptions())}
    print(rows)
    assert 0 < rows["plain"] < rows["checkpoints"]
    assert rows["plain"] < rows["AMP fp16"] and rows["plain"] < rows["first half frozen"]


def test_checkpoints_keep_less_and_compute_more(shared):
    model = shared / "data/training/models/vit_tiny_patch16_224.train.legacy.onnx"
    plain, blocks = (analysed(model, batch=8, checkpoint=words).report for words in ((), ("blocks.*",)))
    assert blocks.totals.training.saved_activation_bytes < plain.totals.training.saved_activation_bytes / 3
    assert blocks.totals.macs > 1.2 * plain.totals.macs


def test_a_checkpoint_that_names_nothing_is_refused(shared):
    with pytest.raises(Exception, match="no name of a module or a node"):
        analysed(shared / "data/training/models/resnet18.train.legacy.onnx", checkpoint=("nowhere",))


def test_frozen_parameters_that_nobody_has_are_refused_with_the_names_that_there_are(shared):
    with pytest.raises(Exception, match="--freeze 'backbone.*' is the name of no parameter, as 'conv1.weight' and"):
        analysed(shared / "data/training/models/resnet18.train.legacy.onnx", freeze=("backbone.*",))


def test_gradients_of_earlier_passes_are_there_from_the_beginning(shared):
    model = shared / "data/training/models/resnet18.train.legacy.onnx"
    one, two = (analysed(model, batch=8, accumulate=n).report.totals.training for n in (1, 2))
    assert one.peak_allocated_bytes < two.peak_allocated_bytes <= one.peak_allocated_bytes + one.gradient_bytes


@pytest.fixture(scope="module")
def tx2_steps(shared):
    """(row, totals) of measured steps on a Jetson TX2: a twentieth, all networks among them, also some that failed."""
    path = shared / "data" / "training" / "tx2_pytorch_training.csv"
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["onnx"] and row["mem_ok"]]
    runs = [analysed(shared / "models" / row["onnx"], device="tx2", batch=int(row["batch"])) for row in rows[::20]]
    return [(row, run.report.totals.training) for row, run in zip(rows[::20], runs)]


def test_memory_of_steps_on_a_jetson_tx2_is_met(tx2_steps):
    columns = {"max_alloc_mib": "peak_allocated_bytes", "max_reserved_mib": "peak_reserved_bytes",
               "sys_used_mib": "system_bytes"}  # fmt: skip
    found = {}
    for column, total in columns.items():
        ran = [(float(row[column]), getattr(totals, total) / 2**20) for row, totals in tx2_steps if row[column]]
        found[total] = mean(abs(predicted / measured - 1) for measured, predicted in ran)
        print(f"{total}: {len(ran)} steps, mean absolute error {found[total]:.2%}")
    assert found["peak_allocated_bytes"] <= 0.035
    assert found["peak_reserved_bytes"] <= 0.075
    assert found["system_bytes"] <= 0.045


def test_which_steps_run_out_of_memory_on_a_jetson_tx2_is_foreseen(tx2_steps):
    ran = [row["mem_ok"] == "True" for row, _ in tx2_steps]
    chance = [totals.fits_probability for _, totals in tx2_steps]
    right = mean((p > 0.5) == fits for p, fits in zip(chance, ran))
    brier = mean((p - fits) ** 2 for p, fits in zip(chance, ran))
    print(f"{len(ran)} steps, {sum(ran)} ran: {right:.1%} foreseen, Brier score {brier:.3f}")
    assert 0 < sum(ran) < len(ran)
    assert right >= 0.95
    assert brier <= 0.04


RESERVED = Reservation(peak_allocated_bytes=0, peak_reserved_bytes=100 << 20)


def test_a_network_without_matrix_products_needs_no_blas():
    tx2 = load_device("tx2")
    assert needed_bytes(RESERVED, tx2, blas=True) - needed_bytes(RESERVED, tx2, blas=False) == tx2.pytorch_blas_bytes


def test_the_least_that_the_system_sees_is_what_pytorch_takes_while_it_starts():
    tx2 = load_device("tx2")
    assert needed_bytes(replace(RESERVED, peak_reserved_bytes=0), tx2, blas=True) == tx2.pytorch_start_bytes


def test_idle_pages_go_as_memory_gets_scarce_and_what_is_needed_never_falls():
    tx2, mib = load_device("tx2"), 1 << 20
    steps = [replace(RESERVED, peak_reserved_bytes=size * mib) for size in range(0, 8000, 50)]
    needed = [needed_bytes(step, tx2, blas=True) for step in steps]
    assert needed == sorted(needed)
    beside = [n - step.peak_reserved_bytes for n, step in zip(needed, steps)]
    assert beside[-1] == tx2.pytorch_context_bytes < beside[10]


def test_no_process_is_seen_to_use_more_than_there_is():
    tx2 = load_device("tx2")
    assert system_bytes(9 << 30, tx2) == tx2.process_ram_bytes
    assert fits_probability(9 << 30, tx2) < 0.01 < 0.99 < fits_probability(5 << 30, tx2)


def test_nothing_is_said_of_the_system_where_no_context_is_known():
    nano = replace(load_device("tx2"), pytorch_context_bytes=None)
    assert needed_bytes(RESERVED, nano, blas=True) is None is system_bytes(None, nano)
    assert fits_probability(None, nano) is None


def test_the_parts_of_a_step_sum_to_it(shared):
    totals = analysed(shared / "models/tx2_training/resnet18_0.onnx", device="tx2", batch=32).report.totals
    step = totals.training
    assert step.step_ms == pytest.approx(step.forward_ms + step.backward_ms + step.optimizer_ms)
    assert step.step_ms == pytest.approx(totals.latency_ms)
