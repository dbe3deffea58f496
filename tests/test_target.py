"""Targets and runtimes: defaults, versions, precisions, and the header that spells them."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphcost import runtime as runtimes
from graphcost.errors import ModelError, ResizeError, UnknownName, UsageError, near_names
from graphcost.runtime import PRECISIONS, list_runtimes, load_runtime
from graphcost.target import Target, make_target, parse_precision, parse_target_header


@pytest.mark.parametrize(
    ("device", "runtime"),
    [
        ("nano", "tensorrt-8.2"),
        ("tx1", "tensorrt-8.2"),
        ("tx2", "tensorrt-8.2"),
        ("xavier-nx", "tensorrt-8.5"),
        ("agx-xavier", "tensorrt-8.5"),
        ("orin-nano", "tensorrt-10.3"),
        ("agx-orin", "tensorrt-10.3"),
        ("rtx3090", "tensorrt-10.3"),
        ("t4", "tensorrt-10.3"),
        (None, "onnx"),
    ],
)
def test_a_device_brings_its_runtime(device: str | None, runtime: str) -> None:
    assert make_target(device).runtime.name == runtime


def test_the_bare_family_is_the_devices_version_and_without_a_device_the_newest() -> None:
    assert make_target("nano", "tensorrt").runtime.name == "tensorrt-8.2"
    assert make_target(None, "tensorrt").runtime.name == "tensorrt-10.3"


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("tensorrt-7", "tensorrt-7.1"),
        ("tensorrt-8", "tensorrt-8.6"),
        ("tensorrt-10", "tensorrt-10.3"),
        ("TensorRT-8.2", "tensorrt-8.2"),
        ("tensorrt-8.6.1", "tensorrt-8.6"),
        ("pytorch", "pytorch"),
        ("onnx", "onnx"),
    ],
)
def test_a_modelled_version_is_taken_without_a_word(asked: str, found: str) -> None:
    assert (load_runtime(asked).name, load_runtime(asked).warnings) == (found, ())


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("5.1", "6.0"),
        ("7.2", "7.1"),
        ("8.0", "8.2"),
        ("8.4", "8.5"),
        ("9.3", "10.3"),
        ("10.16", "10.3"),
        ("11", "10.3"),
    ],
)
def test_another_version_is_the_nearest_with_a_warning(asked: str, found: str) -> None:
    runtime = load_runtime(f"tensorrt-{asked}")
    assert runtime.name == f"tensorrt-{found}"
    (warning,) = runtime.warnings
    assert warning == f"tensorrt-{asked} is not modelled: tensorrt-{found} is the nearest version and is used instead"


@pytest.mark.parametrize("name", ["tensort-8.2", "tensorrt-x", "tensorrt-", "pytorch-x", "", "tensorrt-" + "9" * 5000])
def test_an_unknown_runtime_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(UnknownName, match="unknown runtime") as caught:
        load_runtime(name)
    assert caught.value.exit_code == 2


def test_runtimes_are_listed_in_order_of_version_without_their_base() -> None:
    versions = ["tensorrt-6.0", "tensorrt-7.1", "tensorrt-8.2", "tensorrt-8.5", "tensorrt-8.6", "tensorrt-10.3"]
    assert list_runtimes() == ["onnx", "pytorch", "pytorch-1.6", *versions]


def test_a_pipeline_is_text_with_named_anchors_in_order() -> None:
    text = load_runtime("tensorrt-8.2").pipeline()
    anchors = [stage.partition("[")[0] for stage in text.split("],")]
    later = ["precision", "fusion", "formats", "selection", "training"]
    assert anchors == ["import", "canonical", "groups", "quantization", *later]


def test_a_version_overrides_single_anchors_of_its_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = 'precisions = ["fp32"]\nmodes = ["inference", "training"]\ncost_models = []\n'
    base += '[pipeline]\nimport = ["a"]\nfusion = ["b{n=1}", "c"]\n[pipeline-training]\nimport = []\n'
    (tmp_path / "rt.toml").write_text(base)
    (tmp_path / "rt-1.0.toml").write_text('inherits = "rt"\n[pipeline]\nfusion = ["d"]\n')
    (tmp_path / "rt-2.0.toml").write_text('inherits = "rt"\ntitle = "Two"\n')
    monkeypatch.setattr(runtimes, "FOLDER", tmp_path)
    assert load_runtime("rt-1.0").pipeline() == "import[a],fusion[d]"
    assert load_runtime("rt").pipeline() == "import[a],fusion[b{n=1},c]"
    assert load_runtime("rt").pipeline("training") == "import[],fusion[b{n=1},c]"


def test_every_shipped_runtime_loads_and_says_what_it_takes() -> None:
    for name in list_runtimes():
        runtime = load_runtime(name)
        assert runtime.default_precision in runtime.precisions
        assert runtime.pipeline(runtime.modes[0])
        assert f"{runtime.family}-{'.'.join(map(str, runtime.version or ()))}".rstrip("-") == name


def test_a_precision_is_parsed_in_any_case_and_an_unknown_one_lists_all() -> None:
    assert [parse_precision(name.upper()) for name in PRECISIONS] == list(PRECISIONS)
    with pytest.raises(UnknownName, match="unknown precision 'fp8'; accepted: fp32, tf32"):
        parse_precision("fp8")


@pytest.mark.parametrize(
    ("device", "precision", "allowed"),
    [
        ("nano", None, {"f32"}),
        ("nano", "fp16", {"f32", "f16"}),
        ("nano", "int8", {"f32"}),
        ("nano", "best", {"f32", "f16"}),
        ("xavier-nx", "best", {"f32", "f16", "i8"}),
        ("orin-nano", None, {"f32", "tf32"}),
        ("orin-nano", "fp16", {"f32", "tf32", "f16"}),
        ("orin-nano", "int8", {"f32", "tf32", "i8"}),
        ("orin-nano", "best", {"f32", "tf32", "f16", "i8"}),
        ("thor", "best", {"f32", "tf32", "f16", "i8"}),
    ],
)
def test_allowed_types_are_what_is_asked_for_and_the_hardware_has(
    device: str, precision: str | None, allowed: set[str]
) -> None:
    assert make_target(device, precision=precision).allowed() == allowed


def test_no_tf32_forbids_tf32() -> None:
    assert make_target("agx-orin", precision="fp16", no_tf32=True).allowed() == {"f32", "f16"}


def test_tf32_and_no_tf32_together_are_refused() -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        make_target("agx-orin", precision="tf32", no_tf32=True)


def test_without_a_device_nothing_is_ruled_out_by_hardware() -> None:
    assert make_target(None, "tensorrt-8.2", "best").allowed() == {"f32", "tf32", "f16", "i8"}


def test_asking_for_a_type_that_the_hardware_lacks_is_said() -> None:
    assert make_target("nano", precision="int8").warnings == ("nano (sm_53) has no INT8: layers run in FP32",)
    assert make_target("nano", precision="tf32").warnings == ("nano (sm_53) has no TF32: layers run in FP32",)
    assert make_target("nano", precision="fp16").warnings == ()


def test_fp16_that_is_slower_than_fp32_is_said() -> None:
    assert make_target("p4", precision="fp16").warnings == ("p4 (sm_61) computes FP16 at 1/64 of its FP32 rate",)


def test_warnings_of_the_version_come_with_those_of_the_hardware() -> None:
    assert len(make_target("nano", "tensorrt-8.4", "int8").warnings) == 2


def test_a_precision_or_mode_that_the_runtime_lacks_is_refused() -> None:
    with pytest.raises(UsageError, match="onnx has no precision fp16; accepted: as-exported"):
        make_target(None, precision="fp16")
    with pytest.raises(UsageError, match=r"tensorrt-8.2 has no mode training; accepted: inference"):
        make_target("nano", "tensorrt", mode="training")
    assert make_target("nano", mode="training").runtime.family == "pytorch"


def _targets() -> list[Target]:
    return [
        make_target("nano", precision="fp16"),
        make_target("orin-nano@7w", "tensorrt-8.6", "best", no_tf32=True),
        make_target(None),
        make_target("rtx3090", "pytorch"),
    ]


def test_the_header_spells_device_mode_runtime_precision_and_mode() -> None:
    assert [target.header() for target in _targets()] == [
        "nano@MAXN tensorrt-8.2 fp16 inference",
        "orin-nano@7W tensorrt-8.6 best inference noTF32",
        "- onnx as-exported inference",
        "rtx3090@BOOST pytorch as-exported inference",
    ]


def test_the_header_parses_back_to_the_target() -> None:
    for target in _targets():
        assert parse_target_header(target.header()) == target


def test_the_header_of_a_users_device_parses_back_even_with_spaces_in_its_path(tmp_path: Path) -> None:
    path = tmp_path / "my board's.toml"
    path.write_text('inherits = "nano"\nsm_count = 2\n')
    target = make_target(str(path))
    assert parse_target_header(target.header()) == target


@pytest.mark.parametrize(
    "text", ["", "nano", "nano tensorrt-8.2 fp16", "nano onnx as-exported inference x", "'a b c d"]
)
def test_a_header_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"target .* is not 'device@mode runtime precision"):
        parse_target_header(text)


def test_targets_compare_by_content_and_can_be_keys() -> None:
    assert len({make_target("nano"), make_target("jetson-nano@MAXN", "tensorrt-8.2", "fp32")}) == 1


def test_near_names_begin_with_hold_or_resemble_what_was_given() -> None:
    names = ["agx-orin", "orin-nano", "orin-nx", "nano", "tx2"]
    assert near_names("Orin", names) == ["orin-nx", "orin-nano", "agx-orin"]
    assert near_names("nanp", names) == ["nano"]
    assert near_names("zzz", names) == []


def test_each_error_has_the_exit_code_of_its_kind() -> None:
    assert (UsageError("x").exit_code, ModelError("x").exit_code) == (2, 3)
    error = ResizeError("Add_3", "adds a position embedding of 197 tokens")
    assert (error.exit_code, error.node) == (2, "Add_3")
    assert str(error) == "the model cannot be re-sized: node 'Add_3' adds a position embedding of 197 tokens"
