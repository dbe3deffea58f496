"""The kernel catalogue and its step terms, held to hand counts and to laws of tiling."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from graphcost.cost_models.tiles import (
    Catalogue,
    Columns,
    Limits,
    blocks_per_sm,
    catalogue_of,
    launchable,
    limits_of,
    read_kernels,
    shares_of_peak,
    tile_terms,
)

from graphcost.device import load_device

ARCHITECTURES = [f"sm_{n}" for n in (53, 60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 90)]
KINDS = ("conv", "group-conv", "deconv", "depthwise", "gemm", "attention", "pool", "pointwise", "softmax", "reduce",
         "norm", "copy", "reformat", "resize", "quantize", "other")  # fmt: skip


@dataclass(frozen=True)
class Conv:
    """A convolution as the terms read it."""

    m: int
    n: int
    k: int
    batch: int = 1
    groups: int = 1
    window: tuple[int, ...] = (3, 3)
    strides: tuple[int, ...] = (1, 1)
    dilations: tuple[int, ...] = (1, 1)
    output_dims: tuple[int, ...] = ()


def conv(channels: int, filters: int, side: int, images: int = 1, window: int = 3, stride: int = 1) -> Conv:
    dims = (images, filters, side, side)
    pixels, depth = images * side * side, channels * window * window
    return Conv(pixels, filters, depth, window=(window, window), strides=(stride, stride), output_dims=dims)


def only(name: str, architecture: str = "sm_70", precision: str = "f32", kind: str = "conv") -> Catalogue:
    return Catalogue.of([k for k in catalogue_of(architecture, precision, kind).kernels if k.name == name])


SCUDNN = "volta_scudnn_128x64_relu_nn_v1"
V100 = limits_of(load_device("v100"))


def test_every_architecture_has_a_kernel_for_each_kind_in_fp32():
    for architecture in ARCHITECTURES:
        for kind in KINDS:
            precision = "f16" if kind == "attention" and architecture >= "sm_75" else "f32"
            assert len(catalogue_of(architecture, precision, kind)), (architecture, kind)


@pytest.mark.parametrize(
    "precision, unit, architectures",
    [
        ("f16", "tensor", ARCHITECTURES[4:]),
        ("f16", "cuda", ["sm_53", "sm_60", "sm_62"]),
        ("tf32", "tensor", ARCHITECTURES[7:]),
        ("i8", "tensor", ARCHITECTURES[5:]),
        ("i8", "cuda", ["sm_61", "sm_70", "sm_72"]),
    ],
)
def test_a_precision_is_computed_where_the_hardware_has_it(precision, unit, architectures):
    def has(architecture: str) -> bool:
        kernels = catalogue_of(architecture, precision, "conv").kernels
        return any(k.unit == unit and k.family == "implicit_gemm" for k in kernels)

    assert [a for a in ARCHITECTURES if has(a)] == architectures


def test_every_kernel_says_where_it_was_seen_or_that_it_is_inferred():
    for kernel in read_kernels():
        assert any(word in kernel.source for word in ("log", "PyTorch", "inferred")), kernel.name


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "sm_100"])
def test_files_that_are_not_read_for_an_architecture_have_no_kernel_for_it(architecture):
    of_all_files = [k for k in read_kernels() if k.runs_on(architecture)]
    assert [k for k in read_kernels(architecture) if k.runs_on(architecture)] == of_all_files


def test_names_are_unique_within_a_query():
    for architecture in ARCHITECTURES:
        for precision in ("f32", "tf32", "f16", "i8"):
            names = [k.name for k in catalogue_of(architecture, precision, "conv").kernels]
            assert len(names) == len(set(names)), (architecture, precision)


def test_tiles_and_waves_as_counted_by_hand():
    terms = tile_terms(Columns.of([conv(64, 130, 56)]), only(SCUDNN), Limits(80, 2048, 96 * 1024))
    # 3136 pixels: 25 tiles of 128; 130 channels: 3 of 64; depth 576: 72 steps of 8
    assert terms.tiles.item() == 75
    assert terms.steps.item() == 72
    assert terms.busy_rounds.item() == 1
    assert terms.tile_macs.item() == 128 * 64 * 576
    assert terms.padded_macs.item() == 75 * 128 * 64 * 576
    assert terms.wave_macs.item() == 80 * 128 * 64 * 576
    assert terms.balance.item() == pytest.approx(75 / 80)


def test_one_channel_past_a_tile_costs_a_whole_tile_and_no_more_until_the_next():
    filters = range(1, 257)
    terms = tile_terms(Columns.of([conv(64, n, 112) for n in filters]), only(SCUDNN), V100)
    steps = 1 + np.flatnonzero(np.diff(terms.padded_macs[:, 0]))
    assert [filters[i] for i in steps] == [65, 129, 193]


def test_winograd_counts_blocks_of_four_results_at_sixteen_products():
    winograd = only("volta_scudnn_winograd_128x128_ldg1_ldg4_relu_tile148t_nt_v1")
    terms = tile_terms(Columns.of([conv(128, 128, 16)]), winograd, V100)
    assert terms.padded_macs.item() == pytest.approx(256 * 128 * 128 * 9 / 2.25)
    odd = tile_terms(Columns.of([conv(128, 128, 15)]), winograd, V100)
    assert odd.padded_macs.item() == terms.padded_macs.item()  # 15 rows need eight blocks, as 16 do


def test_winograd_takes_only_windows_of_three_by_three_at_stride_one():
    shapes = [conv(64, 64, 28), conv(64, 64, 28, stride=2), conv(64, 64, 28, window=1), conv(64, 64, 28, window=5)]
    shapes.append(replace(shapes[0], dilations=(2, 2)))
    catalogue = catalogue_of("sm_70", "f32", "conv")
    found = tile_terms(Columns.of(shapes), catalogue, V100).eligible
    (column,) = [i for i, kernel in enumerate(catalogue.kernels) if kernel.family == "winograd"]
    assert found[:, column].tolist() == [True, False, False, False, False]


def test_a_split_of_k_makes_more_blocks_of_fewer_steps_and_writes_partial_sums():
    names = (SCUDNN, f"{SCUDNN}_splitK4")
    whole, split = (tile_terms(Columns.of([conv(512, 64, 7)]), only(name), V100) for name in names)
    assert split.tiles.item() == 4 * whole.tiles.item()
    assert split.steps.item() == whole.steps.item() / 4
    assert (whole.split_bytes.item(), split.split_bytes.item()) == (0, 2 * 4 * 49 * 64 * 4)


def test_padded_channels_cost_what_their_padding_costs():
    kernel = only("volta_h884cudnn_128x128_ldg8_relu_exp_nhwc_tn_v1", precision="f16")
    three, eight = (tile_terms(Columns.of([conv(c, 64, 56)]), kernel, V100, "f16") for c in (3, 8))
    assert three.padded_macs.item() == eight.padded_macs.item()


def test_an_image_in_int8_is_not_padded_to_whole_vectors_of_32_channels():
    kernel = only(
        "sm72_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32_tilesize128x64x64_tensor8x8x16", "sm_72", "i8"
    )
    image, deep = (tile_terms(Columns.of([conv(c, 64, 56)]), kernel, V100, "i8") for c in (3, 32))
    assert image.steps.item() == -(-9 * 8 // 64) and deep.steps.item() == -(-9 * 32 // 64)


def test_occupancy_is_what_the_scarcest_resource_allows():
    catalogue = only("volta_h884cudnn_256x128_ldg8_relu_exp_nhwc_tn_v1", precision="f16")
    # 256 threads of 128 accumulators and 40 registers more: 43,008 of 65,536
    assert blocks_per_sm(catalogue, "f16", V100).tolist() == [1]
    small = only("volta_h884cudnn_64x64_ldg8_relu_exp_nhwc_tn_v1", precision="f16")
    # 128 threads of 72 registers: 7 by registers; 2 stages of 128 x 32 halves, 16 KiB: 6 by shared memory
    assert blocks_per_sm(small, "f16", V100).tolist() == [6]


def test_a_kernel_is_there_only_where_its_block_fits_into_shared_memory():
    """Engines of RTX 3090 and RTX 3060 have no other TF32 convolutions than these."""
    catalogue = catalogue_of("sm_86", "tf32", "conv")
    fits = launchable(catalogue, "tf32", limits_of(load_device("rtx3090")))
    convolutions = [k for k, there in zip(catalogue.kernels, fits) if there and not k.pointwise_only]
    assert {(k.tile_m, k.tile_n, k.stages) for k in convolutions} == {(128, 128, 4), (128, 32, 1), (128, 16, 1)}
    assert launchable(catalogue, "tf32", limits_of(load_device("a100-80gb-pcie"))).all()
    assert launchable(catalogue_of("sm_87", "f16", "conv"), "f16", limits_of(load_device("agx-orin"))).all()
    kernel = next(k for k in catalogue.kernels if (k.tile_m, k.tile_n, k.tile_k) == (128, 128, 16))
    # four slices of 16 x (128 + 128) floats: 64 KiB, and one that the system keeps
    room = [Limits(82, 1536, kib * 1024) for kib in (64, 65)]
    assert [launchable(Catalogue.of([kernel]), "tf32", limits).item() for limits in room] == [False, True]
    terms = tile_terms(Columns.of([conv(256, 256, 14)]), Catalogue.of([kernel]), room[0], "tf32")
    assert not terms.eligible.any()


def test_loading_operands_weighs_more_the_smaller_the_tile_of_a_thread_and_the_more_lanes_there_are():
    kernels = [k for k in catalogue_of("sm_86", "f32", "conv").kernels if "nchw_tilesize" in k.name]
    catalogue = Catalogue.of([k for k in kernels if (k.tile_m, k.tile_n) in ((128, 64), (64, 64), (32, 32))])
    # threads of 8x8, 8x4 and 4x4 results: 4, 3 and 2 loads of two clocks beside 16, 8 and 4 clocks on 128 lanes
    assert shares_of_peak(catalogue, 256).tolist() == pytest.approx([16 / 24, 8 / 14, 4 / 8])
    assert shares_of_peak(catalogue, 128).tolist() == pytest.approx([32 / 40, 16 / 22, 8 / 12])
    for architecture in ("sm_53", "sm_62", "sm_72", "sm_75"):
        assert (shares_of_peak(catalogue_of(architecture, "f32", "conv"), 256) == 1).all()
    for precision in ("f16", "tf32", "i8"):
        assert (shares_of_peak(catalogue_of("sm_86", precision, "conv"), 256) == 1).all()


def test_nothing_is_computed_in_less_than_its_own_multiply_adds():
    columns = Columns.of([conv(c, f, s, b) for c in (3, 64, 200) for f in (10, 64) for s in (7, 56) for b in (1, 4)])
    for architecture in ARCHITECTURES:
        catalogue = catalogue_of(architecture, "f32", "conv")
        terms = tile_terms(columns, catalogue, V100)
        direct = catalogue.winograd == 0
        assert (terms.padded_macs >= columns.macs)[:, direct].all()
        assert (terms.wave_macs >= terms.padded_macs).all()
        assert (terms.fill <= 1).all()


def test_fewer_sms_of_a_power_mode_make_more_waves():
    columns = Columns.of([conv(64, 64, 112)])
    catalogue = catalogue_of("sm_87", "f16", "conv")
    few, many = (
        tile_terms(columns, catalogue, limits_of(load_device(f"agx-orin@{m}")), "f16") for m in ("15W", "MAXN")
    )
    assert (few.busy_rounds >= many.busy_rounds).all()
    assert few.busy_rounds.sum() > many.busy_rounds.sum()
