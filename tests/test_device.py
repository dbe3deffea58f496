"""Devices: every published row loads, names resolve, files inherit, and what is wrong is said in one sentence."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import graphcost
from graphcost.device import DeviceProfile, list_devices, load_device, modes_of
from graphcost.device_files import ARCHITECTURES, FOLDER, DeviceFile, read_device_file
from graphcost.errors import UnknownName, UsageError, UserError
from graphcost.render.device_view import render_device, render_device_json
from graphcost.toml_files import Table, read_toml

Row = dict[str, str]
PEAKS = {  # column -> (numeric type, unit)
    "fp32_tflops": ("f32", "cuda"),
    "fp16_cuda_core_tflops": ("f16", "cuda"),
    "fp16_tensor_fp16acc_dense_tflops": ("f16", "tensor"),
    "fp16_tensor_fp32acc_dense_tflops": ("f16", "tensor-fp32acc"),
    "tf32_tensor_dense_tflops": ("tf32", "tensor"),
    "int8_dense_tops_gpu": ("i8", "best"),
}
FIELDS = {
    "sm_count": "sm_count",
    "cuda_cores_per_sm": "cuda_cores_per_sm",
    "gpu_clock_mhz": "gpu_clock_mhz",
    "tensor_cores_per_sm": "tensor_cores_per_sm",
    "l2_kib": "l2_kib",
    "shared_mem_per_sm_kib": "shared_mem_per_sm_kib",
    "max_threads_per_sm": "max_threads_per_sm",
    "mem_bw_gbs": "dram_peak_gb_per_s",
    "sustained_bw_gbs": "dram_sustained_gb_per_s",
    "ram_gb": "ram_gib",
}


@pytest.fixture
def rows(shared: Path) -> list[Row]:
    with (shared / "data" / "devices.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _load(row: Row) -> DeviceProfile:
    return load_device(f"{row['id']}@{row['power_mode']}")


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def test_every_published_row_is_reproduced_field_by_field(rows: list[Row]) -> None:
    for row in rows:
        device = _load(row)
        stated = {column: getattr(device, name) for column, name in FIELDS.items()}
        assert stated == {column: _number(row[column]) for column in FIELDS}, row["id"]
        assert device.title == row["device"]
        assert device.sm == f"sm_{row['compute_capability'].replace('.', '')}"
        assert (device.dram_type, device.dla or "") == (row["mem_type"], row["dla"])


def test_every_published_peak_is_reproduced_within_a_thousandth(rows: list[Row]) -> None:
    rounding = 0.0005  # the table gives three decimals
    for row in rows:
        for column, (kind, unit) in PEAKS.items():
            peak, published = _load(row).peak_flops_per_s(kind, unit), _number(row[column])  # type: ignore[arg-type]
            tera = None if peak is None else peak / 1e12
            wanted = published if published is None else pytest.approx(published, rel=1e-3, abs=rounding)
            assert tera == wanted, (row["id"], row["power_mode"], column)


def test_no_device_or_mode_is_missing_and_none_is_invented(rows: list[Row]) -> None:
    published: dict[str, list[str]] = {}
    for row in rows:
        published.setdefault(row["id"], []).append(row["power_mode"])
    assert {entry.id: list(entry.modes) for entry in list_devices()} == published


def test_default_and_shipped_modes_are_the_published_ones(rows: list[Row]) -> None:
    entries = {entry.id: entry for entry in list_devices()}
    for row in rows:
        assert (entries[row["id"]].default_mode == row["power_mode"]) == (row["default_mode"] == "true")
        assert (entries[row["id"]].shipped_mode == row["power_mode"]) == (row["shipped_default"] == "true")


def test_every_published_alias_finds_its_device(rows: list[Row]) -> None:
    for row in rows:
        for alias in row["aliases"].split():
            assert load_device(alias).id == row["id"]


def test_what_was_recalled_and_not_verified_still_says_so(rows: list[Row]) -> None:
    for row in rows:
        if "recall" in row["source"] + row["note"]:
            device = _load(row)
            assert "recall" in " ".join([*device.sources.values(), device.note]), row["id"]


@pytest.mark.parametrize(
    ("spec", "kind", "tera"),
    [
        ("nano", "f16", 0.472),  # NVIDIA: 472 GFLOP/s
        ("agx-orin", "i8", 85.2),  # NVIDIA: 170 sparse TOPS of the GPU
        ("t4", "f16", 65.1),  # NVIDIA: 65 TFLOP/s
        ("a100", "tf32", 155.9),  # NVIDIA: 156 TFLOP/s
        ("v100", "f16", 125.3),  # NVIDIA: 125 TFLOP/s
    ],
)
def test_peaks_agree_with_the_makers_figures(spec: str, kind: str, tera: float) -> None:
    assert load_device(spec).peak_flops_per_s(kind) == pytest.approx(tera * 1e12, rel=2e-3)


def _shipped() -> Iterator[DeviceFile]:
    for path in [*FOLDER.glob("*.toml"), *ARCHITECTURES.glob("*.toml")]:
        yield read_device_file(path)


def test_every_shipped_number_has_a_source_that_is_not_just_its_file() -> None:
    for file in _shipped():
        for table in (file.numbers, *file.modes.values()):
            assert set(table.sources) == set(table.values)
            stated = {source for key, source in table.sources.items() if table.values[key] is not None}
            assert not [source for source in stated if ".toml" in source or not source], file.path


def test_names_and_aliases_are_unique_and_lower_case() -> None:
    names = [name for entry in list_devices() for name in (entry.id, *entry.aliases)]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)


def test_a_name_is_its_file_so_that_one_device_reads_two_files(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def recording(path: Path) -> Table:
        read.append(path.name)
        return read_toml(path)

    monkeypatch.setattr("graphcost.device_files.read_toml", recording)
    load_device("nano")
    assert read == ["nano.toml", "sm_53.toml"]


def test_a_mode_changes_clocks_and_switches_sms_off() -> None:
    full, low = load_device("orin-nano"), load_device("orin-nano@7w")
    assert (full.mode, full.sm_count, full.gpu_clock_mhz) == ("15W", 8, 624.75)
    assert (low.mode, low.sm_count, low.gpu_clock_mhz) == ("7W", 4, 408)
    assert low.spec == "orin-nano@7W"


def test_a_name_takes_any_case() -> None:
    assert load_device("Jetson-Nano@maxn") == load_device("nano")


def test_an_unknown_device_lists_near_names() -> None:
    with pytest.raises(UnknownName, match=r"unknown device 'orin-nan'; did you mean orin-nano, .*graphcost devices"):
        load_device("orin-nan")


def test_an_unknown_mode_lists_the_modes() -> None:
    with pytest.raises(UnknownName, match=r"power mode of nano '20W'; accepted: MAXN, 5W"):
        load_device("nano@20W")


@pytest.mark.parametrize("name", ["", "@", "nano@", "../nano", "arch/sm_53", "sm_53", "nano.tom", "x" * 5000, "*"])
def test_odd_names_are_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(UserError) as caught:
        load_device(name)
    assert "\n" not in str(caught.value)


def test_peak_and_sustained_bandwidth_are_kept_apart() -> None:
    orin = load_device("agx-orin")
    assert (orin.dram_peak_gb_per_s, orin.dram_sustained_gb_per_s) == (204.8, 152.8)
    assert load_device("agx-orin@50W").dram_sustained_gb_per_s is None
    assert load_device("agx-orin-devkit-32gb").dram_sustained_gb_per_s is None


def test_hardware_without_a_unit_has_peak_zero_and_does_not_support_the_type() -> None:
    nano = load_device("nano")
    assert nano.peak_flops_per_s("i8") == 0
    assert [kind for kind in ("f32", "tf32", "f16", "i8") if nano.supports(kind)] == ["f32", "f16"]
    assert not load_device("tx2").supports("i8")
    assert load_device("xavier-nx").supports("i8")
    assert not load_device("xavier-nx").supports("tf32")
    assert load_device("orin-nano").supports("tf32")


def test_an_unverified_rate_is_unknown_and_not_zero() -> None:
    thor = load_device("thor")
    assert thor.peak_flops_per_s("f16") is None
    assert thor.peak_flops_per_s("f16", "cuda") == pytest.approx(10.742e12, rel=1e-3)
    assert thor.supports("i8")


def test_fp16_on_sm_61_is_a_sixty_fourth_of_fp32() -> None:
    p4 = load_device("p4")
    fp32, fp16 = p4.peak_flops_per_s("f32"), p4.peak_flops_per_s("f16")
    assert fp32 is not None
    assert fp16 == fp32 / 64


def test_a_type_of_which_no_profile_speaks_has_no_known_peak() -> None:
    assert load_device("nano").peak_flops_per_s("f64") is None


def test_usable_ram_is_unknown_while_the_reserve_is() -> None:
    nano, tx1 = load_device("nano"), load_device("tx1")
    assert nano.ram_bytes is not None
    assert nano.usable_ram_bytes is not None
    assert 3.8 * 2**30 < nano.usable_ram_bytes < nano.ram_bytes
    assert (tx1.ram_bytes, tx1.usable_ram_bytes) == (4 * 2**30, None)


def _write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_users_file_inherits_a_device_and_overrides_it_in_every_mode(tmp_path: Path) -> None:
    mine = _write(tmp_path / "mine.toml", 'inherits = "orin-nano"\nsm_count = 6\n[modes.10W]\ngpu_clock_mhz = 500\n')
    assert load_device(mine).sm_count == 6
    assert load_device(f"{mine}@7W").sm_count == 6
    assert load_device(f"{mine}@7W").gpu_clock_mhz == 408
    assert load_device(f"{mine}@10w").gpu_clock_mhz == 500
    assert load_device(mine).sources["sm_count"] == mine


def test_a_users_file_loads_again_by_its_spec(tmp_path: Path) -> None:
    device = load_device(_write(tmp_path / "a@b.toml", 'inherits = "nano"'))
    assert load_device(device.spec) == device
    assert device.id == "a@b"


def test_a_users_file_may_stand_on_an_architecture_alone(tmp_path: Path) -> None:
    mine = _write(tmp_path / "board.toml", 'inherits = "sm_87"\nsm_count = 2\ngpu_clock_mhz = 1000\n')
    device = load_device(mine)
    assert device.mode == "default"
    assert device.peak_flops_per_s("f32") == 2 * 256 * 1e9
    assert device.dram_peak_gb_per_s is None


def test_a_users_file_may_inherit_the_file_beside_it(tmp_path: Path) -> None:
    _write(tmp_path / "base.toml", 'inherits = "nano"\nram_gib = 2')
    assert load_device(_write(tmp_path / "mine.toml", 'inherits = "base.toml"')).ram_gib == 2


def test_unknown_takes_a_number_back(tmp_path: Path) -> None:
    device = load_device(_write(tmp_path / "mine.toml", 'inherits = "nano"\nl2_kib = "unknown"'))
    assert device.l2_kib is None
    assert "l2_kib" not in device.sources


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sm_count = ", "is not valid TOML: "),
        ("sm_count = " + 5000 * "9", "is not valid TOML: "),
        ("aliases = " + 5000 * "[", "is not valid TOML: "),
        ("sm_cuont = 3", r"unknown key in .*mine\.toml: 'sm_cuont'; did you mean sm_count"),
        ("sm_count = 2.5", 'sm_count = 2.5 is not a whole number above 0, nor "unknown"'),
        ("sm_count = true", "sm_count = true is not a whole number"),
        ("gpu_clock_mhz = 'fast'", "gpu_clock_mhz = 'fast' is not a number above 0"),
        ("gpu_clock_mhz = -1", "gpu_clock_mhz = -1 is not a number above 0"),
        ("gpu_clock_mhz = nan", "gpu_clock_mhz = nan is not a number above 0"),
        ("gpu_clock_mhz = inf", "gpu_clock_mhz = inf is not a number above 0"),
        ("sm_count = 1" + 400 * "0", r"sm_count = 10+\.\.\. is not a whole number above 0"),
        ("ram_reserve_gib = -1", "ram_reserve_gib = -1 is not a number of at least 0"),
        ("compute_capability = 8.7", r"compute_capability = 8.7 is not a pair such as \[8, 7\]"),
        ("dram_type = 4", "dram_type = 4 is not a text"),
        ("title = 4", "title = 4 is not a text"),
        ("aliases = 'x'", "aliases = 'x' is not a list of texts"),
        ("modes = 4", "modes = 4 is not a table"),
        ("modes.A = 4", r"mine\.toml, modes: A = 4 is not a table"),
        ("modes.A.clock = 4", r"unknown key in .*mine\.toml, modes\.A: 'clock'"),
        ("modes.A.gpu_clock_mhz = 0", r"mine\.toml, modes\.A: gpu_clock_mhz = 0 is not a number above 0"),
        ("modes.maxn.sm_count = 1", r"modes\.maxn and modes\.MAXN differ in case only"),
        ("sources = 'me'", "sources = 'me' is not a table"),
        ("sources.clock = 'me'", r"unknown key in .*mine\.toml, sources: 'clock'"),
        ("sources.sm_count = 4", "sources: sm_count = 4 is not a text"),
        ("default_mode = '9W'", r"default_mode = '9W' is not a mode of this device \(MAXN, 5W\)"),
        ("gpu_clock_mhz = 'unknown'", "mode MAXN: gpu_clock_mhz must be stated or inherited"),
    ],
)
def test_a_bad_file_is_one_sentence_with_file_and_key(tmp_path: Path, text: str, sentence: str) -> None:
    mine = _write(tmp_path / "mine.toml", f'inherits = "nano"\n{text}\n')
    with pytest.raises(UsageError, match=sentence) as caught:
        load_device(mine)
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_inheriting_an_unknown_name_lists_near_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"mine\.toml, inherits = 'orin-nanoo'; did you mean orin-nano"):
        load_device(_write(tmp_path / "mine.toml", 'inherits = "orin-nanoo"'))


def test_a_circle_of_files_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "a.toml", 'inherits = "b.toml"')
    with pytest.raises(UsageError, match=r"inherits from itself: b\.toml -> a\.toml -> b\.toml"):
        load_device(_write(tmp_path / "b.toml", 'inherits = "a.toml"'))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read .*none.toml"):
        load_device(str(tmp_path / "none.toml"))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        load_device(str(tmp_path / "bytes.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(UsageError, match="cannot read"):
        load_device(str(tmp_path / "folder.toml"))


def test_a_file_with_several_modes_must_say_which_is_the_default(tmp_path: Path) -> None:
    text = 'inherits = "sm_53"\nsm_count = 1\n[modes.A]\ngpu_clock_mhz = 1\n[modes.B]\ngpu_clock_mhz = 2\n'
    with pytest.raises(UsageError, match="default_mode must be one of A, B"):
        load_device(_write(tmp_path / "mine.toml", text))


def figures_of_the_page() -> dict[str, str]:
    """From docs/devices.md: figure → whether it moves the latency."""
    page = (Path(__file__).parents[1] / "docs" / "devices.md").read_text(encoding="utf-8")
    rows = (line.strip("|").split("|") for line in page.splitlines() if line.startswith("| `"))
    return {name.strip(" `"): moves.strip() for name, _, moves in rows}


def latencies_ms(device: DeviceProfile) -> list[float | None]:
    model = Path(__file__).parents[1] / "examples" / "models" / "mobilenet_v2.onnx"
    return [graphcost.analyze(model, device, precision=p).totals.latency_ms for p in ("fp32", "fp16", "int8")]


def test_the_page_on_devices_says_which_figures_move_the_latency():
    board, told = load_device("orin-nano"), figures_of_the_page()
    before, moved = latencies_ms(board), {"compute_capability": True}  # of a pair there is no half
    for name in told.keys() - moved.keys():
        value = getattr(board, name) or board.dram_peak_gb_per_s
        half = value / 2 if isinstance(value, float) else value // 2
        moved[name] = latencies_ms(replace(board, **{name: half})) != before
    assert {name: "yes" if moves else "no" for name, moves in moved.items()} == told


def test_a_device_is_told_with_the_source_of_each_figure():
    board = load_device("orin-nano@7W")
    text = render_device(board, modes_of("orin-nano"))
    assert "15W* 7W" in text
    numbers = dict(line.split("  ", 1) for line in text.split("\n\n")[2].splitlines())
    for name in ("sm_count", "kernel_floor_us"):
        row = next(line for line in text.splitlines() if line.startswith(f"{name} "))
        assert numbers[row.split()[-1]].strip() == board.sources[name]
    data = json.loads(render_device_json(board))["figures"]
    assert data["sm_count"] == {"value": 4, "source": board.sources["sm_count"]}
