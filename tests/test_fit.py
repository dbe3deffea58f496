"""Fitting: what was put in is found again, outliers do not pull, and what is left out is never seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from graphcost.cost_models.steps import STEPS
from graphcost.cost_models.steps.parameters import INDEX, NAMES, parameters_of, prior
from test_steps import conv, depthwise, moving
from typer.testing import CliRunner

from graphcost.api import analyze
from graphcost.cli.app import app_for
from graphcost.cost import KernelQuery
from graphcost.device import load_device
from graphcost.engine import compare_engine
from graphcost.errors import UsageError
from graphcost.fit.coverage import coverage
from graphcost.fit.groups import Group, Grouped
from graphcost.fit.objective import predict_ms
from graphcost.fit.result import FitResult, PrecisionFit, Refitted
from graphcost.fit.solve import all_rows, leave_families_out, levels_of, solve
from graphcost.fit.thinning import thinned
from graphcost.fit.write import write_device, write_shipped
from graphcost.measurements import Measurement

NANO = load_device("nano")
MODELS = Path(__file__).parents[1] / "examples" / "models"
ENGINE = MODELS.parent / "engines" / "resnet18_rtx3060-laptop_fp16"
FAMILIES = ("plain", "narrow", "mobile")


def network(at: int) -> list[KernelQuery]:
    """Different networks, three families of them."""
    size, width = 14 + 7 * (at % 5), 48 + 16 * at
    if at % 3 == 2:
        return [conv(width, 2 * width, size, window=1), depthwise(2 * width, size), moving(10**5 * at, "pool")] * 3
    return [conv(width, width, size, window=3 + 2 * (at % 2)), moving(10**6), conv(width, 64, size, window=1)] * 2


def rows(measured_ms: list[float], measure: str = "compute") -> tuple[Measurement, ...]:
    return tuple(
        Measurement(
            device="nano", runtime="tensorrt-8.2", precision="fp16", model=f"{at}.onnx", latency_ms=ms,
            where=f"line {at}", measure=measure, source="made", family=FAMILIES[at % 3],
        )
        for at, ms in enumerate(measured_ms)
    )  # fmt: skip


def grouped(theta: np.ndarray, constant_ms: float = 0.0, count: int = 18) -> Grouped:
    """Rows that read what the model says with these parameters, and a constant."""
    prepared = STEPS.prepare([network(at) for at in range(count)], NANO)
    measured_ms = prepared.predict_ms(theta)[0] + constant_ms
    place = np.full(count, 0 if constant_ms else -1)
    found = rows(measured_ms.tolist(), "wall" if constant_ms else "compute")
    fold = tuple(row.family for row in found)
    group = Group(NANO, "f16", found, prepared, measured_ms, np.ones(count), place, fold)
    return Grouped((group,), (("made", "nano", "wall"),) if constant_ms else (), ())


def slower(factor: float) -> np.ndarray:
    theta = prior()
    theta[INDEX["contraction_bandwidth"]] += np.log(factor)
    theta[INDEX["gemm_utilisation"]] += np.log(factor)
    return theta


def fitted(data: Grouped):
    levels = levels_of(data, STEPS)
    return solve(data.groups, levels, all_rows(data.groups))


def test_a_fit_predicts_the_rows_it_was_made_of():
    data = grouped(slower(0.7))
    found = fitted(data).predict_ms(data.groups[0])
    assert np.abs(found / data.groups[0].measured_ms - 1).mean() < 0.01


def test_the_constant_of_a_source_is_found_and_is_never_negative():
    data = grouped(prior(), constant_ms=1.5)
    solution = fitted(data)
    assert solution.x[-1] == pytest.approx(1.5, rel=0.2)
    less = replace(data.groups[0], measured_ms=(data.groups[0].measured_ms - 1.5) * 0.8)
    assert fitted(replace(data, groups=(less,))).x[-1] >= 0


def test_one_wild_row_does_not_pull_the_others():
    data = grouped(slower(0.8))
    wild = data.groups[0].measured_ms.copy()
    wild[4] *= 3
    found = fitted(replace(data, groups=(replace(data.groups[0], measured_ms=wild),)))
    errors = np.abs(found.predict_ms(data.groups[0]) / data.groups[0].measured_ms - 1)
    assert np.median(errors) < 0.03


def test_a_left_out_row_is_predicted_without_its_family():
    data = grouped(slower(0.8))
    levels = levels_of(data, STEPS)
    group = data.groups[0]
    others = replace(group, measured_ms=np.where(group.in_folds(["mobile"]), group.measured_ms * 2, group.measured_ms))
    predicted = [
        {one.row.model: one.predicted_ms for one in leave_families_out(groups, levels) if one.row.family == "mobile"}
        for groups in (data.groups, (others,))
    ]
    assert predicted[0] == pytest.approx(predicted[1], rel=1e-3)


def result(theta: np.ndarray) -> FitResult:
    data = grouped(theta)
    levels = levels_of(data, STEPS)
    solution = solve(data.groups, levels, all_rows(data.groups))
    left_out = tuple(leave_families_out(data.groups, levels))
    return FitResult((PrecisionFit("f16", data, solution, left_out),))


def test_what_is_written_is_read_again_as_a_device(tmp_path):
    found = result(slower(0.7))
    write_device(found, NANO, tmp_path / "mine.toml")
    device = load_device(str(tmp_path / "mine.toml"))
    assert dict(device.fitted["f16"]) == pytest.approx(
        {**NANO.fitted.get("f16", {}), **found.fits[0].of_board("nano")}, rel=1e-3
    )
    assert "f16" in device.fitted_precisions
    assert device.largest_kernels["f16"]["m"] == 42**2
    assert device.total_factors is not None and device.total_factors[0] < device.total_factors[1]


def test_a_file_for_each_device_and_architecture_and_none_for_all_from_one_architecture(tmp_path):
    names = sorted(path.stem for path in write_shipped(result(prior()), tmp_path))
    assert names == ["nano", "sm_53"]


def test_a_host_that_enqueues_slowly_is_told_from_a_slow_gpu():
    small = [[conv(16 + 16 * (at % 4), 32, 8), moving(10**4)] * (2 + at) for at in range(18)]
    group = replace(grouped(prior(), constant_ms=1.0).groups[0], prepared=STEPS.prepare(small, NANO))
    gpu_ms, enqueue_ms = group.prepared.predict_ms(prior())[0], group.prepared.launches * 0.06
    seen = replace(group, measured_ms=(gpu_ms**3 + enqueue_ms**3) ** (1 / 3) + 1.0)
    solution = fitted(Grouped((seen,), (("made", "nano", "wall"),), ()))
    assert solution.x[-2:] == pytest.approx([60.0, 1.0], rel=0.1)


def test_the_slopes_of_what_a_host_adds_are_those_of_the_prediction():
    data = grouped(prior(), constant_ms=1.0)
    levels = levels_of(data, STEPS)
    x = levels.first() + 0.5
    before, slopes = predict_ms(levels, x, data.groups[0])
    for at in (0, levels.size - 2, levels.size - 1):
        step = np.zeros(levels.size)
        step[at] = 1e-5
        after, _ = predict_ms(levels, x + step, data.groups[0])
        assert slopes[:, at] == pytest.approx((after - before) / 1e-5, rel=1e-2, abs=1e-6)


def test_the_refitted_model_speaks_with_the_parameters_of_the_fit():
    found = result(slower(0.5))
    model = Refitted(STEPS, found)
    (before,), (after,) = (m.estimate([conv(96, 96, window=1)], replace(NANO, fitted={})) for m in (STEPS, model))
    assert after.latency_ms > before.latency_ms


def test_large_families_are_thinned_evenly():
    kept = thinned(rows([1.0] * 30), 4)
    assert len(kept) == 12
    assert [row.where for row in kept if row.family == "plain"] == ["line 0", "line 6", "line 15", "line 21"]


def test_a_fitted_table_with_a_negative_number_is_refused(tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text('inherits = "nano"\n[fitted.f16]\nconv_utilisation = -1\n')
    with pytest.raises(UsageError, match="fitted.f16: conv_utilisation = -1 is not a number above 0"):
        load_device(str(file))


def test_every_parameter_that_is_shipped_is_one_of_the_model():
    for name in ("nano", "tx2", "xavier-nx", "agx-xavier", "orin-nano", "orin-nx", "agx-orin"):
        for values in load_device(name).fitted.values():
            assert set(values) <= set(NAMES)
            assert np.isfinite(parameters_of(load_device(name), "f16")).all()


@pytest.mark.parametrize("own", [False, True], ids=["a device that is known", "a device file of one's own"])
def test_the_command_writes_a_device_that_predicts_its_rows_better_than_before(tmp_path, own):
    """A board that takes 1.3 times as long as the profile says."""
    board = tmp_path / "board.toml"
    board.write_text('inherits = "nano"\nsource = "a test"\n')
    device = str(board) if own else "nano"
    said = {
        (name, batch): analyze(MODELS / f"{name}.onnx", "nano", precision="fp16", batch=batch).totals.latency_ms
        for name in ("resnet18", "mobilenet_v2")
        for batch in (1, 2, 4)
    }
    lines = [f"{device},fp16,{name}.onnx,{ms * 1.3},{batch},compute,{name}" for (name, batch), ms in said.items()]
    data, file = tmp_path / "data.csv", tmp_path / "mine.toml"
    data.write_text("\n".join(["device,precision,model,latency_ms,batch,measure,family", *lines]))
    given = ["fit", str(data), "--models", str(MODELS), "--device", device, "-o", str(file)]
    found = CliRunner().invoke(app_for(()), given)
    assert found.exit_code == 0, found.output
    assert "resnet18" in found.output
    for (name, batch), ms in said.items():
        after = analyze(MODELS / f"{name}.onnx", str(file), precision="fp16", batch=batch).totals.latency_ms
        assert abs(after / (1.3 * ms) - 1) < 0.1


def test_the_command_says_what_it_needs(tmp_path):
    (tmp_path / "data.csv").write_text("device,precision,model,latency_ms\ntx2,fp16,resnet18.onnx,4.4\n")
    data = [str(tmp_path / "data.csv"), "--models", str(MODELS)]
    found = CliRunner().invoke(app_for(()), ["fit", *data])
    assert isinstance(found.exception, UsageError)
    assert "--device and --output" in str(found.exception)
    found = CliRunner().invoke(app_for(()), ["fit", *data, "--device", "nano", "-o", "mine.toml"])
    assert str(found.exception) == "0 rows for nano in the data; a fit needs 5 of one numeric type"


def fit_of_profile(folder: Path, *options: str):
    """`graphcost fit` of the bundled engine's profile."""
    given = [f"{ENGINE}.profile.json", "--device", "rtx3060-laptop", "--fp16", "-o", str(folder / "mine.toml")]
    return CliRunner().invoke(app_for(()), ["fit", *given, *options])


