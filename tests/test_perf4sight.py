"""perf4sight's way beside ours: the features and the trees of the paper, on the same measured steps."""

import numpy as np
import pytest
from graphcost.cost_models.perf4sight.features import COUNT, step_features
from graphcost.cost_models.perf4sight.forest import Forest, load, save
from graphcost.cost_models.perf4sight.model import forest_for

from graphcost.api import run
from graphcost.cost import KernelQuery
from graphcost.geometry import Contraction
from graphcost.training import TrainingOptions
from graphcost.work.node import Work


def convolution(batch, channels, outputs, side, window):
    dims = (batch, channels, side, side), (batch, outputs, side, side)
    part = Contraction(
        "conv", 1, 1, batch * side**2, outputs, channels * window**2, (window,) * 2, (1, 1), (1, 1), *dims
    )
    return KernelQuery("conv", "onnx.Conv", "f32", (), (), Work(), contractions=(part,))


def test_features_are_those_of_the_paper():
    found = step_features([convolution(2, 3, 5, 8, 3)])
    assert len(found) == COUNT
    assert list(found[:4]) == [5 * 3 * 9, 2 * 5 * 3 * 9, 2 * 2 * 3 * 64, 2 * 2 * 5 * 64]
    assert found[9] == 2 * 5 * 64 * 9 * 3
    assert found[11] == 2 * found[9] + found[10]


def test_features_are_sums_over_convolutions():
    one, other = convolution(2, 3, 5, 8, 3), convolution(2, 5, 7, 8, 1)
    assert step_features([one, other]) == pytest.approx(step_features([one]) + step_features([other]))


def test_a_walk_goes_left_up_to_the_threshold_and_trees_are_averaged():
    forest = Forest(
        np.array([0, 0, 0, 0]), np.array([1.5, 0, 0, 0]), np.array([1, 1, 2, 3]), np.array([2, 1, 2, 3]),
        np.array([0, 10.0, 20.0, 40.0]), np.array([0, 3]),
    )  # fmt: skip
    assert list(forest.predict(np.array([[1.5], [1.6]]))) == [25.0, 30.0]


def test_a_forest_is_read_as_it_was_written(tmp_path):
    forest = forest_for("tx2")
    save(forest, tmp_path / "again.npz")
    rows = np.random.default_rng(1).uniform(0, 1e9, (20, COUNT))
    assert load(tmp_path / "again.npz").predict(rows) == pytest.approx(forest.predict(rows))


def test_a_step_can_be_asked_and_kernels_sum_to_it(shared):
    model = shared / "models/tx2_training/resnet18_0.onnx"
    ours, theirs = (
        run(model, "tx2", training=TrainingOptions(), batch=32, cost_models=names).report.totals.training.step_ms
        for names in ((), ("perf4sight",))
    )
    print(f"resnet18, batch 32: measured 698.9 ms; ours {ours:.1f}, perf4sight's way {theirs:.1f}")
    assert theirs == pytest.approx(698.9, rel=0.1)
