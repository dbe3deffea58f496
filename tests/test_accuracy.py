"""Predicted against measured: the statistics by hand, constants that never see their family, the command."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from graphcost.accuracy import Prediction, leave_one_family_out, statistics, study
from graphcost.accuracy.document import document
from graphcost.accuracy.nuisance import Added, Seen, added_by, constant_ms
from graphcost.accuracy.predict import with_constants
from graphcost.accuracy.study import gather
from graphcost.cli.app import app_for
from graphcost.cost import Bound, Cost, KernelQuery, Trust
from graphcost.errors import DataError, UnknownName, UsageError
from graphcost.measurements import Measurement, read_measurements
from graphcost.measurements.host import seen_ms
from graphcost.render.accuracy import render_accuracy

MODELS = Path(__file__).parent.parent / "examples" / "models"
HEADER = "device,precision,model,latency_ms,measure,source,family,shapes,runtime"


def measurement(latency_ms: float, family: str = "a", measure: str = "wall", device: str = "nano") -> Measurement:
    return Measurement(
        device=device, runtime="tensorrt-8.2", precision="fp16", model=f"{family}.onnx", latency_ms=latency_ms,
        where="data.csv, line 2", measure=measure, source="somebody", family=family,
    )  # fmt: skip


def prediction(engine_ms: float, row: Measurement, width: float = 0.2) -> Prediction:
    return Prediction(row, engine_ms, engine_ms * (1 - width), engine_ms * (1 + width), "fitted", False)


def table(folder: Path, *lines: str) -> Path:
    file = folder / "data.csv"
    file.write_text("\n".join([HEADER, *lines]) + "\n")
    return file


def test_errors_are_those_counted_by_hand():
    errors = statistics.relative_errors([1.1, 0.8, 3.0, 4.0], [1.0, 1.0, 3.0, 4.0])
    assert errors == pytest.approx([0.1, -0.2, 0.0, 0.0])
    assert statistics.mape(errors) == pytest.approx(0.075)
    assert statistics.median_ape(errors) == pytest.approx(0.05)
    assert statistics.rmspe(errors) == pytest.approx((0.05 / 4) ** 0.5)
    assert (statistics.within(errors, 0.05), statistics.within(errors, 0.15)) == (0.5, 0.75)
    assert statistics.bias([1.0, -0.5]) == pytest.approx(0.0)


def test_ranks_that_agree_correlate_whatever_the_values_and_ties_share_a_rank():
    assert statistics.spearman([1, 2, 3, 40], [0.1, 5, 6, 7]) == pytest.approx(1.0)
    assert statistics.spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1.0)
    assert statistics.spearman([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(0.9486833)
    assert statistics.spearman([1, 1], [1, 2]) is None


def test_an_interval_that_misses_pays_twenty_times_the_distance():
    assert statistics.winkler([(8.0, 12.0)], [10.0]) == pytest.approx(0.4)
    assert statistics.winkler([(8.0, 12.0)], [16.0]) == pytest.approx((4 + 20 * 4) / 16)
    assert statistics.coverage([(8.0, 12.0), (8.0, 12.0)], [10.0, 16.0]) == 0.5
    assert statistics.median_width([(8.0, 12.0)], [10.0]) == pytest.approx(0.4)


def test_a_constant_is_found_in_spite_of_outliers_and_is_never_negative():
    draw = random.Random(1)
    engine = [draw.uniform(2, 50) for _ in range(40)]
    measured = [ms + 1.5 for ms in engine[:-4]] + [5 * ms for ms in engine[-4:]]
    assert constant_ms(engine, measured) == pytest.approx(1.5)
    assert constant_ms([2.0, 3.0, 4.0], [1.0, 2.0, 3.0]) == 0.0


def test_the_constant_of_a_family_never_sees_the_family():
    rows = [prediction(10.0, measurement(11.0, "a")) for _ in range(4)]
    rows += [prediction(10.0, measurement(13.0, "b")) for _ in range(4)]
    added, (told,) = with_constants(rows)
    assert {(p.measurement.family, p.constant_ms) for p in added} == {("a", 3.0), ("b", 1.0)}
    assert (told.rows, told.own) == (8, False)


def test_with_enough_rows_a_host_that_enqueues_slowly_is_told_from_a_constant():
    draw = random.Random(2)
    engines = [(draw.uniform(1, 6), draw.randrange(20, 200)) for _ in range(30)]
    rows = [Seen(ms, count, seen_ms(ms, count * 0.03) + 1.0) for ms, count in engines]
    assert added_by(rows) == pytest.approx(Added(30.0, 1.0))
    assert added_by(rows[:10]).enqueue_us == 0.0


def test_what_the_host_takes_is_as_uncertain_as_the_engine():
    row = replace(prediction(4.0, measurement(6.0)), constant_ms=1.0, enqueue_ms=3.0, kernels=100)
    seen = (4.0**3 + 3.0**3) ** (1 / 3)
    assert row.predicted_ms == pytest.approx(seen + 1)
    assert row.interval_ms == pytest.approx((0.8 * seen + 1, 1.2 * seen + 1))
    assert row.engine_of(row.interval_ms[0]) == pytest.approx(3.2)


def test_what_is_measured_as_it_is_predicted_has_no_constant():
    rows = [prediction(10.0, measurement(12.0, family, "compute")) for family in "abcd"]
    added, told = with_constants(rows)
    assert told == [] and all(p.constant_ms == 0.0 for p in added)


def test_a_single_family_gives_its_own_constant_and_says_so_or_none_where_it_must_not():
    rows = [prediction(10.0, measurement(12.0)) for _ in range(5)]
    own, (told,) = with_constants(rows)
    assert own[0].constant_ms == 2.0 and told.own
    strict, (none,) = with_constants(rows, strict=True)
    assert strict[0].constant_ms == 0.0 and none.constant_ms == 0.0


def test_summaries_are_by_group_and_over_all_rows():
    rows = [prediction(10.0, measurement(10.0, measure="compute")) for _ in range(3)]
    rows += [prediction(10.0, measurement(20.0, measure="compute", device="tx2"))]
    found = gather(rows, [], [], ("device",))
    assert [(g.name, g.rows, g.mape, g.coverage) for g in found.groups] == [
        (("nano",), 3, 0.0, 1.0),
        (("tx2",), 1, 0.5, 0.0),
    ]
    assert found.pooled.mape == pytest.approx(0.125)
    assert found.missed == 1 and found.misses(5) == [rows[3]]
    assert "a on tx2 fp16: predicted 10.00 ms (8.00 … 12.0), measured 20.00 ms" in render_accuracy(found)


def test_a_group_that_is_none_is_refused_with_those_that_are():
    with pytest.raises(UnknownName, match="unknown group 'colour'; accepted: device, family"):
        study([], ["colour"])


@dataclass(frozen=True)
class PerKernel:
    """Every kernel takes the same time."""

    latency_ms: float
    name: str = "per-kernel"

    def estimate(self, queries: Sequence[KernelQuery], device: object) -> list[Cost]:
        part = self.latency_ms
        return [Cost(part, 0.9 * part, 1.1 * part, Bound.COMPUTE, Trust.FITTED, self.name) for _ in queries]


def test_leaving_a_family_out_fits_without_it(tmp_path):
    networks = {"resnet18.onnx": "resnet", "mobilenet_v2.onnx": "mobilenet"}
    lines = [f"nano,fp16,{model},10,compute,me,{family},," for model, family in networks.items()]
    seen = []

    def fitter(rows: Sequence[Measurement]) -> PerKernel:
        seen.append({row.family for row in rows})
        return PerKernel(0.25)

    found = leave_one_family_out(read_measurements(table(tmp_path, *lines), MODELS), fitter, ["family"])
    assert seen == [{"resnet"}, {"mobilenet"}]
    assert {p.trust for p in found.predictions} == {"fitted"}
    assert all(p.interval_ms is None for p in found.predictions), "one row of another family gives no interval"


def test_intervals_of_left_out_families_come_from_the_others():
    """With many rows alike, they hold as often as they say."""
    from graphcost.accuracy.cross import _recalibrated

    draw = random.Random(3)
    rows = [
        prediction(10.0, measurement(10.0 * draw.lognormvariate(0, 0.2), family, "compute"))
        for family in "abcdefghij"
        for _ in range(30)
    ]
    found = gather(_recalibrated(rows), [], [], ())
    print(f"coverage {found.pooled.coverage:.3f}, median width {found.pooled.median_width:.3f}")
    assert 0.86 <= found.pooled.coverage <= 0.94


def test_the_command_tells_errors_constants_and_rows_that_it_could_not_predict(tmp_path):
    file = table(
        tmp_path,
        "nano,fp16,resnet18.onnx,12,compute,me,resnet,,tensorrt-8.2",
        "nano,fp16,mobilenet_v2.onnx,1.0,compute,me,mobilenet,,",
        "nano,fp16,resnet18.onnx,12,compute,me,resnet,nobody:1x3x224x224,",
    )
    done = CliRunner().invoke(app_for(()), ["accuracy", str(file), "--models", str(MODELS), "--by", "family"])
    assert done.exit_code == 0, done.output
    assert "all 2 rows" in done.output
    assert "miss: mobilenet_v2 on nano fp16" in done.output
    assert "not predicted: data.csv, line 4: unknown input 'nobody'" in done.output


def test_a_table_of_which_nothing_can_be_predicted_is_no_success(tmp_path):
    file = table(tmp_path, "nano,fp16,resnet18.onnx,12,compute,me,resnet,nobody:1x3x224x224,")
    done = CliRunner().invoke(app_for(()), ["accuracy", str(file), "--models", str(MODELS)])
    assert isinstance(done.exception, DataError)
    assert "no row could be predicted" in str(done.exception) and "unknown input 'nobody'" in str(done.exception)


def test_a_use_that_no_row_has_is_refused_with_those_there_are(tmp_path):
    file = table(tmp_path, "nano,fp16,resnet18.onnx,12,compute,me,resnet,,")
    run = CliRunner().invoke(app_for(()), ["accuracy", str(file), "--models", str(MODELS), "--use", "bar"])
    assert isinstance(run.exception, UsageError) and "unknown value of the column use 'bar'" in str(run.exception)


def test_json_and_csv_have_a_line_for_each_row(tmp_path):
    file = table(tmp_path, "nano,fp16,resnet18.onnx,12,compute,me,resnet,,")
    run = CliRunner().invoke(app_for(()), ["accuracy", str(file), "--models", str(MODELS), "--format", "json"])
    document = json.loads(run.output)
    assert document["rows"][0]["measured_ms"] == 12.0
    assert document["pooled"]["rows"] == 1
    run = CliRunner().invoke(app_for(()), ["accuracy", str(file), "--models", str(MODELS), "--format", "csv"])
    (row,) = csv.DictReader(io.StringIO(run.output))
    assert float(row["predicted_ms"]) == pytest.approx(document["rows"][0]["predicted_ms"])


def test_a_miss_is_no_miss_without_an_interval():
    row = replace(prediction(10.0, measurement(20.0)), engine_low_ms=None)
    found = gather([row], [], [], ("device",))
    assert found.missed == 0 and found.pooled.coverage is None


def test_the_page_has_summaries_and_rows_only_where_a_licence_allows_them(tmp_path):
    table(
        tmp_path,
        "nano,fp16,resnet18.onnx,12,compute,open,resnet,,tensorrt-8.2",
        "nano,fp16,mobilenet_v2.onnx,10,compute,open,mobilenet,,",
        "tx2,fp16,resnet18.onnx,4,compute,closed,resnet,,",
    )
    head = f'[[data]]\nfile = "data.csv"\nmodels = "{MODELS}"\n'
    (tmp_path / "a.toml").write_text(
        f'{head}title = "Open"\nsource = "open"\nlicence = "MIT"\nrows = true\n'
        f'{head}title = "Closed"\nsource = "closed"\n'
    )
    page = document(tmp_path / "a.toml", left_out=False)
    opened, closed = page.partition("## Closed")[0], page.partition("## Closed")[2]
    assert "2 rows. Source: open (MIT)." in opened and "| resnet18 fp16 |" in opened
    assert "1 rows. Source: closed (no licence: summaries only)." in closed and "Row by row" not in closed


def test_a_page_of_nothing_is_refused(tmp_path):
    (tmp_path / "a.toml").write_text('title = "no data"\n')
    with pytest.raises(UsageError, match=r"tables \[\[data\]\] are expected"):
        document(tmp_path / "a.toml", left_out=False)