def test_a_profile_of_trtexec_brings_the_predicted_layers_to_the_measured_ones(tmp_path):
    found = fit_of_profile(tmp_path, "--model", str(MODELS / "resnet18.onnx"))
    assert found.exit_code == 0, found.output
    assert "23 rows in f16" in found.output
    assert "one of the reformats: Reformatting CopyNode for Input Tensor 0 to /conv1/Conv" in found.output
    errors = []
    for device in ("rtx3060-laptop", str(tmp_path / "mine.toml")):
        options = {"runtime": "tensorrt-10.3", "precision": "fp16", "batch": 1}
        told = compare_engine(MODELS / "resnet18.onnx", device, profile=Path(f"{ENGINE}.profile.json"), **options)
        errors.append([abs(m.predicted_ms / m.measured_ms - 1) for m in told.matches if m.measured_ms])
    before, after = map(np.median, errors)
    print(f"median error of {len(errors[0])} layers: {before:.1%} as shipped, {after:.1%} fitted to them")
    assert after < min(before, 0.1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "does not name its network: give one --model for all"),
        (["--model", str(MODELS / "bert_mini.onnx")], "no layer of resnet18_rtx3060-laptop_fp16.profile.json"),
        (["--model", str(MODELS / "resnet18.onnx"), "--layer-info", "a", "--layer-info", "b"], "give one --layer-info"),
    ],
)
def test_a_profile_of_which_something_is_not_told_is_refused(tmp_path, options, sentence):
    found = fit_of_profile(tmp_path, *options)
    assert isinstance(found.exception, UsageError) and sentence in str(found.exception)
    assert not (tmp_path / "mine.toml").exists()


def test_coverage_is_counted_on_families_whose_intervals_never_saw_them():
    found = coverage(result(slower(0.8)).left_out)
    assert found["all"].rows == found["nano"].rows == 18
    assert 0 <= found["all"].inside <= 1 and found["all"].width > 0
    assert coverage([]) == {}
