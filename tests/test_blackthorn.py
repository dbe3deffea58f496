"""Blackthorn's step functions: on staircases whose truth is known, and on measured convolutions."""

from __future__ import annotations

import numpy as np
import pytest
from graphcost.cost_models.blackthorn.choice import LEAST_POINTS, MOST_POINTS, learn, next_point, surviving
from graphcost.cost_models.blackthorn.curves import LINE, WIDTHS, Curve, ensemble, refined, through
from graphcost.cost_models.blackthorn.model import BLACKTHORN, coefficients
from graphcost.cost_models.blackthorn.nested import fit
from test_tiles import conv

from graphcost.cost import Cost, KernelQuery, Refusal
from graphcost.device import load_device
from graphcost.geometry import Contraction
from graphcost.work.node import Work

CANDIDATES = tuple(range(8, 1025, 8))
V100, NANO = load_device("v100"), load_device("nano")


def staircase(width: int, base: float, height: float):
    return lambda x: float(Curve(width, base, height)(np.array([x], float))[0])


def test_two_points_give_base_and_height_in_closed_form():
    truth = staircase(64, 3.0, 0.5)
    curve = through(64, truth(64), 960, truth(960), 64)
    assert curve is not None
    assert (curve.base, curve.height) == (pytest.approx(3.0), pytest.approx(0.5))


def test_two_points_on_one_step_tell_nothing_of_it():
    assert through(65, 1.0, 128, 1.0, 64) is None
    assert refined(np.array([65.0, 100.0, 128.0]), np.ones(3), 64) is None


def test_two_points_make_an_ensemble_of_all_widths_and_a_line():
    curves = ensemble([64, 960], [3.0, 10.0])
    assert [curve.width for curve in curves] == [*WIDTHS, LINE]
    for curve in curves:
        assert curve(np.array([64.0, 960.0])) == pytest.approx([3.0, 10.0])


@pytest.mark.parametrize("width", [8, 24, 64, 96, 128, 256])
def test_the_width_of_a_staircase_is_found_with_few_points(width):
    found = learn(staircase(width, 2.0, 0.7), CANDIDATES)
    assert found.curve.width == width
    assert (found.curve.base, found.curve.height) == (pytest.approx(2.0), pytest.approx(0.7))
    assert LEAST_POINTS <= len(found.points) <= MOST_POINTS


def test_noise_of_two_percent_does_not_hide_a_step_of_128():
    truth, rng = staircase(128, 2.0, 1.0), np.random.default_rng(0)
    found = learn(lambda x: truth(x) * rng.normal(1, 0.02), CANDIDATES)
    x = np.array(CANDIDATES, float)
    error = found.curve(x) / np.array([truth(c) for c in CANDIDATES]) - 1
    print(f"{len(found.points)} points, RMSPE {np.sqrt(np.mean(error**2)):.1%}")
    assert found.curve.width == 128
    assert np.sqrt(np.mean(error**2)) < 0.02


def test_what_grows_evenly_is_a_line():
    assert learn(lambda x: 1.0 + 0.01 * x, CANDIDATES).curve.width in (LINE, 8)  # steps of 8 at multiples of 8 are one


def test_the_next_point_is_one_where_the_candidates_disagree():
    truth = staircase(128, 2.0, 1.0)
    points = {x: truth(x) for x in (64, 960)}
    curves = surviving(points)
    x = next_point(curves, sorted(points), [c for c in CANDIDATES if c not in points])
    said = np.array([curve(np.array([x], float))[0] for curve in curves])
    assert 64 < x < 960
    assert len(np.unique(said.round(6))) > 5


def test_a_curve_of_two_variables_is_found_by_nesting():
    c_in, c_out = (grid.ravel().astype(float) for grid in np.meshgrid(range(16, 257, 16), range(8, 513, 8)))
    latency = 1.0 + 0.01 * c_out + np.floor((c_in - 1) / 64) * (0.2 + 0.1 * np.floor((c_out - 1) / 128))
    curve = fit(c_in, c_out, latency)
    assert curve is not None
    assert (curve.width, curve.height.width) == (64, 128)
    assert curve(c_in, c_out) == pytest.approx(latency)


def test_staircases_along_input_channels_of_measured_convolutions(shared):
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    spec = spec_from_file_location("fit_blackthorn", Path(__file__).parents[1] / "tools/fit_blackthorn.py")
    assert spec is not None and spec.loader is not None
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    layers = tool.read(shared / "data/operators/trt_v100_conv_ops_alibaba.csv.gz")
    chosen = {
        layer: points for layer, points in layers.items() if layer.precision in ("f32", "i8") and layer.window == 3
    }
    found = tool.errors(chosen)
    for name, ratios in found.items():
        print(f"{name}: {len(ratios)} points left out, RMSPE {np.sqrt(np.mean((ratios - 1) ** 2)):.1%}")
    assert np.sqrt(np.mean((found["f32 3x3"] - 1) ** 2)) < 0.23
    assert np.sqrt(np.mean((found["i8 3x3"] - 1) ** 2)) < 0.13


def query(side: int, filters: int = 64, channels: int = 64) -> KernelQuery:
    shape = conv(channels, filters, side)
    part = Contraction("conv", 1, 1, shape.m, shape.n, shape.k, (3, 3), (1, 1), (1, 1), (1, channels, side, side),
                       shape.output_dims)  # fmt: skip
    return KernelQuery("conv", "trt.conv_act", "f32", (), (), Work(part.macs, 0, 10**6, 10**6), contractions=(part,))


def test_it_answers_where_a_type_of_layer_was_fitted_and_refuses_elsewhere():
    assert "f32-n1-28x28-k3-s1" in coefficients("v100")
    known, unknown = BLACKTHORN.estimate([query(28), query(57)], V100)
    assert isinstance(known, Cost) and known.latency_ms is not None
    assert isinstance(unknown, Refusal) and "f32-n1-57x57-k3-s1" in unknown.reason
    (elsewhere,) = BLACKTHORN.estimate([query(28)], NANO)
    assert elsewhere == Refusal("no step functions were fitted for nano")
