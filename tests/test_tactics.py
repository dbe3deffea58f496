"""Tactics of a real build (INT8, RTX 2000 Ada Laptop, TensorRT 8.5.10): names read, times ranked, choices weighed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from graphcost.cost_models.tiles.grammar import kernel_named

TOOL = Path(__file__).parents[1] / "tools" / "fit_tactics.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fit_tactics", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fit_tactics"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def log(tool, shared):
    return tool.read_log(shared / "engines/layers/tactics_resnet18qat_RTX2000Ada_trt8.5.10.csv.gz")


def test_a_name_tells_tile_stages_warps_and_layout():
    name = ("sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32_nchw_vect_c_32kcrs_vect_c_32_nchw_vect_c_32_"
            "tilesize96x192x64_stage3_warpsize2x2x1_g1_tensor16x8x32_t1r3s3")  # fmt: skip
    kernel = kernel_named(name)
    assert kernel is not None
    assert (kernel.tile_m, kernel.tile_n, kernel.tile_k, kernel.stages, kernel.warps) == (96, 192, 64, 3, 4)
    assert (kernel.precision, kernel.unit, kernel.layout, kernel.align) == ("i8", "tensor", "chw32", 32)


def test_an_older_name_tells_its_tile_and_its_family_the_rest():
    kernel = kernel_named("ampere_int8x4_icudnn_int8x4_128x64_relu_xregs_small_c32_nn_v1")
    assert kernel is not None
    assert (kernel.tile_m, kernel.tile_n, kernel.precision, kernel.unit, kernel.layout) == (
        128,
        64,
        "i8",
        "cuda",
        "chw4",
    )


def test_a_name_without_a_tile_is_not_guessed():
    assert kernel_named("sm70_xmma_fprop_conv1x1_i8f32_f32_f32_nchw_vect_c_4kcrs_simt_small_batch_bias_relu") is None


def test_the_names_of_implicit_gemms_in_the_table_are_read_as_the_table_reads_them(shared):
    import csv

    with (shared / "data/operators/tensorrt_kernel_names.csv").open(encoding="utf-8") as text:
        rows = [row for row in csv.DictReader(text) if row["tile_k"] and "tilesize" in row["kernel"]]
    rows = [row for row in rows if row["stages"] and row["warps"]]
    assert len(rows) > 400
    for row in rows:
        kernel = kernel_named(row["kernel"])
        if kernel is None:  # direct convolutions and Winograd spell a tile of another meaning
            assert "implicit_gemm" not in row["kernel"]
            continue
        assert [kernel.tile_m, kernel.tile_n, kernel.tile_k] == [int(row[f"tile_{c}"]) for c in "mnk"], row["kernel"]


def test_layers_that_were_timed_while_the_clock_rose_are_told_by_their_rate(tool, log):
    is_warm = tool.warm(log)
    assert is_warm.tolist() == [False] * 4 + [True] * 11
    same = log.measured_ms[:2]
    known = ~np.isnan(same).any(axis=0)
    assert tool.spearman(same[0][known], same[1][known]) < 0.6  # two layers of one geometry: the floor of the noise


def test_tactics_of_layers_left_out_are_ranked_and_the_choice_costs_little(tool, log):
    pytest.importorskip("scipy")
    layers = [i for i in range(len(log)) if tool.warm(log)[i]]
    rankings = tool.leave_one_out(log, tool.machine(), layers)
    for r in rankings:
        print(f"{r.name[:28]:28} Spearman {r.spearman:.3f} loss {r.chosen_ms / r.best_ms - 1:.0%}")
    ranks = [r.spearman for r in rankings]
    dense, pointwise = ([r for r in rankings if r.dense == wide] for wide in (True, False))
    losses = tool.weighted_loss(dense), tool.weighted_loss(pointwise)
    print(f"median {np.median(ranks):.3f}, least {min(ranks):.3f}; loss {losses[0]:.1%} on 3x3, {losses[1]:.1%} on 1x1")
    assert np.median(ranks) >= 0.95
    assert min(ranks) >= 0.60
    assert losses[0] <= 0.15
    assert losses[1] <= 0.15
