"""Intervals: what conformal prediction promises, and what becomes of it in a report."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sample_reports import make_kernel, make_report

import graphcost
from graphcost.cost import Bound, Cost, KernelQuery, Trust
from graphcost.device import load_device
from graphcost.intervals import Kin, board_factors, conformal_factors, family_weights, total_interval_ms
from graphcost.render import render

RESNET = Path(__file__).parent.parent / "examples" / "models" / "resnet18.onnx"
NANO = load_device("nano")


@dataclass(frozen=True)
class Fitted:
    """A cost model whose kernels are wide and whose totals are narrow."""

    name: str = "fitted"
    factors: tuple[float, float] | None = (0.9, 1.1)

    def estimate(self, queries: Sequence[KernelQuery], device: object) -> list[Cost]:
        return [Cost(1.0, 0.5, 2.0, Bound.COMPUTE, Trust.FITTED, self.name) for _ in queries]

    def total_factors(self, device: object) -> tuple[float, float] | None:
        return self.factors


@pytest.mark.parametrize("rows", [9, 15, 19, 40, 200])
def test_a_new_row_falls_inside_with_the_probability_that_was_asked_for(rows):
    draw, inside, trials = random.Random(rows), 0, 3000
    for _ in range(trials):
        ratios = [draw.lognormvariate(0.05, 0.3) for _ in range(rows)]
        low, high = conformal_factors(ratios)
        inside += low <= draw.lognormvariate(0.05, 0.3) <= high
    print(f"{rows} rows: {inside / trials:.3f} of new ones inside")
    assert 0.885 <= inside / trials <= 0.96


def test_too_few_rows_give_no_interval_rather_than_a_narrow_one():
    assert conformal_factors([1.0] * 8) is None
    assert conformal_factors([1.0, 0.9, 1.1] * 3) is not None
    assert conformal_factors([]) is None


def test_an_interval_follows_the_bias_of_what_it_was_calibrated_on():
    low, high = conformal_factors([1.2 + 0.001 * i for i in range(100)])
    assert 1.2 <= low < 1.21 and 1.29 < high <= 1.3


def test_boards_with_few_rows_share_the_rows_of_all():
    wide, narrow = [0.5, 2.0] * 30, [1.0] * 12
    many, few = ([Kin(f"network {at}", ratio) for at, ratio in enumerate(ratios)] for ratios in (wide, narrow))
    found = board_factors({"many": many, "few": few})
    assert found["many"] == conformal_factors(wide)
    assert found["few"] == conformal_factors(wide, weights=[1.0] * 60) != conformal_factors(narrow)


def test_many_rows_of_one_family_are_not_many_witnesses():
    others = [Kin(f"network {at}", 0.7 + 0.02 * at) for at in range(30)]
    sizes = [Kin("yolo", 1.0)] * 500
    assert sum(family_weights([kin.family for kin in sizes])) == pytest.approx(10)
    found = board_factors({"board": [*others, *sizes]})["board"]
    assert found == conformal_factors([kin.ratio for kin in others] + [1.0] * 10)
    assert found.low < 0.8 < 1.2 < found.high


def test_rows_of_a_new_family_fall_inside_more_often_than_if_every_row_counted():
    """Of 60 families four have 300 rows and the others one; each errs by 20 %, its rows by 3 % around that."""
    draw, weighed, alike, trials = random.Random(7), 0, 0, 1000
    for _ in range(trials):
        rows = [kin for at in range(60) for kin in _family(draw, f"family {at}", 1 if at > 3 else 300)]
        new = _family(draw, "new", 1)[0].ratio
        low, high = board_factors({"board": rows})["board"]
        weighed += low <= new <= high
        low, high = conformal_factors([kin.ratio for kin in rows])
        alike += low <= new <= high
    print(f"{weighed / trials:.3f} of new rows inside, {alike / trials:.3f} if every row counted")
    assert weighed / trials >= 0.85 > 0.7 > alike / trials


def _family(draw: random.Random, name: str, rows: int) -> list[Kin]:
    centre = draw.gauss(0.0, 0.2)
    return [Kin(name, math.exp(centre + draw.gauss(0.0, 0.03))) for _ in range(rows)]


def test_a_total_has_the_interval_of_totals_and_not_the_sum_of_its_kernels():
    costs = [Cost(1.0, 0.5, 2.0, model="fitted"), Cost(3.0, 1.0, 9.0, model="fitted")]
    assert total_interval_ms(costs, [Fitted()], NANO) == pytest.approx((3.6, 4.4))
    assert total_interval_ms(costs, [Fitted(factors=None)], NANO) == (1.5, 11.0)
    mixed = [*costs, Cost(1.0, 0.2, 5.0, model="other")]
    assert total_interval_ms(mixed, [Fitted()], NANO) == pytest.approx((3.8, 9.4))


def test_an_unknown_kernel_leaves_the_interval_unknown():
    assert total_interval_ms([Cost(1.0, 0.5, 2.0, model="fitted"), Cost(None)], [Fitted()], NANO) == (None, None)


def test_the_report_shows_the_interval_of_totals():
    totals = graphcost.analyze(RESNET, "nano", cost_models=[Fitted()]).totals
    assert totals.latency_low_ms == pytest.approx(0.9 * totals.latency_ms)
    assert totals.latency_high_ms == pytest.approx(1.1 * totals.latency_ms)


def test_kernels_like_none_that_was_measured_are_flagged():
    far = make_kernel("far", 3.0, trust="fitted", extrapolates=("k = 9,216, of which 27 … 4,608 was measured",))
    report = make_report([make_kernel("near", 1.0), far])
    text = render(report)
    assert "fitted*" in text
    assert "1 kernel (*), 75.0 % of the latency, like none that was measured: far has k = 9,216" in text
    assert report.to_json()["kernels"][1]["extrapolates"] == ["k = 9,216, of which 27 … 4,608 was measured"]
    assert "measure " not in render(replace(report, kernels=report.kernels[:1]))
